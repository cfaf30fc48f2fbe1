/* SPDX-License-Identifier: Apache-2.0 */
/* options_flags.c - the command line, and the help text. */
#include "config.h"

#include "server/options_table.h"

#include "base/alloc.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

/* What getopt_long returns for a flag: rows of options.def count from
 * FIRST_ROW, flags of the command line alone have a name each. */
enum { FIRST_ROW = 256, FIRST_FLAG = 512 };
enum flag_id {
    FLAG_START = FIRST_FLAG,
#define FLAG(letter, id, name, values, help) FLAG_##id,
#include "server/options.def"
};

static const struct flag {
    char letter;
    int id;
    const char *name, *values, *help;
} flags[] = {
#define FLAG(letter, id, name, values, help) {letter, FLAG_##id, name, values, help},
#include "server/options.def"
};
enum { N_FLAGS = sizeof flags / sizeof flags[0] };

/* Is there a flag of the command line alone that has the name of this row? */
static bool is_taken(const aimd_option *row)
{
    char name[AIMD_FLAG_NAME_SIZE];
    aimd__flag_name(row, name);
    for (int i = 0; i < N_FLAGS; i++)
        if (strcmp(flags[i].name, name) == 0)
            return true;
    return false;
}

/* ---- help --------------------------------------------------------------- */

enum { HELP_INDENT = 34, HELP_WIDTH = 100 };

/* Print text in lines of HELP_WIDTH, behind a flag that ends at `column`. */
static void print_wrapped(const char *text, int column)
{
    if (column >= HELP_INDENT)
        column = HELP_WIDTH; /* the text starts on a line of its own */
    else
        column += printf("%*s", HELP_INDENT - column - 1, "");
    for (int word; *text; text += word + (text[word] == ' ')) {
        word = (int)strcspn(text, " ");
        if (column + 1 + word > HELP_WIDTH)
            column = printf("\n%*s", HELP_INDENT - 1, "") - 1;
        column += printf(" %.*s", word, text);
    }
    putchar('\n');
}

static void print_flag(char letter, const char *name, const char *values, const char *help)
{
    int column = letter ? printf("  -%c, --%s", letter, name) : printf("      --%s", name);
    if (values)
        column += printf(" %s", values);
    print_wrapped(help, column);
}

static void print_option(const aimd_option *row)
{
    char name[AIMD_FLAG_NAME_SIZE], help[512];
    aimd__flag_name(row, name);
    if (row->type == AIMD_OPTION_BOOL && strcmp(row->standard, "true") == 0)
        snprintf(help, sizeof help, "do not %s", row->help);
    else if (row->type == AIMD_OPTION_BOOL || !row->standard)
        snprintf(help, sizeof help, "%s", row->help);
    else
        snprintf(help, sizeof help, "%s [%s]", row->help, row->standard);
    print_flag(row->letter, name, row->type == AIMD_OPTION_BOOL ? NULL : row->values, help);
}

static void print_help(void)
{
    puts("Usage: analogd --model DIR [FLAG]...\n"
         "       analogd --config FILE [FLAG]...\n"
         "Serve language models over the OpenAI REST API.\n");
    for (int i = 0; i < N_FLAGS; i++)
        print_flag(flags[i].letter, flags[i].name, flags[i].values, flags[i].help);
    puts("\nThese stand in the configuration file too, with underscores for dashes; a flag\n"
         "overrides the file:");
    for (int i = 0; i < AIMD_N_OPTIONS; i++)
        if (!is_taken(&aimd__options[i]))
            print_option(&aimd__options[i]);
    puts("\nManual: analogd(8), analogd.conf(5)");
}

/* ---- parsing ------------------------------------------------------------ */

/* The tables getopt_long wants; names of rows are made up and kept here. */
struct getopt_tables {
    char names[AIMD_N_OPTIONS][AIMD_FLAG_NAME_SIZE];
    struct option longs[AIMD_N_OPTIONS + N_FLAGS + 1];
    char shorts[2 * (AIMD_N_OPTIONS + N_FLAGS) + 1];
    int letters[128]; /* what the letter of a short flag stands for */
};

static void add_flag(struct getopt_tables *t, int at, const char *name, bool has_value, int id,
                     char letter)
{
    t->longs[at] = (struct option){name, has_value ? required_argument : no_argument, NULL, id};
    if (!letter)
        return;
    t->letters[(unsigned char)letter] = id;
    size_t len = strlen(t->shorts);
    t->shorts[len] = letter;
    t->shorts[len + 1] = has_value ? ':' : '\0';
}

static void fill_tables(struct getopt_tables *t)
{
    int n = 0;
    memset(t, 0, sizeof *t);
    for (int i = 0; i < AIMD_N_OPTIONS; i++) {
        const aimd_option *row = &aimd__options[i];
        aimd__flag_name(row, t->names[i]);
        if (!is_taken(row))
            add_flag(t, n++, t->names[i], row->type != AIMD_OPTION_BOOL, FIRST_ROW + i,
                     row->letter);
    }
    for (int i = 0; i < N_FLAGS; i++)
        add_flag(t, n++, flags[i].name, flags[i].values != NULL, flags[i].id, flags[i].letter);
}

static int keep_row(aimd_flags *f, int i, const char *flag, const char *value)
{
    const aimd_option *row = &aimd__options[i];
    aim_error err = {0};
    if (row->type == AIMD_OPTION_BOOL)
        value = strcmp(row->standard, "true") == 0 ? "false" : "true";
    if (aimd__option_set(row, NULL, value, &err)) {
        fprintf(stderr, "analogd: --%s: %s\n", flag, err.text);
        return -AIMD_EXIT_USAGE;
    }
    f->values[i] = value;
    return 0;
}

/* One flag that only the command line has. */
static int keep_flag(aimd_flags *f, enum flag_id id, const char *value)
{
    switch (id) {
    case FLAG_MODEL:
        f->models[f->n_models++] = value;
        return 0;
    case FLAG_REWARD:
        f->reward_models[f->n_reward_models++] = value;
        return 0;
    case FLAG_CONFIG:
        f->config = value;
        return 0;
    case FLAG_CHECK:
        f->check_config = true;
        return 0;
    case FLAG_HOOKS:
        f->test_hooks = true;
        return 0;
    case FLAG_VERSION:
        puts(PACKAGE_STRING);
        return 1;
    case FLAG_HELP:
        print_help();
        return 1;
    default: /* getopt has told what is wrong */
        fputs("Try 'analogd --help'.\n", stderr);
        return -AIMD_EXIT_USAGE;
    }
}

static int parse_all(int argc, char **argv, const struct getopt_tables *t, aimd_flags *f)
{
    int id, rc = 0;
    optind = 0; /* start anew: tests parse more than once */
    while (rc == 0 && (id = getopt_long(argc, argv, t->shorts, t->longs, NULL)) != -1) {
        if (id > 0 && id < 128 && t->letters[id])
            id = t->letters[id];
        if (id >= FIRST_ROW && id < FIRST_ROW + AIMD_N_OPTIONS)
            rc = keep_row(f, id - FIRST_ROW, t->names[id - FIRST_ROW], optarg);
        else
            rc = keep_flag(f, (enum flag_id)id, optarg);
    }
    if (rc == 0 && optind < argc) {
        fprintf(stderr, "analogd: unexpected argument '%s'\n", argv[optind]);
        return -AIMD_EXIT_USAGE;
    }
    return rc;
}

int aimd__flags_parse(int argc, char **argv, aimd_flags *f)
{
    struct getopt_tables tables;
    fill_tables(&tables);
    size_t most = (size_t)argc + 1;
    *f = (aimd_flags){.models = aim_calloc(most, sizeof *f->models),
                      .reward_models = aim_calloc(most, sizeof *f->reward_models)};
    if (!f->models || !f->reward_models) {
        fputs("analogd: out of memory\n", stderr);
        return -AIMD_EXIT_USAGE;
    }
    return parse_all(argc, argv, &tables, f);
}

void aimd__flags_free(aimd_flags *f)
{
    aim_free(f->models);
    aim_free(f->reward_models);
}

/* ---- over the file ------------------------------------------------------ */

static int apply_row(int i, const char *value, aimd_config *config, aim_error *err)
{
    const aimd_option *row = &aimd__options[i];
    aimd_options *o = config->options;
    if (row->where == AIMD_AT_DAEMON)
        return aimd__option_set(row, o, value, err);
    int rc = aimd__option_set(row, &config->standard, value, err);
    for (size_t m = 0; m < o->n_models && rc == 0; m++)
        rc = aimd__option_set(row, &o->models[m], value, err);
    return rc;
}

static int add_reward_model(aimd_config *config, const char *dir, aim_error *err)
{
    aimd_options *o = config->options;
    int rc = aimd__config_add_model(config, NULL, dir, err);
    return rc ? rc
              : aimd__option_set(aimd__option_find("role"), &o->models[o->n_models - 1], "reward",
                                 err);
}

int aimd__flags_apply(const aimd_flags *f, aimd_config *config, aim_error *err)
{
    int rc = 0;
    for (int i = 0; i < AIMD_N_OPTIONS && rc == 0; i++)
        if (f->values[i])
            rc = apply_row(i, f->values[i], config, err);
    if (f->n_models)
        aimd__config_drop_models(config);
    for (size_t i = 0; i < f->n_models && rc == 0; i++)
        rc = aimd__config_add_model(config, NULL, f->models[i], err);
    for (size_t i = 0; i < f->n_reward_models && rc == 0; i++)
        rc = add_reward_model(config, f->reward_models[i], err);
    config->options->check_config = f->check_config;
    config->options->test_hooks = f->test_hooks;
    return rc;
}
