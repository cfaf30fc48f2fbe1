/* SPDX-License-Identifier: Apache-2.0 */
/* pattern_code.h - a compiled pattern of PCRE2 in memory of base/alloc.h, with the limits
 * of one match. */
#ifndef AIM_TEXT_PATTERN_CODE_H
#define AIM_TEXT_PATTERN_CODE_H

#include "base/error.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

struct aim__pattern_limits {
    uint32_t steps, depth, heap_kib;
};

struct aim__pattern_code {
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *code;
};

/* Why a pattern does not compile, and at which byte. */
struct aim__pattern_fault {
    char reason[128];
    size_t offset;
};

/* Compile into c, all zero before; fini it in any case. AIM_ENOMEM with what in err, or
 * AIM_EFORMAT with *fault and nothing in err. */
int aim__pattern_code_init(struct aim__pattern_code *c, const char *pattern, size_t len,
                           uint32_t options, struct aim__pattern_limits limits, const char *what,
                           struct aim__pattern_fault *fault, aim_error *err);
void aim__pattern_code_fini(struct aim__pattern_code *c);

#endif
