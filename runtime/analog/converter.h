/* SPDX-License-Identifier: Apache-2.0 */
/* converter.h - DAC and ADC of a tile, on top of the arithmetic that the kernels
 * share (tensor/converter.h). */
#ifndef AIM_ANALOG_CONVERTER_H
#define AIM_ANALOG_CONVERTER_H

#include "tensor/converter.h"

/* Largest magnitude of x [n]; NaN if any is NaN. */
float aim_max_abs(const float *x, int n);

/* Full scale of an ADC channel: range of the inputs, out_bound, largest weight. */
static inline float aim_adc_full_scale(float range, double out_bound, float weight)
{
    return range * (float)out_bound * weight;
}

#endif
