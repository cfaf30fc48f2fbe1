/* SPDX-License-Identifier: Apache-2.0 */
/* normals.h - standard normal numbers for the noise of devices, as a pure
 * function of whose noise it is: the same on every machine, whatever the number
 * of threads and the order in which a chip is programmed.
 *
 * Philox 4x32-10 as in base/rng.h gives 128 bits for (seed, stream, row of
 * devices, block); Box and Muller (1958) make four normals of them, in float32
 * with fixed polynomials. Magnitudes end at 6.7. */
#ifndef AIM_ANALOG_NORMALS_H
#define AIM_ANALOG_NORMALS_H

#include "base/rng.h"

#include <stdint.h>

/* One row of devices: those of an output channel on a tile. */
typedef struct aim_device_row {
    uint64_t seed;        /* of the chip */
    uint16_t layer, tile; /* numbers of the linear layer and of its tile */
    uint32_t channel;
    uint8_t device; /* of several that hold one weight */
} aim_device_row;

enum { AIM_MAX_DEVICES_A_ROW = 1 << 26 };

/* out [n], element j for column j, independent of n. n <= AIM_MAX_DEVICES_A_ROW. */
void aim_normals(const aim_device_row *row, enum aim_stream stream, int n, float *out);

/* Those of columns [first, first + n) alone; fastest if both are multiples of 64. */
void aim_normals_from(const aim_device_row *row, enum aim_stream stream, int first, int n,
                      float *out);

/* out [n]: what aim_rng_draw gives for the indices [first, first + n) at lane 0, many
 * times faster than one by one. */
void aim_random_blocks(uint64_t seed, enum aim_stream stream, uint64_t first, int n,
                       aim_rng_block *out);

#endif
