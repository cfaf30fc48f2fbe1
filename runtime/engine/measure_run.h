/* SPDX-License-Identifier: Apache-2.0 */
/* measure_run.h - the run behind a measurement: token lists through a decoder, in
 * chunks, with an observer of its linear layers. */
#ifndef AIM_ENGINE_MEASURE_RUN_H
#define AIM_ENGINE_MEASURE_RUN_H

#include "engine/measure.h"

/* Who looks. Both are called on the thread that runs the measurement; a code other
 * than AIM_OK, with the reason in err, ends it. */
typedef struct aim_measure_observer {
    /* A linear layer was computed for some rows of a text; in lm_head every row is.
     * compute: free for use meanwhile. */
    int (*layer)(void *arg, const aim_linear_view *view, const aim_compute *compute,
                 aim_error *err);
    void (*text_end)(void *arg); /* all rows of a text were seen; may be NULL */
    void *arg;
    size_t bytes; /* of memory that the observer takes, to be counted with the rest */
} aim_measure_observer;

/* Threads of the pool that a measurement runs on. */
int aim__measure_threads(const aim_measure_options *options);

/* Run the texts one after the other, each from position 0 and at most as
 * long as the engine's context. Errors: AIM_EINVAL (no text, an empty one, a token outside
 * the vocabulary), AIM_ENOMEM, AIM_ECANCELED, the observer's. */
int aim__measure_run(const aim_model *m, const aim_token_list *texts, size_t n_texts,
                     const aim_measure_options *options, const aim_measure_observer *observer,
                     aim_error *err);

#endif
