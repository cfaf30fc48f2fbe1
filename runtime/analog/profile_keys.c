/* SPDX-License-Identifier: Apache-2.0 */
/* profile_keys.c - the rows of profile_keys.def, and one reader for each type. */
#include "analog/profile_keys.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANY AIM__ANY_PROGRAMMING

const aim__profile_section aim__profile_sections[AIM__N_SECTIONS] = {
#define SECTION(id, parent, group, name, field, most, needs, required, help)                       \
    {AIM__SECTION_##parent,                                                                        \
     AIM__KEYS_##group,                                                                            \
     name,                                                                                         \
     offsetof(aim_profile, field),                                                                 \
     most,                                                                                         \
     needs,                                                                                        \
     required,                                                                                     \
     help},
#include "analog/profile_keys.def"
};

#define HOME_PROFILE aim_profile
#define HOME_TILE aim_profile
#define HOME_DAC aim_profile
#define HOME_ADC aim_profile
#define HOME_WEIGHTS aim_profile
#define HOME_GAUSSIAN aim_profile
#define HOME_PCM aim_profile
#define HOME_DEVICES aim_profile
#define HOME_SPREAD aim_device_spread
#define HOME_DRIFT aim_profile
#define HOME_CURVE aim_device_curve
#define HOME_FLICKER aim_profile
#define HOME_READ aim_profile
#define HOME_ENERGY aim_profile

const aim__profile_key aim__profile_keys[AIM__N_PROFILE_KEYS] = {
#define KEY(group, type, name, field, standard, low, high, words, help)                            \
    {AIM__KEYS_##group,                                                                            \
     AIM__KEY_##type,                                                                              \
     name,                                                                                         \
     offsetof(HOME_##group, field),                                                                \
     sizeof(((HOME_##group *)0)->field),                                                           \
     standard,                                                                                     \
     low,                                                                                          \
     high,                                                                                         \
     words,                                                                                        \
     help},
#include "analog/profile_keys.def"
};

bool aim__profile_key_is_list(const aim__profile_key *key)
{
    return key->type == AIM__KEY_SET || key->type == AIM__KEY_UPWARDS ||
           key->type == AIM__KEY_DOWNWARDS;
}

void *aim__profile_home(aim_profile *p, enum aim__section_id section, int nth)
{
    size_t stride = section == AIM__SECTION_SPREAD ? sizeof(aim_device_spread) : 0;
    return (char *)p + aim__profile_sections[section].offset + (size_t)nth * stride;
}

/* ---- readers --------------------------------------------------------------- */

/* One line of text that every terminal, log and JSON writer can show. */
static int read_text(const aim__profile_key *key, char *field, const char *value, aim_error *err)
{
    size_t len = strlen(value);
    if (len == 0 || len >= key->size)
        return aim_fail(err, AIM_EINVAL, "%zu characters: must be from 1 to %zu", len,
                        key->size - 1);
    for (const char *c = value; *c; c++)
        if (*c < ' ' || *c > '~')
            return aim_fail(err, AIM_EINVAL, "only printable ASCII can stand here");
    memcpy(field, value, len + 1);
    return AIM_OK;
}

/* Decimal, with or without an exponent: strtod and strtof know more than that. */
static bool is_decimal(const char *value)
{
    return *value && value[strspn(value, "0123456789.eE+-")] == '\0';
}

static int check_range(const aim__profile_key *key, bool whole, double number, const char *value,
                       aim_error *err)
{
    if (!whole || !isfinite(number))
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not a number", value);
    if (number < key->low || number > key->high)
        return aim_fail(err, AIM_EINVAL, "%.64s is not between %.9g and %.9g", value, key->low,
                        key->high);
    return AIM_OK;
}

static int read_double(const aim__profile_key *key, double *field, const char *value,
                       aim_error *err)
{
    char *end;
    double number = strtod(value, &end);
    *field = number;
    return check_range(key, is_decimal(value) && *end == '\0', number, value, err);
}

/* Rounded once, from the text, as a constant in a program is. */
static int read_float(const aim__profile_key *key, float *field, const char *value, aim_error *err)
{
    char *end;
    float number = strtof(value, &end);
    *field = number;
    return check_range(key, is_decimal(value) && *end == '\0', (double)number, value, err);
}

static int read_int(const aim__profile_key *key, int *field, const char *value, aim_error *err)
{
    double number;
    if (read_double(key, &number, value, err))
        return AIM_EINVAL;
    if (number != rint(number))
        return aim_fail(err, AIM_EINVAL, "%.64s is not a whole number", value);
    *field = (int)number;
    return AIM_OK;
}

/* The position of value among words with '|' between them; -1 if it is none. */
static int word_number(const char *words, const char *value, size_t len)
{
    for (int n = 0;; n++) {
        size_t word = strcspn(words, "|");
        if (word == len && memcmp(words, value, len) == 0)
            return n;
        if (!words[word])
            return -1;
        words += word + 1;
    }
}

static int read_word(const aim__profile_key *key, const char *value, int *number, aim_error *err)
{
    *number = word_number(key->words, value, strlen(value));
    if (*number >= 0)
        return AIM_OK;
    return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not one of %s", value, key->words);
}

static int read_choice(const aim__profile_key *key, void *field, const char *value, aim_error *err)
{
    int number;
    if (read_word(key, value, &number, err))
        return AIM_EINVAL;
    memcpy(field, &number, key->size); /* enums of this program have the size of an int */
    return AIM_OK;
}

static int read_set(const aim__profile_key *key, unsigned *field, size_t index, const char *value,
                    aim_error *err)
{
    int number;
    if (read_word(key, value, &number, err))
        return AIM_EINVAL;
    *field = (index == 0 ? 0 : *field) | 1u << number;
    return AIM_OK;
}

static int read_coefficient(const aim__profile_key *key, float *field, size_t index,
                            const char *value, aim_error *err)
{
    size_t room = key->size / sizeof *field;
    if (index >= room)
        return aim_fail(err, AIM_EINVAL, "more than %zu coefficients", room);
    size_t place = key->type == AIM__KEY_UPWARDS ? index : room - 1 - index;
    return read_float(key, &field[place], value, err);
}

int aim__profile_key_set(const aim__profile_key *key, void *home, size_t index, const char *value,
                         aim_error *err)
{
    void *field = (char *)home + key->offset;
    switch (key->type) {
    case AIM__KEY_TEXT:
        return read_text(key, field, value, err);
    case AIM__KEY_INT:
        return read_int(key, field, value, err);
    case AIM__KEY_FLOAT:
        return read_float(key, field, value, err);
    case AIM__KEY_DOUBLE:
        return read_double(key, field, value, err);
    case AIM__KEY_CHOICE:
        return read_choice(key, field, value, err);
    case AIM__KEY_SET:
        return read_set(key, field, index, value, err);
    case AIM__KEY_UPWARDS:
    case AIM__KEY_DOWNWARDS:
        return read_coefficient(key, field, index, value, err);
    }
    return aim_fail(err, AIM_EINTERNAL, "key %s has no type", key->name);
}

/* ---- defaults -------------------------------------------------------------- */

/* The default of a set is all of it, that of coefficients zeros. */
static void set_default(const aim__profile_key *key, void *home)
{
    if (key->type == AIM__KEY_SET) {
        unsigned n = 1;
        for (const char *word = key->words; (word = strchr(word, '|')); word++)
            n++;
        *(unsigned *)((char *)home + key->offset) = (1u << n) - 1;
    } else if (key->standard && *key->standard) {
        aim__profile_key_set(key, home, 0, key->standard, NULL);
    }
}

void aim__profile_set_defaults(aim_profile *p)
{
    memset(p, 0, sizeof *p);
    for (int s = 0; s < AIM__N_SECTIONS; s++)
        for (int nth = 0; nth < aim__profile_sections[s].most; nth++)
            for (int k = 0; k < AIM__N_PROFILE_KEYS; k++)
                if (aim__profile_keys[k].group == aim__profile_sections[s].group)
                    set_default(&aim__profile_keys[k],
                                aim__profile_home(p, (enum aim__section_id)s, nth));
}
