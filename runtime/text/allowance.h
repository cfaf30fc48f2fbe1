/* SPDX-License-Identifier: Apache-2.0 */
/* allowance.h - what the way from a text to its ids may take: how much a text
 * grows on it is up to tokenizer.json, which may come from anybody.
 *
 * Threading: each text has its own. */
#ifndef AIM_TEXT_ALLOWANCE_H
#define AIM_TEXT_ALLOWANCE_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct aim__allowance {
    size_t bytes;      /* that may still be written: text in the making and ids */
    uint64_t deadline; /* of aim_now_ns, for patterns */
};

/* Take n bytes of it, before they are written. Errors: AIM_ETOOLARGE if so many
 * are not left, which whoever made the allowance puts into words. */
static inline int aim__allowance_take(struct aim__allowance *a, size_t n)
{
    if (n > a->bytes)
        return AIM_ETOOLARGE;
    a->bytes -= n;
    return AIM_OK;
}

#endif
