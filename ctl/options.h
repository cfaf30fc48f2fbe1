/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line: a command, its arguments and its options. */
#ifndef ACTL_OPTIONS_H
#define ACTL_OPTIONS_H

#include "base/error.h"
#include "ctl/client.h"

#include <jansson.h>
#include <stdbool.h>

enum actl_option {
    ACTL_URL,
    ACTL_API_KEY_FILE,
    ACTL_TIMEOUT,
    ACTL_JSON,
    ACTL_HELP,
    ACTL_VERSION,
    ACTL_NAME,
    ACTL_SEED,
    ACTL_AGE,
    ACTL_CONDUCTANCE_BITS,
    ACTL_OUT_BOUND,
    ACTL_BACKEND,
    ACTL_PROMPT,
    ACTL_PROMPT_FILE,
    ACTL_METHOD,
    ACTL_VALUE,
    ACTL_LIMIT,
    ACTL_NO_WAIT,
    ACTL_N_OPTIONS
};

/* Which options a command takes, beside those that all take. */
enum actl_option_group {
    ACTL_GROUP_ALL = 0,
    ACTL_GROUP_WAIT = 1 << 0,
    ACTL_GROUP_PROGRAM = 1 << 1,
    ACTL_GROUP_PROBE = 1 << 2,
    ACTL_GROUP_CALIBRATE = 1 << 3,
};

typedef struct actl_options actl_options;

typedef struct actl_command {
    const char *name, *arguments, *help;
    int min_arguments, max_arguments;
    unsigned groups; /* of enum actl_option_group */
    int timeout;     /* seconds an answer may take, unless told otherwise */
    int (*run)(actl_client *c, const actl_options *o, aim_error *err);
} actl_command;

/* The commands, ended by one without a name (commands.c). */
extern const actl_command actl_commands[];

struct actl_options {
    const actl_command *command;        /* NULL: help or the version was asked for and printed,
                                           or the command line is wrong before the command */
    const char *values[ACTL_N_OPTIONS]; /* NULL: not given; flags: "" */
    char **arguments;                   /* NULL after the last */
};

/* Borrows argv and changes the order in it. ACTL_OK or ACTL_USAGE; then err may be
 * empty, where getopt has told what is wrong. */
int actl_options_parse(int argc, char **argv, actl_options *o, aim_error *err);

/* What was given for a number, as JSON (the caller's); NULL if nothing was. */
json_t *actl_option_json(const actl_options *o, enum actl_option id);
double actl_option_number(const actl_options *o, enum actl_option id, double standard);

#endif
