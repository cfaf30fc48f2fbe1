/* SPDX-License-Identifier: Apache-2.0 */
/* converter.h - the arithmetic of DAC and ADC (aihwkit-lightning, quant_utils.py
 * UniformQuantize and torch_linear.py).
 *
 * Results are to the bit those of the simulator. Therefore every step here is
 * one float32 operation, division is a division and not a product with a
 * reciprocal, and ties go to the even code. */
#ifndef AIM_TENSOR_CONVERTER_H
#define AIM_TENSOR_CONVERTER_H

#include <float.h>
#include <math.h>

/* The value of one code of a converter that covers [-bound, bound]. */
static inline float aim_converter_step(double res, float bound)
{
    float whole = 2.0f * bound;
    return res > 1.0 ? whole / (float)res : whole * (float)res;
}

/* Steps over the whole range of a converter of resolution res > 0: what is 1 or less is
 * the part of the range that a step is. */
static inline double aim_converter_steps(double res)
{
    return res > 1.0 ? res : 1.0 / res;
}

/* The code, not yet limited. A step of zero stands for a range of zero, where
 * the only value is zero. NaN gives NaN. */
static inline float aim_converter_code(float value, float step)
{
    return rintf(value / (step < FLT_MIN ? FLT_MIN : step));
}

/* To [-bound, bound], bound not negative. NaN stays NaN. */
static inline float aim_limit(float value, float bound)
{
    float low = value > bound ? bound : value;
    return low < -bound ? -bound : low;
}

/* What is read for a code. It is limited after the product: the largest code
 * times the step may be the full scale's neighbour, and codes above it read as
 * the full scale itself. */
static inline float aim_adc_value(float code, float step, float full_scale)
{
    return aim_limit(code * step, full_scale);
}

#endif
