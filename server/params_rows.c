/* SPDX-License-Identifier: Apache-2.0 */
#include "server/params_rows.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

/* The letters and words of params.def. UNSET fits both kinds of defaults: as a
 * number it is written as NaN below. */
enum {
    C = AIMD_COMPLETIONS,
    H = AIMD_CHAT,
    T = AIMD_TOKENIZE,
    D = AIMD_DETOKENIZE,
    A = AIMD_APPLY_TEMPLATE,
    N = AIMD_CHIP_CREATE,
    G = AIMD_CHIP_AGE,
    P = AIMD_CHIP_PROBE,
    L = AIMD_CHIP_CALIBRATE,
    S = AIMD_SCORE,
    O = AIMD_POOLING,
    R = AIMD_RERANK,
};
#define UNSET AIMD_UNSET
#define NUMBER_DEFAULT(v) ((double)(v) == (double)AIMD_UNSET ? (double)NAN : (double)(v))
#define MEMBER(m) .offset = offsetof(aimd_params, m)

const aimd_param aimd__params[] = {
#define BOOL(member, route_set, field, value, text)                                                \
    {.kind = AIMD_PARAM_BOOL,                                                                      \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     MEMBER(member),                                                                               \
     .def = (value),                                                                               \
     .help = text},
#define INT(member, route_set, field, from, to, value, text)                                       \
    {.kind = AIMD_PARAM_INT,                                                                       \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     MEMBER(member),                                                                               \
     .lo = (from),                                                                                 \
     .hi = (to),                                                                                   \
     .def = (value),                                                                               \
     .help = text},
#define CAPPED(member, route_set, field, from, limit, value, text)                                 \
    {.kind = AIMD_PARAM_INT,                                                                       \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     MEMBER(member),                                                                               \
     .lo = (from),                                                                                 \
     .cap_offset = offsetof(aimd_options, limit),                                                  \
     .cap = #limit,                                                                                \
     .def = (value),                                                                               \
     .help = text},
#define NUMBER(member, route_set, field, from, to, value, text)                                    \
    {.kind = AIMD_PARAM_NUMBER,                                                                    \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     MEMBER(member),                                                                               \
     .min = (from),                                                                                \
     .max = (to),                                                                                  \
     .number_def = NUMBER_DEFAULT(value),                                                          \
     .help = text},
#define VALUE(route_set, field, what, value, text)                                                 \
    {.kind = AIMD_PARAM_VALUE,                                                                     \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     .type = what,                                                                                 \
     .def_text = value,                                                                            \
     .help = text},
#define IGNORED(route_set, field, text)                                                            \
    {.kind = AIMD_PARAM_IGNORED, .routes = (route_set), .name = field, .help = text},
#define REFUSED(route_set, field, passing, text)                                                   \
    {.kind = AIMD_PARAM_REFUSED,                                                                   \
     .routes = (route_set),                                                                        \
     .name = field,                                                                                \
     .neutral = passing,                                                                           \
     .help = text},
#include "server/params.def"
};

const size_t aimd__n_params = sizeof aimd__params / sizeof aimd__params[0];
