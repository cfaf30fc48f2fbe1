/* SPDX-License-Identifier: Apache-2.0 */
/* tiled_linear.h - a linear layer as it stands on tiles, and what it computes.
 *
 * y = x W^T + bias, where the inputs are cut into tiles (tile_split.h). For each
 * row of x and each tile: the DAC limits and rounds the inputs, every channel
 * sums its products, the ADC rounds and limits the sum; the tiles' readings are
 * added in float32 in tile order, then the bias, which is digital
 * (aihwkit-lightning, torch_linear.py, evaluation mode). How a channel sums is
 * the evaluator's: exact_linear.h, integer_linear.h. Layers are not changed by
 * use; threads may share them. */
#ifndef AIM_ANALOG_TILED_LINEAR_H
#define AIM_ANALOG_TILED_LINEAR_H

#include "analog/tile_settings.h"
#include "analog/tile_split.h"

#include <stddef.h>

/* What a layer is made from; borrowed during aim_tiled_linear_new alone. */
typedef struct aim_layer_source {
    int out, in;
    const float *weight;      /* [out, in] */
    const float *bias;        /* [out], NULL: none */
    const float *input_range; /* [n_ranges] of static ranges: one a tile */
    size_t n_ranges;
    const float *learned_clip; /* [n_clips] = [tiles, out] of AIM_CLIP_LEARNABLE */
    size_t n_clips;
} aim_layer_source;

typedef struct aim_tiled_linear {
    aim_tile_settings settings;
    int out, in, tiles;
    float *weight;      /* [out, in] clipped and quantised as the settings say */
    float *largest;     /* [tiles, out] weight that the ADC's bound is made from */
    float *bias;        /* [out] or NULL */
    float *input_range; /* [tiles] or NULL */
    float *gain;        /* [tiles, out] digital factor on a channel's readings, or NULL */
} aim_tiled_linear;

/* A layer as the simulator has it, not programmed on a chip: for tests. The backend
 * analog-exact fills its own from a program (program.h).
 * NULL on failure: AIM_EINVAL for settings that contradict each other, counts
 * that do not fit the tiles, ranges or clips that are negative or not finite. */
aim_tiled_linear *aim_tiled_linear_new(const aim_tile_settings *settings,
                                       const aim_layer_source *source, aim_error *err);
void aim_tiled_linear_free(aim_tiled_linear *l); /* NULL is fine */

static inline aim_tile_span aim_tiled_linear_span(const aim_tiled_linear *l, int tile)
{
    return aim_tile_span_of(l->in, l->settings.max_input_size, tile);
}

/* What passed the converters, for tests and probes. Every array may be NULL;
 * what a layer's converters do not make stays unwritten. */
typedef struct aim_tile_trace {
    float *dac_code;  /* [rows, in] */
    float *adc_input; /* [tiles, rows, out] */
    float *adc_code;  /* [tiles, rows, out], not yet limited */
    float *adc_bound; /* [tiles, rows, out] */
    float *adc_step;  /* [tiles, rows, out] */
} aim_tile_trace;

#endif
