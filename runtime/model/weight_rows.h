/* SPDX-License-Identifier: Apache-2.0 */
/* weight_rows.h - the rows of a linear layer as float32, from a checkpoint or
 * made up, and a parallel loop over them for backends to load from. */
#ifndef AIM_MODEL_WEIGHT_ROWS_H
#define AIM_MODEL_WEIGHT_ROWS_H

#include "model/backend.h"

/* A matrix [rows, in]: the parts stacked, each [its rows, in]; or, if parts is
 * NULL, random numbers of mean 0 and standard deviation 1 / sqrt(in), a function
 * of (seed, element) alone. */
typedef struct aim_weight_rows {
    const aim_linear_part *parts;
    int n_parts;
    int rows, in;
    uint64_t seed;
} aim_weight_rows;

/* All rows of a layer. */
aim_weight_rows aim__weight_rows_of(const aim_linear_source *source);
/* Row `row` into out [in]. */
void aim__weight_row(const aim_weight_rows *w, int row, float *out);

/* Called for each row, from any thread; scratch is for this call alone, aligned to
 * 64 bytes. */
typedef void aim_store_row_fn(void *arg, int row, const float *values, void *scratch);

/* Who takes the rows. */
typedef struct aim_row_store {
    aim_store_row_fn *store; /* NULL: rows are only looked at */
    void *arg;
    size_t scratch_bytes;
} aim_row_store;

/* Read all rows on the pool. A NaN or an infinity among them is an error that
 * names the tensor and the row. c->weights_read hears of every few million weights. */
int aim__weight_rows_load(const aim_weight_rows *w, const aim_compute *c,
                          const aim_row_store *store, aim_error *err);

#endif
