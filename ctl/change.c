/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/change.h"

#include "base/alloc.h"
#include "ctl/chip.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"
#include "ctl/wait.h"
#include "ctl/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_chip(const actl_chip *chip)
{
    char age[ACTL_WORDS];
    if (strcmp(chip->state, "ready") == 0)
        actl_say("chip %s is ready: profile %s, seed %lld, age %s, served as %s", chip->id,
                 chip->profile, (long long)chip->seed, actl_age_words(chip->age, age), chip->model);
    else
        actl_say("chip %s: %s; 'analogctl chips %s' tells more", chip->id, chip->state, chip->id);
}

/* It was to be kept, and could not be. */
static void warn_if_lost(bool was_persistent, const actl_chip *chip)
{
    char text[300];
    if (!was_persistent || chip->persistent)
        return;
    snprintf(text, sizeof text,
             "chip %.100s could not be saved: the server forgets this when it stops; its log says "
             "why",
             chip->id);
    actl_complain(text);
}

static int report(const json_t *object, bool was_persistent, const actl_options *o, aim_error *err)
{
    actl_chip chip;
    int rc = actl_chip_read(object, &chip, err);
    if (rc != ACTL_OK)
        return rc;
    rc = actl_chip_check(&chip, err);
    if (o->values[ACTL_JSON])
        actl_print_json(object);
    else if (rc == ACTL_OK)
        print_chip(&chip);
    warn_if_lost(was_persistent, &chip);
    return rc;
}

static int wait(actl_client *c, const actl_options *o, json_t **chip, aim_error *err)
{
    int rc = actl_wait(c, chip, !o->values[ACTL_JSON], err);
    if (rc == ACTL_INTERRUPTED)
        aim_fail(err, AIM_ECANCELED, "no longer waiting; the server goes on with the chip");
    return rc;
}

int actl_change(actl_client *c, const actl_options *o, const char *path, json_t *body,
                aim_error *err)
{
    json_t *chip = NULL;
    if (!body) {
        aim_fail(err, AIM_EINVAL, "an argument is not UTF-8");
        return ACTL_USAGE;
    }
    int rc = actl_call(c, "POST", path, body, &chip, err);
    json_decref(body);
    bool was_persistent = json_is_true(json_object_get(chip, "persistent"));
    if (rc == ACTL_OK && !o->values[ACTL_NO_WAIT])
        rc = wait(c, o, &chip, err);
    if (rc == ACTL_OK)
        rc = report(chip, was_persistent, o, err);
    json_decref(chip);
    return rc;
}

int actl_change_chip(actl_client *c, const actl_options *o, const char *id, const char *action,
                     json_t *body, aim_error *err)
{
    char *path = actl_chip_path(id, action, err);
    if (!path) {
        json_decref(body);
        return ACTL_USAGE;
    }
    int rc = actl_change(c, o, path, body, err);
    aim_free(path);
    return rc;
}

json_t *actl_age_json(const char *age)
{
    size_t digits = strspn(age, "0123456789");
    bool is_seconds = digits > 0 && digits < 18 && !age[digits];
    return is_seconds ? json_integer(strtoll(age, NULL, 10)) : json_string(age);
}
