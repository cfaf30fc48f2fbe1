/* SPDX-License-Identifier: Apache-2.0 */
/* params.h - the fields of a request body, checked against params.def: JSON
 * type, range, route. Fields with a shape of their own (prompt, messages, stop,
 * logit_bias, ...) are read by request.c. */
#ifndef AIMD_PARAMS_H
#define AIMD_PARAMS_H

#include "base/buf.h"
#include "base/error.h"
#include "server/chip_settings.h"
#include "server/options.h"

#include <jansson.h>
#include <stdint.h>

/* One bit a route with a body. */
enum aimd_body_route {
    AIMD_COMPLETIONS = 1 << 0,
    AIMD_CHAT = 1 << 1,
    AIMD_TOKENIZE = 1 << 2,
    AIMD_DETOKENIZE = 1 << 3,
    AIMD_APPLY_TEMPLATE = 1 << 4,
    AIMD_CHIP_CREATE = 1 << 5,
    AIMD_CHIP_AGE = 1 << 6,
    AIMD_CHIP_PROBE = 1 << 7,
    AIMD_CHIP_CALIBRATE = 1 << 8,
    AIMD_SCORE = 1 << 9,
    AIMD_POOLING = 1 << 10,
    AIMD_RERANK = 1 << 11,
};

/* Which models they are for: those that answer, and those that score answers. */
enum {
    AIMD_GENERATE_BODIES = AIMD_COMPLETIONS | AIMD_CHAT,
    AIMD_SCORE_BODIES = AIMD_SCORE | AIMD_POOLING | AIMD_RERANK,
};

/* A field that is misspelt there would make another chip than the one meant. */
enum {
    AIMD_CHIP_BODIES = AIMD_CHIP_CREATE | AIMD_CHIP_AGE | AIMD_CHIP_PROBE | AIMD_CHIP_CALIBRATE
};

/* A field that was missing or null and has no fixed default. */
#define AIMD_UNSET INT64_MIN

/* Values of the simple fields. Booleans are 0 or 1, or AIMD_UNSET as are
 * integers; numbers are NaN if unset. */
typedef struct aimd_params {
#define BOOL(member, routes, name, def, help) int64_t member;
#define INT(member, routes, name, lo, hi, def, help) int64_t member;
#define CAPPED(member, routes, name, lo, cap, def, help) int64_t member;
#define NUMBER(member, routes, name, lo, hi, def, help) double member;
#include "server/params.def"
} aimd_params;

/* Parse a request body: one JSON object under the byte budget of base/json.h.
 * The caller frees it (json_decref) on the same thread. Errors: AIM_EINVAL,
 * AIM_ETOOLARGE, AIM_ENOMEM. */
json_t *aimd_body_parse(const char *bytes, size_t len, aim_error *err);

/* Check every field of body against the rows of this route and fill out.
 * Errors carry the field's name as param: AIM_EINVAL for a wrong type or range,
 * AIM_EUNSUPPORTED for what is known but not done here. Names of fields that
 * no row knows go to unknown, separated by ", " and cut short; of AIMD_CHIP_BODIES and
 * with options->strict_params the first one is an error. */
int aimd_params_read(const json_t *body, enum aimd_body_route route, const aimd_options *options,
                     aimd_params *out, aim_buf *unknown, aim_error *err);

/* The parameter table of docs/api.md, in Markdown. */
void aimd_params_write_doc(aim_buf *out);

#endif
