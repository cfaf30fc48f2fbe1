/* SPDX-License-Identifier: Apache-2.0 */
/* tile_settings.h - what is around and on a tile: converters, the width of a
 * tile, and how weights are kept on it. The words are those of
 * aihwkit-lightning, so that its configurations can be copied number by number. */
#ifndef AIM_ANALOG_TILE_SETTINGS_H
#define AIM_ANALOG_TILE_SETTINGS_H

#include "base/error.h"

/* Where the range of the inputs of a tile comes from. */
enum aim_input_range {
    AIM_RANGE_NONE,    /* inputs are not limited; then there are no converters */
    AIM_RANGE_STATIC,  /* one number a tile, learned or calibrated */
    AIM_RANGE_DYNAMIC, /* the largest magnitude of the row's inputs to this tile */
};

/* Which weights the full scale of the ADC is taken from. */
enum aim_adc_bound {
    AIM_BOUND_PER_TILE,    /* the largest of the tile: one bound for its channels */
    AIM_BOUND_PER_CHANNEL, /* the largest of each channel */
};

enum aim_weight_clip {
    AIM_CLIP_NONE,
    AIM_CLIP_GAUSSIAN,             /* at sigma standard deviations of the layer */
    AIM_CLIP_GAUSSIAN_PER_CHANNEL, /* of each channel */
    AIM_CLIP_LEARNABLE,            /* at a learned number for each tile and channel */
};

enum aim_weight_quantisation {
    AIM_WEIGHTS_FLOAT,
    AIM_WEIGHTS_DISCRETIZE,             /* one step for the tile */
    AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, /* one step for each channel of the tile */
};

enum {
    AIM_MAX_STEPS = 1 << 24,     /* a float32 holds every code */
    AIM_MAX_INTEGER_STEPS = 254, /* an int8 holds every code */
};

/* A resolution is a number of steps, 2^bits - 2, if it is above 1, and the part
 * of the whole range that a step is otherwise: 254 and 1.0 / 254 both mean 8
 * bits and codes from -127 to 127, though the second rounds its step
 * differently. At or below 0: there is no converter. */
typedef struct aim_tile_settings {
    int max_input_size; /* inputs a tile takes at most; <= 0: all */
    enum aim_input_range input_range;
    double inp_res;   /* of the DAC */
    double out_res;   /* of the ADC; needs out_bound */
    double out_bound; /* full scale of the ADC in units of input range times largest
                         weight; <= 0: outputs are not limited */
    enum aim_adc_bound adc_bound;
    enum aim_weight_clip clip;
    enum aim_weight_quantisation weight_quantisation;
    double weight_res; /* of the weights; read if they are quantised */
} aim_tile_settings;

/* AIM_EINVAL naming the setting (err->param) if a number is out of range or two
 * settings contradict each other: converters need an input range, an ADC needs
 * a bound, learned clips set the bound of each channel. */
int aim_tile_settings_check(const aim_tile_settings *s, aim_error *err);

/* Can integer tiles compute this (integer_linear.h, the backend analog)? They need a
 * DAC of at most AIM_MAX_INTEGER_STEPS. AIM_EUNSUPPORTED naming inp_res. */
int aim_tile_settings_check_integer(const aim_tile_settings *s, aim_error *err);

/* The bound that aihwkit-lightning uses with a way of clipping. */
enum aim_adc_bound aim_adc_bound_of_clip(enum aim_weight_clip clip);

#endif
