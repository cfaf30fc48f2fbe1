/* SPDX-License-Identifier: Apache-2.0 */
/* options_table.h - options.def as data, and how a value of each type is read.
 * Shared by the parts of the option parser and by the writer of the tables in
 * the manual. */
#ifndef AIMD_OPTIONS_TABLE_H
#define AIMD_OPTIONS_TABLE_H

#include "server/options.h"

#include <stdint.h>

enum aimd_option_where { AIMD_AT_DAEMON, AIMD_AT_MODEL };

enum aimd_option_type {
    AIMD_OPTION_BOOL,    /* bool */
    AIMD_OPTION_INT,     /* int */
    AIMD_OPTION_SEED,    /* uint64_t */
    AIMD_OPTION_REAL,    /* double */
    AIMD_OPTION_BYTES,   /* size_t, written with K, M or G */
    AIMD_OPTION_AGE,     /* double, seconds */
    AIMD_OPTION_STRING,  /* char *, NULL if empty */
    AIMD_OPTION_CHOICE,  /* char *, one of the row's values */
    AIMD_OPTION_ADDRESS, /* aimd_address */
    AIMD_OPTION_LIST,    /* char **, NULL-terminated */
};

typedef struct aimd_option {
    enum aimd_option_where where;
    char letter;
    enum aimd_option_type type;
    const char *name;
    size_t offset; /* in aimd_options or aimd_model_options */
    const char *standard;
    int64_t low, high;
    const char *values, *help;
} aimd_option;

extern const aimd_option aimd__options[];
enum {
#define OPTION(...) +1
    AIMD_N_OPTIONS =
#include "server/options.def"
};

/* The row of this name; NULL if there is none. */
const aimd_option *aimd__option_find(const char *name);

/* Read value and store it at the row's place inside target, an aimd_options or
 * an aimd_model_options; what was there is freed. target NULL only checks.
 * AIM_EINVAL says what is wrong with the value, without the option's name. */
int aimd__option_set(const aimd_option *row, void *target, const char *value, aim_error *err);
/* Free what target holds at the row's place. */
void aimd__option_clear(const aimd_option *row, void *target);
/* Give target a copy of the string that it shares at the row's place, NULL when out
 * of memory. False only then. Rows without a string of their own do nothing; no model
 * has lists or addresses. */
bool aimd__option_unshare(const aimd_option *row, void *target);

/* The name of the row's flag without dashes in front: "no-prefix-cache". A flag of the
 * command line alone takes the place of a row's of the same name. */
enum { AIMD_FLAG_NAME_SIZE = 64 };
void aimd__flag_name(const aimd_option *row, char name[AIMD_FLAG_NAME_SIZE]);

/* ---- the file and the flags --------------------------------------------- */

/* Options on their way: `standard` is what a new model starts with. */
typedef struct aimd_config {
    aimd_options *options;
    aimd_model_options standard;
} aimd_config;

/* What must hold of the roles of models, and of searches among candidates: a reward
 * model where one is asked for, a pattern that compiles. AIM_EINVAL with the model. */
int aimd__options_check_roles(const aimd_options *o, aim_error *err);

/* Append a model that copies config->standard. id NULL: the folder's name. */
int aimd__config_add_model(aimd_config *config, const char *id, const char *dir, aim_error *err);
void aimd__config_drop_models(aimd_config *config);

/* Read configuration text into config. Errors begin with "name:line: ". */
int aimd__file_parse(aimd_config *config, const char *text, const char *name, aim_error *err);

/* What the command line says; values point into argv. */
typedef struct aimd_flags {
    const char *config;
    const char **models, **reward_models; /* folders */
    size_t n_models, n_reward_models;
    const char *values[AIMD_N_OPTIONS]; /* by row; NULL: not given */
    bool check_config, test_hooks;
} aimd_flags;

/* Returns as aimd_options_parse; aimd__flags_free is due in any case. */
int aimd__flags_parse(int argc, char **argv, aimd_flags *f);
void aimd__flags_free(aimd_flags *f);
int aimd__flags_apply(const aimd_flags *f, aimd_config *config, aim_error *err);

#endif
