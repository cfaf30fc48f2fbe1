/* SPDX-License-Identifier: Apache-2.0 */
/* product.h - what the integer kernels hand to the code that makes outputs of their
 * sums. */
#ifndef AIM_TENSOR_PRODUCT_H
#define AIM_TENSOR_PRODUCT_H

#include "tensor/kernel_rows.h"

#define INLINE static inline __attribute__((always_inline))

/* What all register tiles of one call share. */
struct product {
    const aim_packed *w;
    const int8_t *x;
    size_t ldx;
    const float *x_step;
    const aim_adc *adc;
    const aim_output *out;
};

/* Of one row and the channels of a panel; of two planes the first is the high one. */
struct sums {
    _Alignas(64) int32_t plane[AIM_MAX_PLANES][AIM_PANEL];
};

#endif
