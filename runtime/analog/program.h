/* SPDX-License-Identifier: Apache-2.0 */
/* program.h - a linear layer is programmed on a chip: from the weights asked for
 * to what its devices are read as at the chip's age.
 *
 * A channel (one output) of a tile is programmed alone: its weights are clipped and
 * rounded to levels (tile_weights.h), held with an error (weight_noise.h,
 * device_pairs.h), drift and fluctuate. The result is a pure function of the chip,
 * the layer's number, the tile, the channel and the layer's weights, so channels
 * may be programmed in any order on any threads. What needs a whole layer or a
 * whole tile is gathered in a first pass over the channels, which few profiles
 * need, or computed from numbers of the channels at the end:
 *
 *     aim_layer_program_init(&p, chip, layer, out, in, err);
 *     if (aim_layer_program_needs_survey(&p)) {
 *         each channel: aim_layer_program_survey(&p, channel, weight);
 *         aim_layer_program_survey_end(&p);
 *     }
 *     each channel: aim_layer_program_channel(&p, channel, weight, now, scratch);
 *     aim_layer_program_end(&p);
 *     p.largest and p.gain are complete: copy what is needed.
 *     aim_layer_program_fini(&p);
 *
 * Ageing a chip is programming it again: nothing is drawn twice, and the state at
 * an age does not depend on the ages before. */
#ifndef AIM_ANALOG_PROGRAM_H
#define AIM_ANALOG_PROGRAM_H

#include "analog/chip.h"
#include "analog/tile_split.h"
#include "analog/tile_weights.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct aim_layer_program {
    const aim_chip *chip; /* borrowed */
    int layer;            /* number of the linear layer (chip.h) */
    int out, in, tiles;

    /* [tiles, out] the weight that the ADC's full scale is made from: of the channel
     * or of the tile, of the weights asked for (clipped, before they are rounded to
     * levels) or of those held right after programming, as the profile says. */
    float *largest;
    /* [tiles, out] drift compensation, a digital factor on a channel's readings: what
     * the tile, or the channel, answered to unit inputs right after programming, over
     * what it answers now; NULL if the profile has none. An answer is the mean magnitude
     * of the weights that are read, in units of the largest asked for of each channel:
     * what aihwkit measures with an identity matrix as the input and no converters. */
    float *gain;

    /* The rest is program.c's. NULL: the profile does not need it. */
    aim_weight_moments *moments; /* [out] of the survey, for clipping by all weights */
    float clip;                  /* made of them */
    float *level_range;          /* [tiles, out] weights are rounded to parts of it */
    bool *is_reciprocal;         /* [tiles] see aim_discretize */
    float *readout_then;         /* [tiles, out] aim_pair_readout right after programming */
    float *readout_now;          /* and at the chip's age */
} aim_layer_program;

/* AIM_EINVAL if the layer cannot be told apart from others (numbers and tiles go to
 * 65535) or has too few weights for the profile's clipping, AIM_EUNSUPPORTED for
 * learned clips, AIM_ENOMEM. */
int aim_layer_program_init(aim_layer_program *p, const aim_chip *chip, int layer, int out, int in,
                           aim_error *err);
void aim_layer_program_fini(aim_layer_program *p); /* also of a zeroed one */

/* Do the chip's layers have gains? */
bool aim_layer_program_has_gain(const aim_profile *profile);
/* Bytes that a program takes from init to fini. */
size_t aim_layer_program_bytes(const aim_profile *profile, int out, int in);

static inline aim_tile_span aim_layer_program_span(const aim_layer_program *p, int tile)
{
    return aim_tile_span_of(p->in, p->chip->profile.tile.max_input_size, tile);
}

/* Is a pass over all channels needed before the first is programmed? */
bool aim_layer_program_needs_survey(const aim_layer_program *p);
/* weight [in] of the channel. Each channel once, on any thread. */
void aim_layer_program_survey(aim_layer_program *p, int channel, const float *weight);
void aim_layer_program_survey_end(aim_layer_program *p);

/* Floats of scratch for one channel. */
size_t aim_layer_program_scratch(const aim_layer_program *p);
/* weight [in]: asked for, finite; now [in]: read at the chip's age, the tiles side by
 * side as in weight; both may be the same memory. Each channel once, on any thread. */
void aim_layer_program_channel(aim_layer_program *p, int channel, const float *weight, float *now,
                               float *scratch);
void aim_layer_program_end(aim_layer_program *p);

#endif
