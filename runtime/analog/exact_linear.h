/* SPDX-License-Identifier: Apache-2.0 */
/* exact_linear.h - the reference evaluator: float weights, the simulator's
 * rounding everywhere, plain and slow. With an ADC its outputs are those of
 * aihwkit-lightning to the bit, unless a sum lies within the simulator's own
 * summation error of a tie; without one they agree within that error. What
 * serves is measured against it. The backend analog-exact calls
 * aim_exact_forward_noisy, tests both. */
#ifndef AIM_ANALOG_EXACT_LINEAR_H
#define AIM_ANALOG_EXACT_LINEAR_H

#include "analog/chip.h"
#include "analog/tiled_linear.h"

/* Floats of scratch that one call of aim_exact_forward or aim_exact_forward_noisy
 * needs. */
size_t aim_exact_scratch(const aim_tiled_linear *l);

/* y [rows, out] = x [rows, in] through l. A row's result does not depend on the
 * others. A NaN in a row makes the outputs of that row NaN. trace may be NULL. */
void aim_exact_forward(const aim_tiled_linear *l, const float *x, int rows, float *y,
                       float *scratch, const aim_tile_trace *trace);

/* Whose noise of reads a call has. The simulator has none in evaluation. */
typedef struct aim_read_noise_source {
    const aim_profile *profile;
    int layer;                 /* number of the linear layer */
    const aim_row_noise *rows; /* [rows] */
} aim_read_noise_source;

/* The same with noise (NULL: none), which needs a DAC that integer tiles can have too
 * (aim_tile_settings_check_integer). */
void aim_exact_forward_noisy(const aim_tiled_linear *l, const aim_read_noise_source *noise,
                             const float *x, int rows, float *y, float *scratch,
                             const aim_tile_trace *trace);

#endif
