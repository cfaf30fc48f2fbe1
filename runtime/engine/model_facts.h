/* SPDX-License-Identifier: Apache-2.0 */
/* model_facts.h - what a loaded model is, in words and figures for people. */
#ifndef AIM_ENGINE_MODEL_FACTS_H
#define AIM_ENGINE_MODEL_FACTS_H

#include "engine/served_model.h"

/* Strings are borrowed from the model or constant. */
typedef struct aim_model_facts {
    const char *architecture; /* as config.json names it */
    size_t parameters;        /* embedding, linear layers, norms, biases; tied ones once */
    const char *checkpoint;   /* "safetensors", "torch" or "random" */
    size_t checkpoint_bytes;
    bool tied_head;            /* the head shares the embedding table */
    const char *rope;          /* "default", "linear", "llama3", "longrope" */
    int learned_ranges;        /* linear layers trained with input ranges, for analog hardware */
    const aim_chip *chip;      /* that the weights are programmed on; NULL: digital */
    const char *input_ranges;  /* of its tiles, as aim_decoder_range_source has it */
    int missing_ranges;        /* layers with dynamic ranges for want of fixed ones */
    const char *chat_template; /* the name of the one in effect, "unknown" or "none" */
} aim_model_facts;

aim_model_facts aim_model_describe(const aim_model *m);

#endif
