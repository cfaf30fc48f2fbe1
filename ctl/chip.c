/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/chip.h"

#include "base/buf.h"
#include "base/json.h"
#include "ctl/outcome.h"

#include <ctype.h>
#include <float.h>
#include <math.h>
#include <string.h>

static const char what[] = "a chip of the server";

static int read_strings(const json_t *o, actl_chip *c, aim_error *err)
{
    c->model = c->profile = c->input_ranges = c->backend = "";
    return aim_json_string(o, "id", true, what, &c->id, err) ||
           aim_json_string(o, "state", true, what, &c->state, err) ||
           aim_json_string(o, "model", false, what, &c->model, err) ||
           aim_json_string(o, "profile", false, what, &c->profile, err) ||
           aim_json_string(o, "backend", false, what, &c->backend, err) ||
           aim_json_string(o, "input_ranges", false, what, &c->input_ranges, err) ||
           aim_json_string(o, "error", false, what, &c->error, err);
}

static int read_figures(const json_t *o, actl_chip *c, aim_error *err)
{
    const json_t *memory = json_object_get(o, "memory");
    c->total_bytes = c->out_bound = NAN;
    c->persistent = json_is_true(json_object_get(o, "persistent"));
    return aim_json_int(o, "seed", INT64_MIN, INT64_MAX, false, what, &c->seed, err) ||
           aim_json_int(o, "conductance_bits", 0, 64, false, what, &c->bits, err) ||
           aim_json_number(o, "age", 0, DBL_MAX, false, what, &c->age, err) ||
           aim_json_number(o, "out_bound", 0, DBL_MAX, false, what, &c->out_bound, err) ||
           aim_json_number(o, "progress", 0, 1, false, what, &c->progress, err) ||
           aim_json_number(memory, "total_bytes", 0, DBL_MAX, false, what, &c->total_bytes, err);
}

int actl_chip_read(const json_t *object, actl_chip *chip, aim_error *err)
{
    *chip = (actl_chip){0};
    return read_strings(object, chip, err) || read_figures(object, chip, err) ? ACTL_UNREACHABLE
                                                                              : ACTL_OK;
}

static bool has_failed(const actl_chip *chip)
{
    return strcmp(chip->state, "failed") == 0;
}

bool actl_chip_at_rest(const actl_chip *chip)
{
    return strcmp(chip->state, "ready") == 0 || has_failed(chip);
}

int actl_chip_check(const actl_chip *chip, aim_error *err)
{
    if (!has_failed(chip) && !chip->error)
        return ACTL_OK;
    aim_fail(err, AIM_EINVAL, "chip %.100s: %.400s", chip->id,
             chip->error ? chip->error : "failed, and the server does not say why");
    return ACTL_REFUSED;
}

char *actl_chip_path(const char *id, const char *action, aim_error *err)
{
    aim_buf path = AIM_BUF_INIT;
    if (!*id) {
        aim_fail(err, AIM_EINVAL, "the name of the chip is empty");
        return NULL;
    }
    aim_buf_puts(&path, "/v1/chips/");
    for (; *id; id++)
        aim_buf_printf(&path, isalnum((unsigned char)*id) || strchr("-_.~", *id) ? "%c" : "%%%02X",
                       (unsigned char)*id);
    aim_buf_puts(&path, action);
    char *text = aim_buf_steal(&path, NULL);
    if (!text)
        aim_fail_nomem(err, "request");
    return text;
}
