/* SPDX-License-Identifier: Apache-2.0 */
/* params_rows.h - params.def as a table, for params.c and params_doc.c. */
#ifndef AIMD_PARAMS_ROWS_H
#define AIMD_PARAMS_ROWS_H

#include "server/params.h"

enum aimd_param_kind {
    AIMD_PARAM_BOOL,
    AIMD_PARAM_INT,
    AIMD_PARAM_NUMBER,
    AIMD_PARAM_VALUE,
    AIMD_PARAM_IGNORED,
    AIMD_PARAM_REFUSED,
};

typedef struct aimd_param {
    enum aimd_param_kind kind;
    unsigned routes; /* bits of enum aimd_body_route */
    const char *name;
    size_t offset;               /* of the member of aimd_params */
    int64_t lo, hi;              /* INT; hi is unused if there is a cap */
    double min, max;             /* NUMBER */
    size_t cap_offset;           /* of the int in aimd_options that holds hi ... */
    const char *cap;             /* ... and its name, or NULL */
    int64_t def;                 /* BOOL, INT */
    double number_def;           /* NUMBER */
    const char *type, *def_text; /* VALUE */
    const char *neutral;         /* REFUSED: a JSON array */
    const char *help;
} aimd_param;

extern const aimd_param aimd__params[];
extern const size_t aimd__n_params;

#endif
