/* SPDX-License-Identifier: Apache-2.0 */
/* measure.h - token lists run through a loaded model, beside its engine, to look at
 * the layers: what probe.h and calibrate.h have in common.
 *
 * A measurement has a pool, a workspace and a KV cache of its own, so any thread may
 * make one while the engine answers requests, and answers do not change; both get
 * their share of the CPUs. The model must not be closed meanwhile. */
#ifndef AIM_ENGINE_MEASURE_H
#define AIM_ENGINE_MEASURE_H

#include "engine/served_model.h"

#include <stdatomic.h>

/* How to do it. */
typedef struct aim_measure_options {
    int threads;                  /* the calling one counts; 0: CPUs */
    const atomic_bool *cancelled; /* looked at between layers; NULL: never set */
    aim_progress_fn *progress;    /* told the share done, 0..1; may be NULL */
    void *progress_arg;
} aim_measure_options;

/* Tokens of one text, borrowed. */
typedef struct aim_token_list {
    const int32_t *tokens;
    int n;
} aim_token_list;

#endif
