/* SPDX-License-Identifier: Apache-2.0 */
/* profile_tables.c - the tables of analogd-profile(5), from profile_keys.def. */
#include "man/write_tables.h"

#include "analog/profile_keys.h"

#include <stdio.h>
#include <string.h>

/* One sentence a line, as mdoc wants it. */
static void print_sentences(const char *text)
{
    while (*text) {
        const char *end = strstr(text, ". ");
        size_t len = end ? (size_t)(end - text) + 1 : strlen(text);
        char sentence[512];
        snprintf(sentence, sizeof sentence, "%.*s", (int)len, text);
        print_wrapped("", sentence);
        text += len + (end ? 1 : 0);
    }
}

static void print_range(const aim__profile_key *key)
{
    if (key->type == AIM__KEY_TEXT)
        printf("Up to %zu characters.\n", key->size - 1);
    else if (key->low < key->high && !strchr(key->words, '|'))
        printf("From %.9g to %.9g.\n", key->low, key->high);
}

static void print_key(const aim__profile_key *key)
{
    bool is_set = key->type == AIM__KEY_SET;
    printf(".It Ic %s No = Ar %s", key->name, is_set ? "{" : "");
    for (const char *c = key->words; *c; c++)
        printf(*c == '|' && is_set ? ", " : *c == '|' ? "|\\:" : "%c", *c);
    puts(is_set ? "}" : "");
    print_sentences(key->help);
    print_range(key);
    if (!key->standard)
        puts("It must be set.");
    else if (is_set)
        puts("The default is all of them.");
    else if (*key->standard)
        printf("The default is\n.Li %s .\n", key->standard);
}

static void print_group(enum aim__key_group group)
{
    puts(".Bl -tag -width Ds");
    for (int k = 0; k < AIM__N_PROFILE_KEYS; k++)
        if (aim__profile_keys[k].group == group)
            print_key(&aim__profile_keys[k]);
    puts(".El");
}

static const char *programming_of(int needs)
{
    int s = 0;
    while (aim__profile_sections[s].needs != needs)
        s++;
    return aim__profile_sections[s].name;
}

static void print_section(enum aim__section_id s)
{
    const aim__profile_section *section = &aim__profile_sections[s];
    printf(".Ss Section %s", section->name);
    if (section->parent != AIM__SECTION_TOP)
        printf(" in %s", aim__profile_sections[section->parent].name);
    putchar('\n');
    print_sentences(section->help);
    if (section->most > 1)
        printf("It may stand up to %d times.\n", section->most);
    if (section->needs != AIM__ANY_PROGRAMMING)
        printf("It belongs to\n.Ic programming No = Li %s .\n", programming_of(section->needs));
    if (section->required)
        puts(section->needs == AIM__ANY_PROGRAMMING ? "It must stand." : "There it must stand.");
    if (section->group == AIM__KEYS_CURVE)
        puts("Its keys are those of a curve, see below.");
    else
        print_group(section->group);
}

void print_profile_keys(void)
{
    puts(".Ss Outside of sections");
    print_group(AIM__KEYS_PROFILE);
    for (int s = AIM__SECTION_TOP + 1; s < AIM__N_SECTIONS; s++)
        print_section((enum aim__section_id)s);
    puts(".Ss Curves\nA coefficient as it depends on r, the conductance that was asked for, or "
         "for\n.Ic flicker_noise\nthe one that was programmed, as a part of g_max.");
    print_group(AIM__KEYS_CURVE);
}
