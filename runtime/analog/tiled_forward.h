/* SPDX-License-Identifier: Apache-2.0 */
/* tiled_forward.h - the way of a row through converters and tiles, shared by
 * the evaluators of this folder. */
#ifndef AIM_ANALOG_TILED_FORWARD_H
#define AIM_ANALOG_TILED_FORWARD_H

#include "analog/tiled_linear.h"

#include <stdbool.h>
#include <stdint.h>

/* One tile's inputs behind the DAC. */
typedef struct aim__tile_input {
    int row, tile;
    aim_tile_span span;
    float range;        /* of the inputs; 0 if the layer has none */
    float step;         /* value of a DAC code; 0 without a DAC */
    const float *code;  /* [width], of a layer with a DAC */
    const float *value; /* [width] what the tile is driven with */
} aim__tile_input;

/* sum [out] = what each channel of the tile adds up to, before the ADC. */
typedef void aim__channel_sums_fn(const void *evaluator, const aim__tile_input *in, float *sum);

/* code [width] of an input behind a DAC of at most AIM_MAX_INTEGER_STEPS. false, and
 * codes 0, if an input is NaN or infinite. */
bool aim__integer_codes(const aim__tile_input *in, int8_t *code);

/* Floats of scratch one call needs. */
size_t aim__tiled_scratch(const aim_tiled_linear *l);

/* y [rows, out] = x [rows, in] through l, sums by the evaluator's function.
 * trace may be NULL. */
void aim__tiled_forward(const aim_tiled_linear *l, aim__channel_sums_fn *sums,
                        const void *evaluator, const float *x, int rows, float *y, float *scratch,
                        const aim_tile_trace *trace);

#endif
