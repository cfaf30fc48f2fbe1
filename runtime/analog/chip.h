/* SPDX-License-Identifier: Apache-2.0 */
/* chip.h - what makes a chip the one it is. The weights it holds are a pure
 * function of the checkpoint and of this. */
#ifndef AIM_ANALOG_CHIP_H
#define AIM_ANALOG_CHIP_H

#include "analog/input_ranges.h"
#include "analog/profile.h"

#include <stdint.h>

typedef struct aim_chip {
    aim_profile profile; /* as used: conductance_bits and out_bound may differ from the file */
    uint64_t seed;
    double age;                         /* seconds since the chip's first use */
    const aim_input_ranges_set *ranges; /* calibrated; borrowed; NULL: none. They go before
                                           those of the checkpoint */
} aim_chip;

/* Linear layers of a decoder are numbered for their noise, apart even where they are
 * computed together. A fused layer has the number of its first part. */
enum {
    AIM_LAYER_Q,
    AIM_LAYER_K,
    AIM_LAYER_V,
    AIM_LAYER_O,
    AIM_LAYER_GATE,
    AIM_LAYER_UP,
    AIM_LAYER_DOWN,
    AIM_LAYERS_A_BLOCK = 8,
};
static inline int aim_layer_number(int block, int layer)
{
    return block * AIM_LAYERS_A_BLOCK + layer;
}
/* Behind all blocks. */
static inline int aim_lm_head_number(int n_blocks)
{
    return n_blocks * AIM_LAYERS_A_BLOCK;
}

/* Whose read noise a row gets: (seed, position, layer, tile, column). seed: of the
 * request, and at generated positions of the candidate. */
typedef struct aim_row_noise {
    uint64_t seed;
    int32_t position;
} aim_row_noise;

#endif
