/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include "base/alloc.h"
#include "ctl/chip.h"
#include "ctl/outcome.h"
#include "ctl/table.h"
#include "ctl/terminal.h"
#include "ctl/words.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

static const actl_column columns[] = {
    {"ID", false},     {"MODEL", false},   {"PROFILE", false}, {"SEED", true},
    {"AGE", true},     {"BACKEND", false}, {"BITS", true},     {"OUT BOUND", true},
    {"RANGES", false}, {"STATE", false},   {"MEMORY", true},
};
enum { N_COLUMNS = sizeof columns / sizeof columns[0] };

static void put_state(actl_table *t, const actl_chip *chip)
{
    if (actl_chip_at_rest(chip))
        actl_table_put(t, "%s", chip->state);
    else
        actl_table_put(t, "%s %d %%", chip->state, (int)(100 * chip->progress));
}

/* The reference evaluator holds conductances as floats, and a profile need not limit
 * its ADCs. */
static void put_precision(actl_table *t, const actl_chip *chip)
{
    actl_table_put(t, "%s", chip->backend);
    if (strcmp(chip->backend, "analog-exact") == 0)
        actl_table_put(t, "-");
    else
        actl_table_put(t, "%" PRId64, chip->bits);
    if (chip->out_bound > 0)
        actl_table_put(t, "%g", chip->out_bound);
    else
        actl_table_put(t, "-");
}

static void put_chip(actl_table *t, const actl_chip *chip)
{
    char words[ACTL_WORDS];
    actl_table_put(t, "%s", chip->id);
    actl_table_put(t, "%s", chip->model);
    actl_table_put(t, "%s", chip->profile);
    actl_table_put(t, "%" PRId64, chip->seed);
    actl_table_put(t, "%s", actl_age_words(chip->age, words));
    put_precision(t, chip);
    actl_table_put(t, "%s", chip->input_ranges);
    put_state(t, chip);
    actl_table_put(t, "%s",
                   isnan(chip->total_bytes) ? "" : actl_bytes_words(chip->total_bytes, words));
}

/* Below the table: why chips failed. */
static void print_failures(const json_t *list)
{
    size_t i;
    const json_t *object;
    actl_chip chip;
    json_array_foreach(list, i, object)
    {
        aim_error failure = {0};
        if (actl_chip_read(object, &chip, &failure) == ACTL_OK)
            actl_chip_check(&chip, &failure);
        if (failure.code)
            actl_say("%s", failure.text);
    }
}

static int print_table(const json_t *list, aim_error *err)
{
    size_t i;
    const json_t *object;
    actl_chip chip;
    actl_table table;
    int rc = ACTL_OK;
    actl_table_init(&table, columns, N_COLUMNS);
    json_array_foreach(list, i, object)
    {
        if ((rc = actl_chip_read(object, &chip, err)) != ACTL_OK)
            break;
        put_chip(&table, &chip);
    }
    actl_table_finish(&table);
    if (rc == ACTL_OK)
        print_failures(list);
    return rc;
}

static int print_chips(const json_t *list, const actl_options *o, aim_error *err)
{
    if (!json_is_array(list)) {
        aim_fail(err, AIM_EFORMAT, "the server's answer holds no list of chips");
        return ACTL_UNREACHABLE;
    }
    if (!o->values[ACTL_JSON])
        return print_table(list, err);
    actl_print_json_list(list);
    return ACTL_OK;
}

static int show_one(actl_client *c, const actl_options *o, aim_error *err)
{
    json_t *chip = NULL;
    char *path = actl_chip_path(o->arguments[0], "", err);
    if (!path)
        return ACTL_USAGE;
    int rc = actl_call(c, "GET", path, NULL, &chip, err);
    json_t *list = rc == ACTL_OK ? json_pack("[O]", chip) : NULL;
    if (rc == ACTL_OK)
        rc = print_chips(list, o, err);
    json_decref(list);
    json_decref(chip);
    aim_free(path);
    return rc;
}

int actl_chips(actl_client *c, const actl_options *o, aim_error *err)
{
    json_t *answer;
    if (o->arguments[0])
        return show_one(c, o, err);
    int rc = actl_call(c, "GET", "/v1/chips", NULL, &answer, err);
    if (rc == ACTL_OK)
        rc = print_chips(json_object_get(answer, "data"), o, err);
    json_decref(answer);
    return rc;
}
