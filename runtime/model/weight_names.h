/* SPDX-License-Identifier: Apache-2.0 */
/* weight_names.h - which tensors a checkpoint of each family holds, under the
 * names and in the shapes of Hugging Face. */
#ifndef AIM_MODEL_WEIGHT_NAMES_H
#define AIM_MODEL_WEIGHT_NAMES_H

#include "checkpoint/hf_config.h"
#include "model/score_head.h"

/* The weights of one layer. Parts of one linear layer stand together, and behind
 * them the tensor that holds all of them where a family stores it so. */
enum {
    AIM_W_ATTENTION_NORM,
    AIM_W_Q,
    AIM_W_K,
    AIM_W_V,
    AIM_W_QKV,
    AIM_W_Q_NORM,
    AIM_W_K_NORM,
    AIM_W_O,
    AIM_W_FFN_NORM,
    AIM_W_GATE,
    AIM_W_UP,
    AIM_W_GATE_UP,
    AIM_W_DOWN,
    AIM_W_PER_LAYER,
};

/* A norm is a part without bias and input range. What the configuration does not
 * have has weight NULL. */
typedef struct aim_decoder_weights {
    aim_linear_part embedding;                  /* [vocab, hidden] */
    aim_linear_part final_norm;                 /* [hidden] */
    aim_linear_part lm_head;                    /* [vocab, hidden]; the embedding's if tied */
    aim_linear_part score[AIM_SCORE_LAYERS];    /* of a reward head, which has no lm_head */
    aim_linear_part (*layers)[AIM_W_PER_LAYER]; /* owned; the tensors are not */
} aim_decoder_weights;

/* Find every tensor. A missing one, one of another shape or dtype, and one the
 * model has no use for are errors that name it. On success release with fini. */
int aim__decoder_weights_find(const aim_hf_config *config, const aim_checkpoint *c,
                              aim_decoder_weights *out, aim_error *err);
void aim__decoder_weights_fini(aim_decoder_weights *w);

#endif
