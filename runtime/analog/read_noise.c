/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "analog/read_noise.h"

#include "analog/noise_loops.h"

#include <math.h>
#include <string.h>

void aim_read_noise_normals(const aim_row_noise *row, int layer, int tile, int first, int n,
                            float *z)
{
    aim_device_row place = {.seed = row->seed,
                            .layer = (uint16_t)layer,
                            .tile = (uint16_t)tile,
                            .channel = (uint32_t)row->position};
    aim_normals_from(&place, AIM_STREAM_TOKEN_READ, first, n, z);
}

/* |x|_2, the sum of the squares exact. */
static float length_of(const aim_tile_drive *drive)
{
    int64_t sum = 0;
    for (int j = 0; j < drive->width; j++)
        sum += drive->codes[j] * drive->codes[j];
    return (float)sqrt((double)sum) * drive->step;
}

static void add_by_spread(float share, const float *largest, const float *spread, const float *z,
                          float *sum, int n)
{
    for (int o = 0; o < n; o++)
        sum[o] += share * sqrtf(largest[o] * spread[o]) * z[o];
}

void aim_read_noise_add(const aim_profile *profile, const aim_row_noise *row,
                        const aim_tile_drive *drive, int first, int n, const float *largest,
                        const float *spread, float *sum, float *z)
{
    float share = profile->read_noise_share;
    if (profile->read_noise == AIM_READ_NOISE_NONE)
        return;
    aim_read_noise_normals(row, drive->layer, drive->tile, first, n, z);
    if (profile->read_noise == AIM_READ_NOISE_WEIGHTS) {
        add_by_spread(share, largest, spread, z, sum, n);
        return;
    }
    float scale =
        share * (profile->read_noise == AIM_READ_NOISE_OUTPUT ? drive->range : length_of(drive));
    for (int o = 0; o < n; o++)
        sum[o] += scale * largest[o] * z[o];
}

/* squares [groups * 4] of the codes, 0 behind the width. */
static void square_codes(const aim_tile_drive *drive, int first, int n, int32_t *squares)
{
    memset(squares, 0, (size_t)n * sizeof *squares);
    for (int j = 0; j < n && first + j < drive->width; j++)
        squares[j] = drive->codes[first + j] * drive->codes[first + j];
}

void aim_read_noise_spread(const aim_tile_drive *drive, const int8_t *low, const int8_t *high,
                           const float *weight_step, float *spread)
{
    enum { COLUMNS = 4 * AIM__SPREAD_GROUPS, BYTES = AIM__SPREAD_CHANNELS * COLUMNS };
    const aim__noise_loops *loops = aim__noise_loops_pick();
    int64_t sum[AIM__SPREAD_CHANNELS] = {0};
    int32_t squares[COLUMNS];
    for (int j = 0; j < drive->width; j += COLUMNS) {
        int columns = drive->width - j < COLUMNS ? drive->width - j : COLUMNS;
        size_t at = (size_t)(j / COLUMNS) * BYTES;
        square_codes(drive, j, COLUMNS, squares);
        loops->weight_squares(squares, low + at, high ? high + at : NULL, (columns + 3) / 4, sum);
    }
    for (int o = 0; o < AIM__SPREAD_CHANNELS; o++)
        spread[o] = (float)sum[o] * weight_step[o] * (drive->step * drive->step);
}
