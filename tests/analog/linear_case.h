/* SPDX-License-Identifier: Apache-2.0 */
/* linear_case.h - one file of vectors of a linear layer on tiles. */
#ifndef AIM_TESTS_LINEAR_CASE_H
#define AIM_TESTS_LINEAR_CASE_H

#include "analog/tiled_linear.h"
#include "tally.h"

#include <stdbool.h>

typedef struct linear_case {
    vector_source file;
    aim_tile_settings settings;
    aim_layer_source source; /* points to what the case owns, below */
    int batch, tiles;
    float *x, *weight, *bias, *input_range, *learned_clip;
    float *y;         /* [batch, out] */
    tolerance within; /* of y */
    bool has_ties;    /* made of sums that lie between two ADC codes exactly */
    /* What passed the converters, fields NULL where the file does not tell:
     * the layout is that of aim_tile_trace, codes limited at adc_limit. */
    aim_tile_trace trace;
} linear_case;

/* Zeroes c first; free it also after a failure. */
int linear_case_read(vector_source file, linear_case *c, aim_error *err);
void linear_case_free(linear_case *c);

size_t linear_case_outputs(const linear_case *c);  /* batch * out */
size_t linear_case_readings(const linear_case *c); /* tiles * batch * out */

/* The files do not tell how far beyond its last code an ADC would have read:
 * codes [readings] are limited to one above. */
void linear_case_limit_codes(const linear_case *c, float *code);

/* Arrays for all that the layer's converters do; free with free_trace. */
int new_trace(const linear_case *c, aim_tile_trace *trace, aim_error *err);
void free_trace(aim_tile_trace *trace);

#endif
