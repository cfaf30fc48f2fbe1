/* SPDX-License-Identifier: Apache-2.0 */
/* matmul_f32.h - y = x W^T in float32 through OpenBLAS, batch-invariant.
 *
 * OpenBLAS picks its inner loops by the shape of a call, so a row's bits can
 * depend on how many rows share it. Here every call has the same shape for a
 * given matrix: a fixed number of rows (short batches are padded with zeros)
 * and fixed blocks of output channels. Whether a row's place inside the tile
 * matters is tested once for each shape when a matrix is prepared; if it does
 * on this CPU, rows go one at a time. */
#ifndef AIM_TENSOR_MATMUL_F32_H
#define AIM_TENSOR_MATMUL_F32_H

#include "base/error.h"
#include "base/pool.h"

#include <stddef.h>

typedef struct aim_matrix_f32 {
    int out, in;
    float *w; /* [out, in], 64-byte aligned, owned */
    int row_tile; /* rows a call, found by aim_matrix_f32_probe */
} aim_matrix_f32;

int aim_matrix_f32_init(aim_matrix_f32 *m, int out, int in, aim_error *err);
void aim_matrix_f32_fini(aim_matrix_f32 *m);
/* Choose row_tile once the weights are in. */
int aim_matrix_f32_probe(aim_matrix_f32 *m, aim_error *err);

/* Floats of scratch a call needs, however many rows it has (padding of x and y). */
size_t aim_matrix_f32_scratch(int out, int in);
/* x [rows, in] stride ldx, y [rows, out] stride ldy, scratch as above. */
void aim_matrix_f32_mul(const aim_matrix_f32 *m, aim_pool *pool, const float *x, size_t ldx,
                        int rows, float *y, size_t ldy, float *scratch);

#endif
