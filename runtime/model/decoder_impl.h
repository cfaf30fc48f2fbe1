/* SPDX-License-Identifier: Apache-2.0 */
/* decoder_impl.h - what decoder.c loads, workspace.c sizes and forward.c reads. */
#ifndef AIM_MODEL_DECODER_IMPL_H
#define AIM_MODEL_DECODER_IMPL_H

#include "model/decoder.h"
#include "model/weight_rows.h"

/* The linear layers of a block, parts that share an input as one, and the head. */
enum { AIM_QKV, AIM_O, AIM_GATE_UP, AIM_DOWN, AIM_LM_HEAD, AIM_LINEARS };
typedef struct aim_linear_shape {
    int out, in;
} aim_linear_shape;
void aim__linear_shapes(const aim_hf_config *c, aim_linear_shape shapes[AIM_LINEARS]);

typedef struct aim_layer {
    float *attention_norm, *ffn_norm; /* [hidden] */
    aim_linear *qkv;                  /* hidden -> (heads + 2 kv_heads) * head_dim */
    aim_linear *o;                    /* heads * head_dim -> hidden */
    aim_linear *gate_up;              /* hidden -> 2 * ffn */
    aim_linear *down;                 /* ffn -> hidden */
} aim_layer;

struct aim_decoder {
    aim_hf_config config;
    const aim_backend *backend;
    const aim_tensor *embedding_part; /* NULL: random */
    aim_weight_rows embedding;        /* [vocab, hidden] */
    aim_layer *layers;                /* [config.layers] */
    float *final_norm;                /* [hidden] */
    aim_linear *lm_head;              /* hidden -> vocab */
    float *inv_freq;                  /* [head_dim / 2] */
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
    float *cos, *sin; /* [max_rows, head_dim / 2] */
    float *logits;    /* [max_logits, vocab] */
    float *attend;    /* [threads, attend_room] scratch of the attention kernel */
    size_t attend_room;
    void *linear; /* scratch of a linear layer */
    unsigned char *memory;
    size_t bytes;
};

#endif
