/* SPDX-License-Identifier: Apache-2.0 */
/* tile_weights.h - what is done to float weights before they stand on a tile
 * (aihwkit-lightning, quant_utils.py clip_and_quantize and linear.py clip_weights).
 *
 * A tile's weights are a window into the layer's matrix: `width` columns of each
 * of `out` rows, the rows `stride` floats apart. Functions on windows and whole matrices
 * are those of the simulator's layers (tiled_linear.h) and of tests; chips are programmed
 * by channels with the parts of them (program.h). */
#ifndef AIM_ANALOG_TILE_WEIGHTS_H
#define AIM_ANALOG_TILE_WEIGHTS_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct aim_weight_window {
    float *weight;
    int out, width;
    size_t stride;
} aim_weight_window;

/* largest [out]: of each channel's weights, or of all, written for each channel. */
void aim_largest_weights(const aim_weight_window *w, bool per_channel, float *largest);

/* Limit each channel at +-clip [out], as a training with learned clips sees its
 * weights: also the unclipped ones may change by their last bit. A clip of zero
 * counts as one. If all clips of the tile are above 1 the simulator takes them
 * for numbers of steps and clips at their reciprocals; so does this. */
void aim_clip_learned(const aim_weight_window *w, const float *clip);

/* Round each weight to one of res + 1 levels between +-largest [out] of its
 * channel. (With ranges so large that all levels are more than 2 apart the
 * simulator takes half the step for a number of steps; so does this. Weights of
 * language models never get there.) */
void aim_discretize(const aim_weight_window *w, const float *largest, double res);
/* The same in two parts: is the tile one with such ranges, and one channel [n]. */
bool aim_discretize_is_reciprocal(const float *largest, int out, double res);
void aim_discretize_channel(float *weight, int n, float largest, double res, bool is_reciprocal);

/* Limit weights [out, in] at sigma standard deviations (n - 1 in the
 * denominator) of the whole matrix or of each row. AIM_EINVAL if there is
 * only one weight to take the deviation of: it has none. */
int aim_clip_gaussian(float *weight, int out, int in, bool per_channel, double sigma,
                      aim_error *err);

/* The same in parts: the moments of rows, those of the whole matrix by adding the
 * rows' in order, and the limit. */
typedef struct aim_weight_moments {
    double n, mean, squares; /* squares: sum of the squared distances from the mean */
} aim_weight_moments;
aim_weight_moments aim_weight_moments_of(const float *weight, int n);
void aim_weight_moments_add(aim_weight_moments *total, const aim_weight_moments *more);
float aim_clip_bound(const aim_weight_moments *m, double sigma);
/* Limit weight [n] at +-bound. */
void aim_clip_weights(float *weight, int n, float bound);

#endif
