/* SPDX-License-Identifier: Apache-2.0 */
/* integer_linear.h - the integer evaluator in plain C: DAC codes times
 * conductance codes, exact sums, converters as in the reference evaluator. The
 * arithmetic that serves, written to be read, for tests alone: the kernels that serve
 * must give these bits.
 *
 * A channel's sum becomes float32 as in the int8 kernel, (float)sum * (DAC step *
 * weight step), and goes through the ADC. Readings differ from those of the
 * reference evaluator where the rounding of weights to codes moves a sum over
 * the edge between two ADC codes. */
#ifndef AIM_ANALOG_INTEGER_LINEAR_H
#define AIM_ANALOG_INTEGER_LINEAR_H

#include "analog/tiled_linear.h"

typedef struct aim_integer_linear aim_integer_linear;

/* The layer is borrowed and must outlive the result. conductance_bits: 8 or 16, or 4,
 * which rounds the layer's weights: they have not been rounded before.
 * NULL on failure: AIM_EUNSUPPORTED without a DAC, or with one of more than 254
 * steps (its codes must fit int8); AIM_EINVAL for a tile too wide; AIM_ENOMEM. */
aim_integer_linear *aim_integer_linear_new(const aim_tiled_linear *layer, int conductance_bits,
                                           aim_error *err);
void aim_integer_linear_free(aim_integer_linear *l); /* NULL is fine */

/* Floats of scratch that one call of aim_integer_forward needs. */
size_t aim_integer_scratch(const aim_integer_linear *l);

/* As aim_exact_forward. A NaN in a row makes the outputs of that row NaN. */
void aim_integer_forward(const aim_integer_linear *l, const float *x, int rows, float *y,
                         float *scratch, const aim_tile_trace *trace);

#endif
