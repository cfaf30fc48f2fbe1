/* SPDX-License-Identifier: Apache-2.0 */
/* chip_body.h - what the bodies of the chip routes ask for. Worker threads. */
#ifndef AIMD_CHIP_BODY_H
#define AIMD_CHIP_BODY_H

#include "server/chip.h"
#include "server/offload.h"

enum {
    AIMD_MAX_TEXTS = 4096,         /* of a calibration */
    AIMD_MAX_TEXT_TOKENS = 1 << 20 /* of all its texts */
};

/* A new chip of a configured model. Errors carry param. */
typedef struct aimd_new_chip {
    char name[AIMD_CHIP_NAME + 1];
    const aimd_model_options *base;
    aimd_model *model; /* planned; the caller's */
} aimd_new_chip;
int aimd_read_new_chip(aimd_offload *o, const aimd_body *b, aimd_new_chip *out, aim_error *err);

/* The field "age", in seconds; required. */
int aimd_read_age(const aimd_body *b, double *age, aim_error *err);
/* A calibration that is asked for. */
typedef struct aimd_asked_calibration {
    bool none; /* the method "none": there shall be no calibrated ranges; no texts */
    aim_calibration how;
    aimd_token_texts texts;
} aimd_asked_calibration;
/* texts are in tokens of the model b->scope is of. */
int aimd_read_calibration(const aimd_body *b, aimd_asked_calibration *out, aim_error *err);

#endif
