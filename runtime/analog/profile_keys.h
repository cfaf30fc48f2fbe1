/* SPDX-License-Identifier: Apache-2.0 */
/* profile_keys.h - profile_keys.def as data, and how a value of each type is read.
 * Shared by the parser of profiles and the writer of the tables in the manual. */
#ifndef AIM_ANALOG_PROFILE_KEYS_H
#define AIM_ANALOG_PROFILE_KEYS_H

#include "analog/profile.h"

#include <stddef.h>

/* Keys that stand in the same section; those of a curve stand in several. */
enum aim__key_group {
    AIM__KEYS_PROFILE,
    AIM__KEYS_TILE,
    AIM__KEYS_DAC,
    AIM__KEYS_ADC,
    AIM__KEYS_WEIGHTS,
    AIM__KEYS_GAUSSIAN,
    AIM__KEYS_PCM,
    AIM__KEYS_DEVICES,
    AIM__KEYS_SPREAD,
    AIM__KEYS_DRIFT,
    AIM__KEYS_CURVE,
    AIM__KEYS_FLICKER,
    AIM__KEYS_READ,
    AIM__KEYS_ENERGY,
};

enum aim__key_type {
    AIM__KEY_TEXT,
    AIM__KEY_INT,
    AIM__KEY_FLOAT,
    AIM__KEY_DOUBLE,
    AIM__KEY_CHOICE,
    AIM__KEY_SET,
    AIM__KEY_UPWARDS,
    AIM__KEY_DOWNWARDS,
};

typedef struct aim__profile_key {
    enum aim__key_group group;
    enum aim__key_type type;
    const char *name;
    size_t offset, size; /* of the field, in the group's home */
    const char *standard;
    double low, high;
    const char *words, *help;
} aim__profile_key;

enum aim__section_id {
#define SECTION(id, ...) AIM__SECTION_##id,
#include "analog/profile_keys.def"
    AIM__N_SECTIONS,
};

enum { AIM__ANY_PROGRAMMING = -1 };

typedef struct aim__profile_section {
    enum aim__section_id parent;
    enum aim__key_group group;
    const char *name;
    size_t offset; /* of the group's home in aim_profile */
    int most;
    int needs; /* enum aim_programming, or AIM__ANY_PROGRAMMING */
    bool required;
    const char *help;
} aim__profile_section;

extern const aim__profile_section aim__profile_sections[AIM__N_SECTIONS];

enum {
#define KEY(...) +1
    AIM__N_PROFILE_KEYS =
#include "analog/profile_keys.def"
};
extern const aim__profile_key aim__profile_keys[AIM__N_PROFILE_KEYS];

/* Is the key given as {a, b}? */
bool aim__profile_key_is_list(const aim__profile_key *key);

/* Where section number `nth` of its kind keeps its keys. */
void *aim__profile_home(aim_profile *p, enum aim__section_id section, int nth);

/* Read value number `index` of a list, or the one value, into its field inside home.
 * AIM_EINVAL says what is wrong with it, without the key's name. */
int aim__profile_key_set(const aim__profile_key *key, void *home, size_t index, const char *value,
                         aim_error *err);

/* All defaults; zero where there is none. */
void aim__profile_set_defaults(aim_profile *p);

#endif
