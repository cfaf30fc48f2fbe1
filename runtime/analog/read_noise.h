/* SPDX-License-Identifier: Apache-2.0 */
/* read_noise.h - noise of reading a tile, drawn anew for every token and added to
 * each channel's sum in front of the ADC (profile.h has the three formulas).
 *
 * A draw is a pure function of whose it is: (noise seed, position, layer, tile,
 * channel). It does not depend on the rows beside it, on threads, nor on how the
 * channels are cut into pieces. */
#ifndef AIM_ANALOG_READ_NOISE_H
#define AIM_ANALOG_READ_NOISE_H

#include "analog/chip.h"

#include <stdint.h>

/* z [n]: standard normals of channels [first, first + n) of a tile. */
void aim_read_noise_normals(const aim_row_noise *row, int layer, int tile, int first, int n,
                            float *z);

/* What the noise of one row on one tile is made from. */
typedef struct aim_tile_drive {
    int layer, tile;     /* numbers; of a fused layer those of the part */
    float range;         /* of the inputs, AIM_READ_NOISE_OUTPUT */
    float step;          /* of the DAC: input j is code[j] * step */
    const int8_t *codes; /* [width] in [-127, 127] */
    int width;
} aim_tile_drive;

/* Add to sum [n], channels [first, first + n) of the part, what the profile's read
 * noise makes of the row. largest [n]: of those channels, as the ADC has it.
 * spread [n]: sum_j |w_j| x_j^2 of each channel, for AIM_READ_NOISE_WEIGHTS, else NULL
 * (aim_read_noise_spread). Nothing for AIM_READ_NOISE_NONE. z [n]: scratch. */
void aim_read_noise_add(const aim_profile *profile, const aim_row_noise *row,
                        const aim_tile_drive *drive, int first, int n, const float *largest,
                        const float *spread, float *sum, float *z);

/* The spread of 16 channels: sum_j |w_j| x_j^2, the sums exact in 64 bits. low and
 * high: a plane of a panel each, [width rounded up to 4 / 4][16][4] as kernels.h packs
 * weights, high NULL with one plane; w_j = (256 high + low) * weight_step [16], x_j =
 * drive->codes[j] * drive->step. Codes behind the width are 0. Costs several times a
 * product with the same panel. */
void aim_read_noise_spread(const aim_tile_drive *drive, const int8_t *low, const int8_t *high,
                           const float *weight_step, float *spread);

#endif
