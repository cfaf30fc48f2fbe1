/* SPDX-License-Identifier: Apache-2.0 */
/* chip_store.h - chips on disk: what they are made from, never their weights. In the
 * folder chips of state_dir, NAME.json describes a chip and NAME.ranges.json has its
 * calibrated input ranges. Every function does nothing where there is no state_dir. */
#ifndef AIMD_CHIP_STORE_H
#define AIMD_CHIP_STORE_H

#include "server/chip.h"

/* What is kept of a chip. Borrowed. */
typedef struct aimd_chip_record {
    const char *id, *base_model;
    int64_t created;
    const aimd_model *model; /* a state of it */
} aimd_chip_record;

/* A chip that was read: to be programmed, unless error says why it cannot be. */
typedef struct aimd_stored_chip {
    struct aimd_stored_chip *next;
    char id[AIMD_CHIP_NAME + 1];
    char *base_model;
    aimd_model *model; /* held */
    aim_error error;
} aimd_stored_chip;

/* Set d->chips.folder and make it if there is none. Loop thread. */
int aimd_chip_store_init(aimd_daemon *d, aim_error *err);
/* The ranges kept for a chip of the configuration. A bad file is logged, and left
 * alone. Loop thread. */
void aimd_chip_store_find_ranges(aimd_daemon *d, aimd_chip *c);

/* The rest: any thread, one at a time. */

/* Keep a chip; of a configured one the ranges alone. */
int aimd_chip_store_save(const aimd_daemon *d, const aimd_chip_record *r, bool configured,
                         aim_error *err);
/* Forget a chip. AIM_EIO if that cannot be; files that are not there are no error. */
int aimd_chip_store_remove(const aimd_daemon *d, const char *id, aim_error *err);
/* All that are kept, by name. Files that are no chip are logged, and left alone. */
aimd_stored_chip *aimd_chip_store_read(aimd_daemon *d);
/* The models too, if the caller has not taken them over. Loop thread, or after it. */
void aimd_stored_chips_free(aimd_stored_chip *list);

#endif
