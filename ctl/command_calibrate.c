/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/commands.h"

#include "ctl/change.h"
#include "ctl/outcome.h"
#include "ctl/texts.h"

#include <stdint.h>

int actl_calibrate(actl_client *c, const actl_options *o, aim_error *err)
{
    double limit = actl_option_number(o, ACTL_LIMIT, 1e9);
    json_t *texts = actl_texts_read(o->arguments[1], limit < 1e9 ? (size_t)limit : SIZE_MAX, err);
    if (!texts)
        return ACTL_USAGE;
    json_t *body = json_pack("{s:o, s:s*, s:o*}", "texts", texts, "method", o->values[ACTL_METHOD],
                             "value", actl_option_json(o, ACTL_VALUE));
    return actl_change_chip(c, o, o->arguments[0], "/calibrate", body, err);
}
