/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_impl.h - what decoder.c loads, workspace.c sizes and forward.c reads. */
#ifndef AIM_MODEL_DECODER_IMPL_H
#define AIM_MODEL_DECODER_IMPL_H

#include "model/decoder.h"
#include "model/weight_rows.h"

enum { AIM_MAX_PARTS = 3 }; /* tensors of one linear layer: query, key, value */

/* The linear layers of a block, parts that share an input as one, and the head. */
enum { AIM_QKV, AIM_O, AIM_GATE_UP, AIM_DOWN, AIM_LM_HEAD, AIM_LINEARS };
typedef struct aim_linear_shape {
    int out, in;
} aim_linear_shape;
void aim__linear_shapes(const aim_hf_config *c, aim_linear_shape shapes[AIM_LINEARS]);

/* Input ranges that a part of a linear layer was trained with. */
typedef struct aim_input_ranges {
    int n;         /* tiles; 0: not trained for analog */
    float *values; /* [n], finite, >= 0 */
} aim_input_ranges;

/* A linear layer in its backend, and what is kept beside it. */
typedef struct aim_projection {
    aim_linear *linear;
    float *bias; /* [out]; NULL: none */
    aim_input_ranges ranges[AIM_MAX_PARTS];
} aim_projection;

/* Load from n_parts consecutive parts, stacked; random without a bias if parts is
 * NULL. false on failure; free either way. */
bool aim__projection_load(aim_projection *p, const aim_backend *backend, const aim_compute *compute,
                          const aim_linear_part *parts, int n_parts, aim_linear_shape shape,
                          uint64_t random_seed, aim_error *err);
void aim__projection_free(aim_projection *p, const aim_backend *backend);
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
    aim_linear_part embedding_part; /* weight NULL: random */
    aim_weight_rows embedding;      /* [vocab, hidden] */
    aim_layer *layers;              /* [config.layers] */
    float *final_norm;              /* [hidden] */
    aim_projection lm_head;         /* hidden -> vocab */
    float *inv_freq[2];             /* [rope.dim / 2] of short and of long sequences */
};

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
    float *logits;    /* [max_logits, vocab] */
    float *attend;    /* [threads, attend_room] scratch of the attention kernel */
    size_t attend_room;
    void *linear; /* scratch of a linear layer */
    unsigned char *memory;
    size_t bytes;
};

#endif
