/* SPDX-License-Identifier: Apache-2.0 */
/* chip.h - a chip as the server tells it, and its routes. */
#ifndef ACTL_CHIP_H
#define ACTL_CHIP_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* Strings belong to the object that was read; what it does not tell is "" or NaN. */
typedef struct actl_chip {
    const char *id, *model, *profile, *state, *input_ranges, *backend;
    const char *error; /* why the last change failed; NULL if it did not */
    int64_t seed, bits;
    double age;       /* seconds */
    double progress;  /* 0 to 1 */
    double out_bound; /* NaN: not told */
    double total_bytes;
    bool persistent; /* the server keeps it over a restart */
} actl_chip;

/* ACTL_UNREACHABLE if a field is of the wrong type: that is no server of ours. */
int actl_chip_read(const json_t *object, actl_chip *chip, aim_error *err);

/* Nothing is being done to it: it serves, or it failed for good. */
bool actl_chip_at_rest(const actl_chip *chip);

/* ACTL_REFUSED, with the reason, if what was last done to the chip failed. */
int actl_chip_check(const actl_chip *chip, aim_error *err);

/* "/v1/chips/ID" and what follows it ("" or "/age"), for the caller to aim_free; NULL
 * if out of memory or ID is empty. */
char *actl_chip_path(const char *id, const char *action, aim_error *err);

#endif
