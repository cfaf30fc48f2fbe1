/* SPDX-License-Identifier: Apache-2.0 */
/* weight_names.h - which tensors a checkpoint of the Llama family holds, under
 * the names and in the shapes of Hugging Face. */
#ifndef AIM_MODEL_WEIGHT_NAMES_H
#define AIM_MODEL_WEIGHT_NAMES_H

#include "checkpoint/checkpoint.h"
#include "checkpoint/hf_config.h"

/* The weights of one layer; parts of one linear layer stand together. */
enum {
    AIM_W_ATTENTION_NORM, /* [hidden] */
    AIM_W_Q,              /* [heads * head_dim, hidden] */
    AIM_W_K,              /* [kv_heads * head_dim, hidden] */
    AIM_W_V,              /* [kv_heads * head_dim, hidden] */
    AIM_W_O,              /* [hidden, heads * head_dim] */
    AIM_W_FFN_NORM,       /* [hidden] */
    AIM_W_GATE,           /* [ffn, hidden] */
    AIM_W_UP,             /* [ffn, hidden] */
    AIM_W_DOWN,           /* [hidden, ffn] */
    AIM_W_PER_LAYER,
};

typedef struct aim_llama_weights {
    const aim_tensor *embedding;                  /* [vocab, hidden] */
    const aim_tensor *final_norm;                 /* [hidden] */
    const aim_tensor *lm_head;                    /* [vocab, hidden]; the embedding if tied */
    const aim_tensor *(*layers)[AIM_W_PER_LAYER]; /* owned; the tensors are not */
} aim_llama_weights;

/* Find every tensor. A missing one, one of another shape or dtype, and one the
 * model has no use for are errors that name it. On success release with fini. */
int aim__llama_weights_find(const aim_hf_config *config, const aim_checkpoint *c,
                            aim_llama_weights *out, aim_error *err);
void aim__llama_weights_fini(aim_llama_weights *w);

#endif
