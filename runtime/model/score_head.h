/* SPDX-License-Identifier: Apache-2.0 */
/* score_head.h - the heads of reward models: one or two small layers on the normalised
 * last hidden state, in place of lm_head.
 *
 * They are digital and in float32 whatever the backend is, on a chip too: a score is one
 * number, which rounding would move, and there are few rows to compute. */
#ifndef AIM_MODEL_SCORE_HEAD_H
#define AIM_MODEL_SCORE_HEAD_H

#include "checkpoint/hf_config.h"
#include "model/backend.h"

enum { AIM_SCORE_LAYERS = 2 }; /* at most */

/* Its layers, the first on hidden states, with a ReLU between two. n: 0 with lm_head. */
typedef struct aim__score_head {
    int n;
    struct aim__score_layer {
        int out, in;
        float *weight; /* [out, in] */
        float *bias;   /* [out]; NULL: none */
    } layers[AIM_SCORE_LAYERS];
} aim__score_head;

/* Of the head that a configuration describes; all 0 with lm_head. */
int aim__score_head_layers(const aim_hf_config *c);
size_t aim__score_head_weights(const aim_hf_config *c);
size_t aim__score_head_biases(const aim_hf_config *c);
/* Layer i of the head: [out, in]. */
void aim__score_head_shape(const aim_hf_config *c, int i, int *out, int *in);

/* Load from the tensors of its layers; NULL: random weights keyed by (seed, element),
 * without bias. false on failure; free either way. */
bool aim__score_head_load(aim__score_head *h, const aim_hf_config *config,
                          const aim_linear_part *parts, uint64_t seed, const aim_compute *c,
                          aim_error *err);
void aim__score_head_free(aim__score_head *h);

/* out [rows, outputs] of the hidden states x [rows, hidden]. between: room for [rows,
 * hidden] if there are two layers. Each number is one product of aim_kernels.dot, so it
 * depends on its row alone. */
void aim__score_head_run(const aim__score_head *h, const aim_compute *c, const float *x, int rows,
                         float *between, float *out);

#endif
