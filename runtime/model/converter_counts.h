/* SPDX-License-Identifier: Apache-2.0 */
/* converter_counts.h - when a converter is at the end of its range. */
#ifndef AIM_MODEL_CONVERTER_COUNTS_H
#define AIM_MODEL_CONVERTER_COUNTS_H

#include "analog/converter.h"
#include "model/backend.h"

/* Inputs x [n] of a tile; range 0: none or a dynamic one, which cuts nothing off. */
static inline void aim__count_inputs(const float *x, int n, float range,
                                     aim_converter_counts *counts)
{
    for (int j = 0; range > 0 && j < n; j++)
        counts->limited += fabsf(x[j]) > range;
    counts->inputs += (uint64_t)n;
}

/* Does the ADC take this sum for one beyond its full scale? With rounding that are the
 * sums whose code is above the largest. */
static inline bool aim__is_saturated(const aim_tile_settings *s, float sum, float full_scale)
{
    if (s->out_bound <= 0)
        return false;
    if (s->out_res <= 0)
        return fabsf(sum) > full_scale;
    float code = aim_converter_code(sum, aim_converter_step(s->out_res, full_scale));
    return fabsf(code) > (float)(aim_converter_steps(s->out_res) / 2);
}

#endif
