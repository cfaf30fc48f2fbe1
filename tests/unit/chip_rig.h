/* SPDX-License-Identifier: Apache-2.0 */
/* chip_rig.h - chips for tests, without a profile's file. */
#ifndef AIM_TESTS_UNIT_CHIP_RIG_H
#define AIM_TESTS_UNIT_CHIP_RIG_H

#include "analog/digital_profile.h"

/* The converters of the paper on tiles of 128 inputs, with dynamic ranges. No noise. */
static inline aim_chip plain_chip(void)
{
    return (aim_chip){.profile = {.name = "test",
                                  .tile = {.max_input_size = 128,
                                           .input_range = AIM_RANGE_DYNAMIC,
                                           .inp_res = 254,
                                           .out_res = 254,
                                           .out_bound = 6,
                                           .adc_bound = AIM_BOUND_PER_CHANNEL},
                                  .conductance_bits = 16,
                                  .on_tiles = AIM_ON_TILES_ATTENTION | AIM_ON_TILES_FEED_FORWARD |
                                              AIM_ON_TILES_LM_HEAD},
                      .seed = 7};
}

/* The same with digital weights. */
static inline aim_chip digital_chip(void)
{
    aim_chip c = plain_chip();
    aim_profile_make_digital(&c.profile);
    return c;
}

/* A chip, and every token is read with noise of its own. */
static inline aim_chip noisy_chip(void)
{
    aim_chip c = plain_chip();
    c.profile.read_noise = AIM_READ_NOISE_OUTPUT;
    c.profile.read_noise_share = 0.05f;
    return c;
}

#endif
