/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_impl.h - what decoder.c loads, workspace.c sizes and forward.c reads. */
#ifndef AIM_MODEL_DECODER_IMPL_H
#define AIM_MODEL_DECODER_IMPL_H

#include "model/decoder.h"
#include "model/score_head.h"
#include "model/weight_rows.h"

/* The linear layers of a block, parts that share an input as one, and lm_head. */
enum { AIM_QKV, AIM_O, AIM_GATE_UP, AIM_DOWN, AIM_LM_HEAD, AIM_LINEARS };
/* How many of them there are, which stand first: with a reward head there is no lm_head. */
int aim__linears(const aim_hf_config *c);
void aim__linear_shapes(const aim_hf_config *c, aim_linear_shape shapes[AIM_LINEARS]);
/* The number (analog/chip.h) of its first part. */
int aim__linear_number(const aim_hf_config *c, int linear, int block);
/* What computes it: `backend`, or int8 if that computes on tiles and this layer is not
 * on them. */
const aim_backend *aim__linear_backend(const aim_backend *backend, const aim_chip *chip,
                                       int linear);

/* A linear layer in its backend, and what is kept beside it. */
typedef struct aim_projection {
    const aim_backend *backend; /* NULL: not loaded */
    aim_linear *linear;
    aim_linear_source source; /* its parts are those below, or NULL */
    aim_linear_part parts[AIM_MAX_PARTS];
    float *bias;   /* [out], and room for kernels to read behind it; NULL: none */
    int n_trained; /* parts with input ranges: trained for analog hardware */
} aim_projection;

/* Load from the source; without a bias if the weights are random. false on failure;
 * free either way. */
bool aim__projection_load(aim_projection *p, const aim_backend *backend, const aim_compute *compute,
                          const aim_linear_source *source, aim_error *err);
void aim__projection_free(aim_projection *p);
/* Tensor t as n floats (aim_free), every one of them finite; n is its size. */
float *aim__load_vector(const aim_tensor *t, int n, aim_error *err);

typedef struct aim_layer {
    float *attention_norm, *ffn_norm; /* [hidden] */
    float *q_norm, *k_norm;           /* [head_dim]; NULL: none */
    aim_projection qkv;               /* hidden -> (heads + 2 kv_heads) * head_dim */
    aim_projection o;                 /* heads * head_dim -> hidden */
    aim_projection gate_up;           /* hidden -> 2 * ffn */
    aim_projection down;              /* ffn -> hidden */
    int window;                       /* positions a query sees; 0: all */
} aim_layer;

struct aim_decoder {
    aim_hf_config config;
    const aim_backend *backend;
    aim_chip *chip;                 /* owned, its ranges too; NULL: digital */
    aim_linear_part embedding_part; /* weight NULL: random */
    aim_weight_rows embedding;      /* [vocab, hidden] */
    aim_layer *layers;              /* [config.layers] */
    float *final_norm;              /* [hidden] */
    aim_projection lm_head;         /* hidden -> vocab; not loaded with a reward head */
    aim__score_head score;          /* of a reward model, else without layers */
    float *inv_freq[2];             /* [rope.dim / 2] of short and of long sequences */
};

/* All linear layers: those of each block in the order of the enum above, and lm_head if
 * there is one. */
int aim__decoder_projections(const aim_decoder *d);
const aim_projection *aim__decoder_projection(const aim_decoder *d, int index);

/* Copy the chip (NULL: none) into d. false when out of memory; free either way. */
bool aim__decoder_take_chip(aim_decoder *d, const aim_chip *chip);
void aim__decoder_free_chip(aim_decoder *d);

/* Activations of one step; all in one piece of memory. */
struct aim_workspace {
    int max_rows, max_logits;
    float *x;         /* [max_rows, hidden] the residual stream */
    float *h;         /* [max_rows, max(hidden, heads * head_dim)] input of a linear layer */
    float *y;         /* [max_rows, hidden] what is added to x */
    float *qkv;       /* [max_rows, (heads + 2 kv_heads) * head_dim] */
    float *gate_up;   /* [max_rows, 2 * ffn] */
    float *act;       /* [max_rows, ffn] */
    float *cos, *sin; /* [max_rows, rope.dim / 2] */
    float *logits;    /* [max_logits, outputs] */
    float *score;     /* [max_logits, hidden] between two layers of a reward head */
    aim_row_noise *logit_noise; /* [max_logits] */
    float *attend;              /* [threads, attend_room] scratch of the attention kernel */
    size_t attend_room;
    void *attend_plan; /* [max_rows] of AIM__ATTENTION_PLAN_BYTES */
    void *linear;      /* scratch of a linear layer */
    unsigned char *memory;
    size_t bytes;
};

#endif
