/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "ctl/options.h"

#include "ctl/outcome.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum type { FLAG, TEXT, INTEGER, COUNT /* from 1 */, NUMBER, DURATION /* above 0 */ };

static const struct row {
    const char *name, *argument, *help;
    enum actl_option_group group;
    enum type type;
    char letter;
} rows[ACTL_N_OPTIONS] = {
    [ACTL_URL] = {"url", "URL", "address of the server [$ANALOGD_URL, else http://127.0.0.1:8080]",
                  ACTL_GROUP_ALL, TEXT, 0},
    [ACTL_API_KEY_FILE] = {"api-key-file", "FILE",
                           "file that holds an admin key [the key in $ANALOGCTL_API_KEY]",
                           ACTL_GROUP_ALL, TEXT, 0},
    [ACTL_TIMEOUT] = {"timeout", "SECONDS", "how long an answer may take [60, probe: 600]",
                      ACTL_GROUP_ALL, DURATION, 0},
    [ACTL_JSON] = {"json", NULL, "print the server's objects, one a line", ACTL_GROUP_ALL, FLAG, 0},
    [ACTL_HELP] = {"help", NULL, "print this text, then exit", ACTL_GROUP_ALL, FLAG, 'h'},
    [ACTL_VERSION] = {"version", NULL, "print the version, then exit", ACTL_GROUP_ALL, FLAG, 'V'},
    [ACTL_NAME] = {"name", "NAME", "what the chip is called [PROFILE-SEED]", ACTL_GROUP_PROGRAM,
                   TEXT, 0},
    [ACTL_SEED] = {"seed", "N", "seed of the chip's noise [drawn by the server]",
                   ACTL_GROUP_PROGRAM, INTEGER, 0},
    [ACTL_AGE] = {"age", "AGE", "time since its first use: seconds, or such as 1h, 1d, 1y [0]",
                  ACTL_GROUP_PROGRAM, TEXT, 0},
    [ACTL_CONDUCTANCE_BITS] = {"conductance-bits", "8|16",
                               "bits a conductance is computed with [the profile's]",
                               ACTL_GROUP_PROGRAM, INTEGER, 0},
    [ACTL_OUT_BOUND] = {"out-bound", "X", "full scale of the ADCs [the profile's]",
                        ACTL_GROUP_PROGRAM, NUMBER, 0},
    [ACTL_BACKEND] = {"backend", "NAME", "analog, or analog-exact: the slow reference [analog]",
                      ACTL_GROUP_PROGRAM, TEXT, 0},
    [ACTL_PROMPT] = {"prompt", "TEXT", "what the chip is probed with [a short question]",
                     ACTL_GROUP_PROBE, TEXT, 0},
    [ACTL_PROMPT_FILE] = {"prompt-file", "FILE", "take the prompt from this file", ACTL_GROUP_PROBE,
                          TEXT, 0},
    [ACTL_METHOD] = {"method", "NAME", "quantile, max or std, or none to undo [quantile]",
                     ACTL_GROUP_CALIBRATE, TEXT, 0},
    [ACTL_VALUE] = {"value", "X", "the quantile, or the factor on the standard deviation",
                    ACTL_GROUP_CALIBRATE, NUMBER, 0},
    [ACTL_LIMIT] = {"limit", "N", "take no more than the first N texts", ACTL_GROUP_CALIBRATE,
                    COUNT, 0},
    [ACTL_NO_WAIT] = {"no-wait", NULL, "do not wait until the server is done", ACTL_GROUP_WAIT,
                      FLAG, 0},
};

/* Does the command take the option? Without a command: do all take it? */
static bool belongs(const struct row *row, const actl_command *command)
{
    return row->group == ACTL_GROUP_ALL || (command && (command->groups & row->group));
}

/* ---- help --------------------------------------------------------------- */

static void print_rows(const actl_command *command, bool common)
{
    for (const struct row *row = rows; row < rows + ACTL_N_OPTIONS; row++) {
        if (!belongs(row, command) || (row->group == ACTL_GROUP_ALL) != common)
            continue;
        int column = row->letter ? printf("  -%c, --%s", row->letter, row->name)
                                 : printf("      --%s", row->name);
        column += row->argument ? printf(" %s", row->argument) : 0;
        printf("%*s %s\n", column < 32 ? 32 - column : 0, "", row->help);
    }
}

static void print_help(const actl_command *command)
{
    if (command) {
        printf("Usage: analogctl %s%s%s [OPTION]...\n%s.\n\n", command->name,
               *command->arguments ? " " : "", command->arguments, command->help);
        print_rows(command, false);
    } else {
        puts("Usage: analogctl [OPTION]... COMMAND\n"
             "Look after the chips of an analogd server.\n");
        for (const actl_command *c = actl_commands; c->name; c++)
            printf("  %-10s%-22s%s\n", c->name, c->arguments, c->help);
        puts("\n'analogctl COMMAND --help' tells the options of a command. Options of all:");
    }
    print_rows(command, true);
    puts("\nManual: analogctl(1)");
}

/* ---- values ------------------------------------------------------------- */

static bool is_integer(const char *text)
{
    errno = 0;
    char *end;
    (void)strtoll(text, &end, 10);
    return isdigit((unsigned char)*text) && !*end && errno == 0;
}

static bool is_number(const char *text)
{
    char *end;
    double value = strtod(text, &end);
    return (isdigit((unsigned char)*text) || *text == '.') && !*end && isfinite(value);
}

static int keep(actl_options *o, const struct row *row, const char *value, aim_error *err)
{
    bool above_zero = row->type == COUNT || row->type == DURATION;
    if ((row->type == INTEGER || row->type == COUNT) && !is_integer(value))
        return aim_fail(err, AIM_EINVAL, "--%s: '%s' is not an integer", row->name, value);
    if ((row->type == NUMBER || row->type == DURATION) && !is_number(value))
        return aim_fail(err, AIM_EINVAL, "--%s: '%s' is not a number", row->name, value);
    if (above_zero && !(strtod(value, NULL) > 0))
        return aim_fail(err, AIM_EINVAL, "--%s: must be more than 0", row->name);
    o->values[row - rows] = value ? value : "";
    return 0;
}

json_t *actl_option_json(const actl_options *o, enum actl_option id)
{
    const char *text = o->values[id];
    if (!text)
        return NULL;
    return is_integer(text) ? json_integer(strtoll(text, NULL, 10)) : json_real(strtod(text, NULL));
}

double actl_option_number(const actl_options *o, enum actl_option id, double standard)
{
    return o->values[id] ? strtod(o->values[id], NULL) : standard;
}

/* ---- parsing ------------------------------------------------------------ */

/* What getopt_long returns for rows[i]. */
enum { FIRST_ROW = 256 };

static void fill_table(struct option *longs, const actl_command *command)
{
    for (int i = 0; i < ACTL_N_OPTIONS; i++)
        if (belongs(&rows[i], command))
            *longs++ =
                (struct option){rows[i].name, rows[i].argument ? required_argument : no_argument,
                                NULL, FIRST_ROW + i};
    *longs = (struct option){0};
}

/* Digits are options too, so that "-5" can be told what is wrong with it. */
#define DIGITS "0123456789"

/* The word that getopt found the digit in, of which it may have more to read. */
static int fail_negative(char **argv, int digit, aim_error *err)
{
    const char *word = argv[optind - 1];
    if (word[0] != '-' || word[1] != digit)
        word = argv[optind];
    aim_fail(err, AIM_EINVAL, "'%s': numbers and ages cannot be negative", word);
    return ACTL_USAGE;
}

/* Read the options up to the command, or, with a command, all that is left. */
static int parse_part(int argc, char **argv, const actl_command *command, actl_options *o,
                      aim_error *err)
{
    struct option longs[ACTL_N_OPTIONS + 1];
    int id;
    fill_table(longs, command);
    optind = 0; /* start anew */
    while ((id = getopt_long(argc, argv, command ? "hV" DIGITS : "+hV" DIGITS, longs, NULL)) !=
           -1) {
        if (isdigit(id))
            return fail_negative(argv, id, err);
        if (id == 'h' || id == 'V')
            id = FIRST_ROW + (id == 'h' ? ACTL_HELP : ACTL_VERSION);
        if (id < FIRST_ROW || keep(o, &rows[id - FIRST_ROW], optarg, err))
            return ACTL_USAGE;
    }
    return ACTL_OK;
}

/* Print what was asked for instead of a command. */
static bool print_about(const actl_options *o, const actl_command *command)
{
    if (o->values[ACTL_HELP])
        print_help(command);
    else if (o->values[ACTL_VERSION])
        puts("analogctl " PACKAGE_VERSION);
    return o->values[ACTL_HELP] || o->values[ACTL_VERSION];
}

static const actl_command *find_command(const char *name, aim_error *err)
{
    for (const actl_command *c = actl_commands; c->name; c++)
        if (name && strcmp(c->name, name) == 0)
            return c;
    if (name)
        aim_fail(err, AIM_EINVAL, "there is no command '%s'", name);
    else
        aim_fail(err, AIM_EINVAL, "the command is missing");
    return NULL;
}

static int keep_arguments(actl_options *o, const actl_command *command, int n, char **arguments,
                          aim_error *err)
{
    if (n < command->min_arguments)
        return aim_fail(err, AIM_EINVAL, "%s takes: %s", command->name, command->arguments);
    if (n > command->max_arguments)
        return aim_fail(err, AIM_EINVAL, "unexpected argument '%s'",
                        arguments[command->max_arguments]);
    o->arguments = arguments;
    return 0;
}

/* What the messages of getopt begin with. */
static char program_name[] = "analogctl";

int actl_options_parse(int argc, char **argv, actl_options *o, aim_error *err)
{
    *o = (actl_options){0};
    if (parse_part(argc, argv, NULL, o, err))
        return ACTL_USAGE;
    if (print_about(o, NULL))
        return ACTL_OK;
    const actl_command *command = find_command(argv[optind], err);
    if (!command)
        return ACTL_USAGE;
    argc -= optind;
    argv += optind;
    argv[0] = program_name;
    o->command = command;
    if (parse_part(argc, argv, command, o, err))
        return ACTL_USAGE;
    if (print_about(o, command)) {
        o->command = NULL;
        return ACTL_OK;
    }
    return keep_arguments(o, command, argc - optind, argv + optind, err) ? ACTL_USAGE : ACTL_OK;
}
