/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include "ctl/change.h"
#include "ctl/outcome.h"
#include "ctl/texts.h"

#include <stdint.h>
#include <string.h>

enum { MAX_TEXTS = 4096 }; /* that a server takes */

static int check_count(const json_t *texts, const char *path, aim_error *err)
{
    size_t n = json_array_size(texts);
    if (n <= MAX_TEXTS)
        return 0;
    return aim_fail(err, AIM_ETOOLARGE, "%s holds %zu texts, and a server takes %d: give --limit",
                    path, n, MAX_TEXTS);
}

/* The caller's list; NULL on failure. */
static json_t *read_texts(const actl_options *o, aim_error *err)
{
    double limit = actl_option_number(o, ACTL_LIMIT, 1e9);
    const char *path = o->arguments[1];
    if (!path) {
        aim_fail(err, AIM_EINVAL, "calibrate takes: CHIP FILE");
        return NULL;
    }
    json_t *texts = actl_texts_read(path, limit < 1e9 ? (size_t)limit : SIZE_MAX, err);
    if (texts && check_count(texts, path, err)) {
        json_decref(texts);
        return NULL;
    }
    return texts;
}

int actl_calibrate(actl_client *c, const actl_options *o, aim_error *err)
{
    const char *method = o->values[ACTL_METHOD];
    bool undo = !o->arguments[1] && method && strcmp(method, "none") == 0;
    json_t *texts = undo ? NULL : read_texts(o, err);
    if (!texts && !undo)
        return ACTL_USAGE;
    json_t *body = json_pack("{s:o*, s:s*, s:o*}", "texts", texts, "method", method, "value",
                             actl_option_json(o, ACTL_VALUE));
    return actl_change_chip(c, o, o->arguments[0], "/calibrate", body, err);
}
