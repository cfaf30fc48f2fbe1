/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_rows.h - what the files of this folder share: the rows of the
 * dispatch table and the integer kernels they name. */
#ifndef AIM_TENSOR_KERNEL_ROWS_H
#define AIM_TENSOR_KERNEL_ROWS_H

#include "tensor/kernels.h"

extern const aim_kernels aim__kernels_portable;
extern const aim_kernels aim__kernels_avx2;
extern const aim_kernels aim__kernels_avxvnni;
extern const aim_kernels aim__kernels_avx512vnni;
extern const aim_kernels aim__kernels_neondot;

/* The member matmul_tile of aim_kernels, once an instruction set. */
typedef void aim__matmul_tile_fn(const aim_packed *w, int panel0, int panel1, const int8_t *x,
                                 size_t ldx, const float *x_step, int rows, const aim_adc *adc,
                                 const aim_output *out);
aim__matmul_tile_fn aim__matmul_tile_portable;
aim__matmul_tile_fn aim__matmul_tile_avx2;
aim__matmul_tile_fn aim__matmul_tile_avxvnni;
aim__matmul_tile_fn aim__matmul_tile_avx512vnni;
aim__matmul_tile_fn aim__matmul_tile_neondot;

enum { AIM__PANEL_ROW = AIM_PANEL * AIM_K_GROUP }; /* bytes of one input group of a panel */

/* Channels of panel p that exist: 16 except in the last panel. */
static inline int aim__panel_channels(const aim_packed *w, int p)
{
    int left = w->out - p * AIM_PANEL;
    return left < AIM_PANEL ? left : AIM_PANEL;
}

#endif
