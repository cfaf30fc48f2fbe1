/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h - how a linear layer is stored and computed. The decoder cannot
 * tell backends apart; analog tiles will be one more row. */
#ifndef AIM_MODEL_BACKEND_H
#define AIM_MODEL_BACKEND_H

#include "base/error.h"
#include "base/pool.h"
#include "checkpoint/checkpoint.h"
#include "tensor/kernels.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct aim_linear aim_linear; /* each backend has its own struct */

/* What every call may use; owned by the caller. */
typedef struct aim_compute {
    const aim_kernels *kernels;
    aim_pool *pool;
    /* Told, on the thread that loads, that n more weights are read; NULL: nobody asks. */
    void (*weights_read)(void *arg, size_t n);
    void *weights_read_arg;
} aim_compute;

/* One tensor of a linear layer, and what goes with it; NULL: there is none. */
typedef struct aim_linear_part {
    const aim_tensor *weight; /* [its outputs, in] */
    const aim_tensor *bias;   /* [its outputs]; the decoder adds it, in float32 */
    /* [tiles] the range of inputs that the layer's converters were trained with
     * (aihwkit-lightning); backends without converters have no use for it. */
    const aim_tensor *input_range;
} aim_linear_part;

typedef struct aim_backend {
    const char *name; /* "f32", "int8" */
    bool kv_bf16;     /* element of the KV cache it is served with */

    /* Build y = x W^T where W is the parts stacked along the outputs (query,
     * key and value of one layer, say), or, if parts is NULL, random weights
     * keyed by (random_seed, element): for benchmarks. Loads in parallel on the pool.
     * NULL on failure. */
    aim_linear *(*load)(const aim_compute *c, const aim_linear_part *parts, int n_parts, int out,
                        int in, uint64_t random_seed, aim_error *err);
    void (*free)(aim_linear *l);
    /* Bytes of weights one pass over the layer reads. */
    size_t (*bytes)(const aim_linear *l);
    /* Bytes `load` will take, without loading. */
    size_t (*load_bytes)(int out, int in);
    /* Bytes of scratch that a call for a layer of this shape with at most so many
     * rows needs, 64-byte aligned. */
    size_t (*scratch)(int out, int in, int max_rows);
    /* y [rows, out] = x [rows, in] W^T, both contiguous, rows >= 1. A row's
     * result does not depend on the other rows. */
    void (*forward)(const aim_linear *l, const aim_compute *c, const float *x, int rows, float *y,
                    void *scratch);
} aim_backend;

/* NULL-terminated list; the default is first. */
const aim_backend *const *aim_backends(void);
/* NULL with AIM_EUNSUPPORTED and the list of names. */
const aim_backend *aim_backend_find(const char *name, aim_error *err);

#endif
