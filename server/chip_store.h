/* SPDX-License-Identifier: Apache-2.0 */
/* chip_store.h - chips on disk: what they are made from, never their weights. The folder
 * `chips` of state_dir is for those of the API; the folder `configured` has the
 * calibrated ranges of those of the configuration. In both NAME.json is a record
 * (chip_record.h), and NAME.DIGEST.ranges.json the ranges that it names: a record and
 * its ranges change at once, whenever the process ends. Every function does nothing
 * where there is no state_dir. */
#ifndef AIMD_CHIP_STORE_H
#define AIMD_CHIP_STORE_H

#include "server/chip.h"

/* A chip that is to be kept. Borrowed. */
typedef struct aimd_kept_chip {
    const char *id, *base_model;
    int64_t created;
    bool configured;
    double age;              /* as it is told */
    const aimd_model *model; /* a state of it */
} aimd_kept_chip;

/* A chip that was read: to be programmed, unless error says why it cannot be. */
typedef struct aimd_stored_chip {
    struct aimd_stored_chip *next;
    char id[AIMD_CHIP_NAME + 1];
    char *base_model;  /* NULL, as much of the model: the file could not be read */
    aimd_model *model; /* held */
    aim_error error;
} aimd_stored_chip;

/* Set d->chips.folder, make what there is not yet, and keep other daemons out until
 * aimd_chip_store_fini. Loop thread. */
int aimd_chip_store_init(aimd_daemon *d, aim_error *err);
void aimd_chip_store_fini(aimd_daemon *d);
/* Take the ranges kept for a chip of the configuration. What is wrong with them, or does
 * not fit the chip any more, is logged and is c->error; the file is left alone. Loop
 * thread. */
void aimd_chip_store_find_ranges(aimd_daemon *d, aimd_chip *c);

/* The rest: any thread, one at a time. */

int aimd_chip_store_save(const aimd_daemon *d, const aimd_kept_chip *chip, aim_error *err);
/* Forget a chip of the API. AIM_EIO if that cannot be; files that are not there are no
 * error. */
int aimd_chip_store_remove(const aimd_daemon *d, const char *id, aim_error *err);
/* All of the API that are kept, the oldest first. Each name that a file has is taken,
 * whatever is in it. */
aimd_stored_chip *aimd_chip_store_read(aimd_daemon *d);
/* The models too, if the caller has not taken them over. Loop thread, or after it. */
void aimd_stored_chips_free(aimd_stored_chip *list);

#endif
