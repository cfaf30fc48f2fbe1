/* SPDX-License-Identifier: Apache-2.0 */
/* profile_parser.c - profiles through libconfuse.
 *
 * libconfuse knows every key as a string and asks take_value() about each value
 * while it still knows the line. What must stand, and what fits together, is
 * checked once the whole text is read; the lines are remembered for that. */
#include "analog/profile_parser.h"

#include "analog/profile_keys.h"
#include "base/alloc.h"
#include "base/conf_text.h"

#include <confuse.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* libconfuse keeps its place in the text in globals. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

/* It passes no user data to callbacks either. */
static struct {
    const char *name; /* of the file */
    aim_profile *profile;
    aim_error *err;
    struct {
        const cfg_t *in; /* the one that was read last; a section may stand several times */
        int count;
        int line[AIM__N_PROFILE_KEYS]; /* of each key in it; 0: not set */
    } section[AIM__N_SECTIONS];
} parsing;

static int fail_line(int line, const char *key, const char *reason)
{
    aim_fail_param(parsing.err, AIM_EINVAL, key, "%s:%d: %s: %s", parsing.name, line, key, reason);
    return -1;
}

/* At the line that libconfuse is at in a section, or was when it left it. */
static int fail_at(const cfg_t *cfg, const char *key, const char *reason)
{
    return fail_line(cfg->line > 0 ? cfg->line : 1, key, reason);
}

/* ---- values ---------------------------------------------------------------- */

static enum aim__section_id section_of(const cfg_t *cfg)
{
    int s = AIM__N_SECTIONS - 1;
    while (s > 0 && strcmp(aim__profile_sections[s].name, cfg->name) != 0)
        s--;
    return (enum aim__section_id)s;
}

static int key_number(enum aim__key_group group, const char *name)
{
    int k = AIM__N_PROFILE_KEYS - 1;
    while (k >= 0 &&
           (aim__profile_keys[k].group != group || strcmp(aim__profile_keys[k].name, name) != 0))
        k--;
    return k;
}

static const char too_often[] = "the section stands too often";

/* Note that a value of this section comes. */
static int enter_section(const cfg_t *cfg, enum aim__section_id s)
{
    if (parsing.section[s].in == cfg)
        return 0;
    parsing.section[s].in = cfg;
    memset(parsing.section[s].line, 0, sizeof parsing.section[s].line);
    bool fits = ++parsing.section[s].count <= aim__profile_sections[s].most;
    return fits ? 0 : fail_at(cfg, cfg->name, too_often);
}

/* The parse callback of every key; for a list it is called with each item. A list
 * that is set again begins anew. */
static int take_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    enum aim__section_id s = section_of(cfg);
    int k = key_number(aim__profile_sections[s].group, opt->name);
    const aim__profile_key *key = &aim__profile_keys[k];
    size_t index = aim__profile_key_is_list(key) ? cfg_opt_size(opt) - 1 : 0;
    if (enter_section(cfg, s))
        return -1;
    if (index == 0 && parsing.section[s].line[k])
        return fail_at(cfg, key->name, "is set twice");
    parsing.section[s].line[k] = cfg->line > 0 ? cfg->line : 1;
    void *home = aim__profile_home(parsing.profile, s, parsing.section[s].count - 1);
    aim_error err = {0};
    if (aim__profile_key_set(key, home, index, value, &err))
        return fail_at(cfg, key->name, err.text);
    *(const char **)result = value;
    return 0;
}

static int take_end(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
    (void)opt;
    if (section_of(cfg) != AIM__SECTION_TOP)
        return fail_at(cfg, cfg->name, "the section is not closed");
    *(const char **)result = value;
    return 0;
}

/* ---- what libconfuse is told ------------------------------------------------ */

/* A section has keys, sections, the mark of the end of the text, and libconfuse's. */
enum { MAX_SLOTS = AIM__N_PROFILE_KEYS + AIM__N_SECTIONS + 2 };

static cfg_opt_t key_slot(const aim__profile_key *key)
{
    cfg_opt_t list = CFG_STR_LIST(key->name, NULL, CFGF_NODEFAULT);
    cfg_opt_t single = CFG_STR_CB(key->name, NULL, CFGF_NODEFAULT, take_value);
    list.parsecb = take_value;
    return aim__profile_key_is_list(key) ? list : single;
}

/* slots [AIM__N_SECTIONS][MAX_SLOTS]. */
static void fill_slots(cfg_opt_t *slots)
{
    for (int s = 0; s < AIM__N_SECTIONS; s++) {
        cfg_opt_t *slot = slots + (size_t)s * MAX_SLOTS;
        for (int k = 0; k < AIM__N_PROFILE_KEYS; k++)
            if (aim__profile_keys[k].group == aim__profile_sections[s].group)
                *slot++ = key_slot(&aim__profile_keys[k]);
        for (int inner = 1; inner < AIM__N_SECTIONS; inner++)
            if ((int)aim__profile_sections[inner].parent == s)
                *slot++ = (cfg_opt_t)CFG_SEC(aim__profile_sections[inner].name,
                                             slots + (size_t)inner * MAX_SLOTS, CFGF_MULTI);
        *slot++ = (cfg_opt_t)CFG_STR_CB(AIM_CONF_END, NULL, CFGF_NODEFAULT, take_end);
        *slot = (cfg_opt_t)CFG_END();
    }
}

/* ---- what must stand -------------------------------------------------------- */

/* Section number nth of its kind; NULL if there is none. */
static cfg_t *find_section(cfg_t *top, enum aim__section_id s, unsigned nth)
{
    if (s == AIM__SECTION_TOP)
        return nth == 0 ? top : NULL;
    const char *name = aim__profile_sections[s].name;
    cfg_t *parent = find_section(top, aim__profile_sections[s].parent, 0);
    return parent && nth < cfg_size(parent, name) ? cfg_getnsec(parent, name, nth) : NULL;
}

/* What is not there has no line: that of the end of its section is told, and at the
 * top level that of the beginning. */
static int fail_missing(const cfg_t *cfg, const char *key, const char *reason)
{
    return section_of(cfg) == AIM__SECTION_TOP ? fail_line(1, key, reason)
                                               : fail_at(cfg, key, reason);
}

static int check_keys(cfg_t *cfg, enum aim__key_group group)
{
    for (int k = 0; k < AIM__N_PROFILE_KEYS; k++) {
        const aim__profile_key *key = &aim__profile_keys[k];
        if (key->group != group || cfg_size(cfg, key->name) > 0)
            continue;
        if (cfg_getopt(cfg, key->name)->flags & CFGF_MODIFIED)
            return fail_missing(cfg, key->name, "the list is empty");
        if (!key->standard)
            return fail_missing(cfg, key->name, "is missing");
    }
    return 0;
}

/* Sections of a way of programming belong to the one that has its name. */
static int fail_unfit(const cfg_t *cfg, const aim__profile_section *section)
{
    const aim__profile_section *s = aim__profile_sections;
    while (s->needs != section->needs)
        s++;
    char reason[96];
    snprintf(reason, sizeof reason, "the section belongs to programming = %s", s->name);
    return fail_at(cfg, section->name, reason);
}

static int check_section(cfg_t *top, enum aim__section_id s)
{
    const aim__profile_section *section = &aim__profile_sections[s];
    cfg_t *parent = find_section(top, section->parent, 0), *cfg = find_section(top, s, 0);
    bool fits = section->needs == AIM__ANY_PROGRAMMING ||
                section->needs == (int)parsing.profile->programming;
    if (!cfg && parent && fits && section->required)
        return fail_missing(parent, section->name, "the section is missing");
    if (cfg && !fits)
        return fail_unfit(cfg, section);
    for (int nth = 0; cfg; cfg = find_section(top, s, (unsigned)++nth)) {
        if (nth >= section->most)
            return fail_at(cfg, section->name, too_often);
        if (check_keys(cfg, section->group))
            return -1;
    }
    return 0;
}

/* Does the key stand in the section, or would it, or is it the section's own name? */
static bool is_about(enum aim__section_id s, const char *param)
{
    return strcmp(aim__profile_sections[s].name, param) == 0 ||
           key_number(aim__profile_sections[s].group, param) >= 0;
}

/* The line of a key; if it is not set, that of the first key of its section, and of a
 * section likewise; else 1. */
static int line_of(const char *param)
{
    int near = 1;
    for (int s = AIM__N_SECTIONS - 1; s >= 0; s--)
        for (int k = AIM__N_PROFILE_KEYS - 1; k >= 0; k--) {
            int line = parsing.section[s].line[k];
            if (line && strcmp(aim__profile_keys[k].name, param) == 0)
                return line;
            if (line && is_about((enum aim__section_id)s, param))
                near = line;
        }
    return near;
}

static int check_all(cfg_t *top)
{
    for (int s = 0; s < AIM__N_SECTIONS; s++)
        if (check_section(top, (enum aim__section_id)s))
            return AIM_EINVAL;
    aim_profile *p = parsing.profile;
    p->device.n_spreads = parsing.section[AIM__SECTION_SPREAD].count;
    p->drift = p->device.n_spreads > 1 || find_section(top, AIM__SECTION_DRIFT, 0) ||
               find_section(top, AIM__SECTION_FLICKER, 0);
    aim_error err = {0};
    if (aim_profile_check(p, &err))
        return aim_fail_param(parsing.err, AIM_EINVAL, err.param, "%s:%d: %s", parsing.name,
                              line_of(err.param), err.text);
    return AIM_OK;
}

/* ---- the text --------------------------------------------------------------- */

/* libconfuse would put variables of the environment into values: what a chip is must
 * not depend on them. */
static int check_variables(const char *text)
{
    const char *dollar = strchr(text, '$');
    if (!dollar)
        return AIM_OK;
    int line = 1;
    for (const char *c = text; c < dollar; c++)
        line += *c == '\n';
    return aim_fail(parsing.err, AIM_EINVAL, "%s:%d: a profile cannot hold the character $",
                    parsing.name, line);
}

static int parse(cfg_t *cfg, const char *text)
{
    char *whole = aim_conf_text(text);
    if (!whole)
        return aim_fail_nomem(parsing.err, parsing.name);
    int rc = check_variables(whole);
    if (rc == 0)
        rc = aim_conf_parse(cfg, whole, parsing.name, parsing.err);
    aim_free(whole);
    return rc ? rc : check_all(cfg);
}

/* With everything in `parsing`. */
static int parse_slots(cfg_opt_t *slots, const char *text)
{
    fill_slots(slots);
    cfg_t *cfg = cfg_init(slots, CFGF_NONE);
    if (!cfg)
        return aim_fail_nomem(parsing.err, parsing.name);
    int rc = parse(cfg, text);
    cfg_free(cfg);
    return rc;
}

int aim__profile_parse_text(const char *text, const char *name, aim_profile *p, aim_error *err)
{
    cfg_opt_t *slots = aim_array((size_t)AIM__N_SECTIONS * MAX_SLOTS, sizeof *slots);
    if (!slots)
        return aim_fail_nomem(err, name);
    aim_error own = {0}; /* its first failure is the one that counts, not the last */
    aim__profile_set_defaults(p);
    pthread_mutex_lock(&one_at_a_time);
    memset(&parsing, 0, sizeof parsing);
    parsing.name = name;
    parsing.profile = p;
    parsing.err = &own;
    parse_slots(slots, text);
    pthread_mutex_unlock(&one_at_a_time);
    aim_free(slots);
    return own.code ? aim_fail_param(err, own.code, own.param, "%s", own.text) : AIM_OK;
}
