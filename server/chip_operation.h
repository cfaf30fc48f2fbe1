/* SPDX-License-Identifier: Apache-2.0 */
/* chip_operation.h - what is done to a chip in the background, from the making of a
 * state to the moment it is served. */
#ifndef AIMD_CHIP_OPERATION_H
#define AIMD_CHIP_OPERATION_H

#include "server/chip.h"

struct aimd_chip_operation {
    aimd_lane_task task;                        /* first: the two share an address */
    struct aimd_chip_operation *next_operation; /* in aimd_chips.operations */
    aimd_daemon *daemon;
    aimd_chip *chip;            /* NULL: it was deleted meanwhile */
    aimd_model *coming;         /* the new state; held */
    bool first;                 /* ... which stands in the model table already */
    const char *name;           /* "program", "age" or "calibrate" */
    double age;                 /* of it */
    bool alike;                 /* it is what is served already, but for the age that is told */
    enum aimd_chip_state state; /* of the chip once it is its turn */
    uint64_t start_ns;
    atomic_bool cancelled;
    aim_error error;
    /* What is saved: */
    char id[AIMD_CHIP_NAME + 1];
    char *base_model;
    int64_t created;
    bool configured;
    /* Calibration: */
    aimd_model *measured; /* the state whose inputs are measured; held; NULL: none */
    aimd_token_texts texts;
    aim_calibration calibration;
    _Atomic double measure_progress;
};

/* The chip is gone: end early, or at once if it is not its turn yet, and drop what was
 * made. */
void aimd__chip_operation_abandon(aimd_chip_operation *o);
double aimd__chip_operation_progress(const aimd_chip_operation *o);

#endif
