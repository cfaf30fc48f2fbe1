/* SPDX-License-Identifier: Apache-2.0 */
/* attention.h - attention of all rows of a batch over the paged cache, cut into
 * tasks of the pool. */
#ifndef AIM_MODEL_ATTENTION_H
#define AIM_MODEL_ATTENTION_H

#include "model/decoder.h"

/* One layer's attention. Row r attends to the positions [0, position[r]] of its
 * sequence, or the last `window` of them if that is above 0. */
typedef struct aim_attention_call {
    const aim_attention *geometry;
    const aim_compute *compute;
    const aim_batch *batch;
    int window;
    const float *q; /* [rows] of [heads, head_dim], ldq floats apart */
    size_t ldq;
    float *out; /* [rows] of [heads, head_dim], ldout floats apart */
    size_t ldout;
    void *plan;     /* scratch: [rows] of AIM__ATTENTION_PLAN_BYTES, aligned for any type */
    float *scratch; /* [threads, scratch_room] */
    size_t scratch_room;
} aim_attention_call;

enum { AIM__ATTENTION_PLAN_BYTES = 48 };

/* Floats of scratch that a thread needs for sequences of so many positions. */
size_t aim__attention_room(int heads, int kv_heads, int head_dim, int max_positions);

void aim__attention(const aim_attention_call *call);

#endif
