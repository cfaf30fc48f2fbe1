/* SPDX-License-Identifier: Apache-2.0 */
/* command_program.c - chips come, grow old and go. */
#include "ctl/commands.h"

#include "base/alloc.h"
#include "ctl/change.h"
#include "ctl/chip.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"

int actl_program(actl_client *c, const actl_options *o, aim_error *err)
{
    const char *age = o->values[ACTL_AGE];
    /* What is NULL behind a star is left out. */
    json_t *body = json_pack("{s:s, s:s, s:s*, s:s*, s:o*, s:o*, s:o*}", "model", o->arguments[0],
                             "profile", o->arguments[1], "name", o->values[ACTL_NAME], "backend",
                             o->values[ACTL_BACKEND], "seed", actl_option_json(o, ACTL_SEED),
                             "conductance_bits", actl_option_json(o, ACTL_CONDUCTANCE_BITS),
                             "out_bound", actl_option_json(o, ACTL_OUT_BOUND));
    if (age && json_object_set_new(body, "age", actl_age_json(age)) != 0) {
        json_decref(body);
        body = NULL;
    }
    return actl_change(c, o, "/v1/chips", body, err);
}

int actl_age(actl_client *c, const actl_options *o, aim_error *err)
{
    json_t *body = json_pack("{s:o}", "age", actl_age_json(o->arguments[1]));
    return actl_change_chip(c, o, o->arguments[0], "/age", body, err);
}

int actl_delete(actl_client *c, const actl_options *o, aim_error *err)
{
    json_t *answer = NULL;
    char *path = actl_chip_path(o->arguments[0], "", err);
    if (!path)
        return ACTL_USAGE;
    int rc = actl_call(c, "DELETE", path, NULL, &answer, err);
    if (rc == ACTL_OK && o->values[ACTL_JSON])
        actl_print_json(answer);
    else if (rc == ACTL_OK)
        actl_say("chip %s is deleted", o->arguments[0]);
    json_decref(answer);
    aim_free(path);
    return rc;
}
