/* SPDX-License-Identifier: Apache-2.0 */
/* backend.h - how a linear layer is stored and computed: digitally, or on the tiles
 * of a chip. */
#ifndef AIM_MODEL_BACKEND_H
#define AIM_MODEL_BACKEND_H

#include "analog/chip.h"
#include "base/error.h"
#include "base/pool.h"
#include "checkpoint/checkpoint.h"
#include "tensor/kernels.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct aim_linear aim_linear; /* each backend has its own struct */
typedef struct aim_backend aim_backend;

enum { AIM_MAX_PARTS = 3 }; /* tensors of one linear layer: query, key, value */

/* y = x W^T, where W is the tensors of the parts, which share their inputs, stacked
 * along the outputs. */
typedef struct aim_linear_shape {
    int out, in;
    int n_parts, part_out[AIM_MAX_PARTS]; /* their sum is out */
} aim_linear_shape;

/* One tensor of a linear layer, and what goes with it; NULL: there is none. */
typedef struct aim_linear_part {
    const aim_tensor *weight; /* [its outputs, in] */
    const aim_tensor *bias;   /* [its outputs]; the decoder adds it, in float32 */
    /* [tiles] the range of inputs that the layer's converters were trained with
     * (aihwkit-lightning); backends without converters have no use for it. */
    const aim_tensor *input_range;
} aim_linear_part;

/* What a linear layer is made from. */
typedef struct aim_linear_source {
    aim_linear_shape shape;
    /* [shape.n_parts]; NULL: random weights keyed by (random_seed, element), for
     * benchmarks. */
    const aim_linear_part *parts;
    uint64_t random_seed;
    int layer;            /* number of the first part (analog/chip.h); part i has layer + i */
    const aim_chip *chip; /* must outlive the layer; NULL: for backends off the tiles */
} aim_linear_source;

/* One call of a linear layer, as an observer sees it. Borrowed for its call. */
typedef struct aim_linear_view {
    const aim_backend *backend; /* of this layer: those off the tiles have another one */
    const aim_linear *linear;
    const aim_linear_shape *shape;
    const aim_linear_part *parts; /* [shape->n_parts], NULL: random weights */
    int layer;                    /* number of the first part */
    int rows;
    const float *x;             /* [rows, in] */
    const float *y;             /* [rows, out], the bias not added yet */
    const aim_row_noise *noise; /* [rows] or NULL */
} aim_linear_view;

/* What every call may use; owned by the caller. */
typedef struct aim_compute {
    const aim_kernels *kernels;
    aim_pool *pool;
    /* Told, on the thread that loads, that n more weights are read; NULL: nobody asks. */
    void (*weights_read)(void *arg, size_t n);
    void *weights_read_arg;
    /* Looked at between the layers of a load, which then fails with AIM_ECANCELED; NULL:
     * never set. */
    const atomic_bool *cancelled;
    /* Told after each linear layer, on the thread that calls forward; NULL: nobody asks. */
    void (*observe)(void *arg, const aim_linear_view *view);
    void *observe_arg;
} aim_compute;

/* ---- layers on tiles ------------------------------------------------------------ */

enum aim_range_source {
    AIM_RANGES_NONE, /* inputs are not limited */
    AIM_RANGES_DYNAMIC,
    AIM_RANGES_LEARNED,
    AIM_RANGES_CALIBRATED,
};

/* How a part of a linear layer stands on tiles. */
typedef struct aim_tiling {
    int tiles;
    enum aim_range_source source;
    bool fallback;       /* dynamic, although the profile wants fixed ranges: there are none */
    const float *ranges; /* [tiles], of learned and calibrated ones; else NULL */
} aim_tiling;

/* How often converters were at the end of their range. */
typedef struct aim_converter_counts {
    uint64_t inputs, limited;     /* of the DACs: those beyond the range */
    uint64_t readings, saturated; /* of the ADCs: those beyond the full scale */
} aim_converter_counts;

/* ---- the table ------------------------------------------------------------------ */

struct aim_backend {
    const char *name; /* "int8", "int4", "f32", "analog", "analog-exact" */
    bool kv_bf16;     /* element of the KV cache it is served with */
    bool on_tiles;    /* computes the layers that the profile of a chip puts on tiles */
    bool analog;      /* and programs them: the chip has a seed, an age and a cost */

    /* Build a layer. Loads in parallel on the pool. NULL on failure. */
    aim_linear *(*load)(const aim_compute *c, const aim_linear_source *source, aim_error *err);
    void (*free)(aim_linear *l);
    /* Bytes of weights one pass over the layer reads. */
    size_t (*bytes)(const aim_linear *l);
    /* Bytes `load` will take, without loading. */
    size_t (*load_bytes)(const aim_chip *chip, const aim_linear_shape *shape);
    /* Bytes of scratch that a product of a layer of this shape and at most so many
     * rows needs on a pool of so many threads, 64-byte aligned. */
    size_t (*scratch)(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                      int threads);
    /* A product is one call of multiply and before it, unless convert_row is NULL, one of
     * that for each of its rows, in any order and on any threads. It leaves in scratch
     * what multiply then reads in place of the row's inputs x [in], such as codes. rows:
     * of the product, which the layout of scratch depends on. */
    void (*convert_row)(const aim_linear *l, const aim_compute *c, const float *x, int row,
                        int rows, void *scratch);
    /* x [rows, in] W^T, contiguous, rows >= 1, to `out`, whose flag `first` is set. A
     * row's result does not depend on the other rows. With a residual y is room for
     * [rows, out] sums that nobody reads afterwards. noise [rows]: whose read noise a row gets;
     * NULL: there is none. */
    void (*multiply)(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                     const aim_row_noise *noise, const aim_output *out, void *scratch);

    /* Of backends on tiles alone, else NULL: */
    aim_tiling (*tiling)(const aim_linear *l, int part);
    /* Counts of what forward's converters do with these rows, part by part: counts
     * [n_parts]. Slow, and allocates: AIM_ENOMEM. */
    int (*count_limits)(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                        const aim_row_noise *noise, aim_converter_counts *counts, aim_error *err);
};

/* NULL-terminated list; the default is first. */
const aim_backend *const *aim_backends(void);
/* NULL with AIM_EUNSUPPORTED and the list of names. */
const aim_backend *aim_backend_find(const char *name, aim_error *err);
/* What a model stands on: `chip`, or aim_digital_chip if it is NULL and the tiles are
 * digital. NULL: nothing, off the tiles, or a chip is missing. */
const aim_chip *aim_backend_chip(const aim_backend *backend, const aim_chip *chip);

#endif
