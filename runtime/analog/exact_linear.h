/* SPDX-License-Identifier: Apache-2.0 */
/* exact_linear.h - the reference evaluator: float weights, the simulator's
 * rounding everywhere, plain and slow. With an ADC its outputs are those of
 * aihwkit-lightning to the bit, unless a sum lies within the simulator's own
 * summation error of a tie; without one they agree within that error. What
 * serves is measured against it. */
#ifndef AIM_ANALOG_EXACT_LINEAR_H
#define AIM_ANALOG_EXACT_LINEAR_H

#include "analog/tiled_linear.h"

/* Floats of scratch that one call of aim_exact_forward needs. */
size_t aim_exact_scratch(const aim_tiled_linear *l);

/* y [rows, out] = x [rows, in] through l. A row's result does not depend on the
 * others. A NaN in a row makes the outputs of that row NaN. trace may be NULL. */
void aim_exact_forward(const aim_tiled_linear *l, const float *x, int rows, float *y,
                       float *scratch, const aim_tile_trace *trace);

#endif
