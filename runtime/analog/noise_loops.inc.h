/* SPDX-License-Identifier: Apache-2.0 */
/* noise_loops.inc.h - the one source of all loops of noise_loops.h, and the row of
 * the table. Included once an instruction set, by noise_*.c, which define ROW,
 * ROW_NAME and ROW_NEEDS. Everything but the table is static: no code of a wide
 * instruction set may be picked by the linker for another one.
 *
 * Loops treat each element by itself and are left to the compiler. Coefficients are
 * copied in front of a loop: in memory they might be what the loop writes. */

#include "analog/noise_loops.h"

#include "analog/device_math.h"
#include "base/fixmath.h"
#include "base/float_bits.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analog/normal_groups.inc.h"
#include "analog/pairs.inc.h"

/* Magnitudes compare like their bits, and a NaN is above infinity. */
static float max_abs(const float *x, int n)
{
    int32_t largest = 0;
    for (int j = 0; j < n; j++) {
        int32_t magnitude = (int32_t)(aim_float_bits(x[j]) & 0x7fffffffu);
        largest = magnitude > largest ? magnitude : largest;
    }
    return aim_bits_float((uint32_t)largest);
}

/* By sixteen lanes and one fixed tree over them. */
static double sum_abs(const float *x, int n)
{
    enum { LANES = 16 };
    double lane[LANES] = {0};
    int whole = n / LANES * LANES;
    for (int j = 0; j < whole; j += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] += (double)fabsf(x[j + k]);
    for (int j = whole; j < n; j++)
        lane[j - whole] += (double)fabsf(x[j]);
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

static void pcm_noise(const aim_pcm_noise *noise, float scale, const float *restrict z,
                      float *restrict weight, int n)
{
    const aim_pcm_noise c = *noise;
    for (int j = 0; j < n; j++) {
        float g = weight[j] * scale * c.g_max, magnitude = fabsf(g);
        float noisy = g + z[j] * aim__pcm_deviation(&c, magnitude);
        weight[j] = magnitude < c.dead_zone ? 0.0f : noisy / c.g_max / scale;
    }
}

static void additive_noise(float deviation, const float *restrict z, float *restrict weight, int n)
{
    for (int j = 0; j < n; j++)
        weight[j] += deviation * z[j];
}

/* Adding 1.5 * 2^23 leaves a number below 2^22, rounded to the nearest even integer,
 * in the low bits. */
static inline int32_t round_code(float weight, float step, float largest_code)
{
    float code = weight / step;
    code = code > largest_code ? largest_code : code;
    code = code < -largest_code ? -largest_code : code;
    return (int32_t)(aim_float_bits(code + 12582912.0f) - 0x4B400000u);
}

/* low takes what high leaves, from -128 to 127. */
static void codes(const float *restrict weight, float step, float largest_code, int n,
                  int8_t *restrict low, int8_t *restrict high)
{
    if (!high)
        for (int j = 0; j < n; j++)
            low[j] = (int8_t)round_code(weight[j], step, largest_code);
    else
        for (int j = 0; j < n; j++) {
            int32_t code = round_code(weight[j], step, largest_code);
            high[j] = (int8_t)((code + 128) >> 8);
            low[j] = (int8_t)code;
        }
}

enum { SPREAD_LANES = 4 * AIM__SPREAD_CHANNELS };

/* Lane i is channel i / 4 at the inputs i % 4. */
static inline void add_squares(const int8_t *restrict codes, const int32_t *restrict squares,
                               int32_t *restrict lane)
{
    for (int i = 0; i < SPREAD_LANES; i++)
        lane[i] += abs(codes[i]) * squares[i % 4];
}

/* Magnitudes of two bytes are added a byte at a time. */
static inline void add_squares_of_two(const int8_t *restrict low, const int8_t *restrict high,
                                      const int32_t *restrict squares, int32_t *restrict lower,
                                      int32_t *restrict upper)
{
    for (int i = 0; i < SPREAD_LANES; i++) {
        int32_t magnitude = abs(256 * high[i] + low[i]);
        lower[i] += (magnitude & 255) * squares[i % 4];
        upper[i] += (magnitude >> 8) * squares[i % 4];
    }
}

static void weight_squares(const int32_t *squares, const int8_t *low, const int8_t *high, int n,
                           int64_t *sum)
{
    int32_t lower[SPREAD_LANES] = {0}, upper[SPREAD_LANES] = {0};
    for (int g = 0; g < n; g++)
        if (high)
            add_squares_of_two(low + g * SPREAD_LANES, high + g * SPREAD_LANES, squares + 4 * g,
                               lower, upper);
        else
            add_squares(low + g * SPREAD_LANES, squares + 4 * g, lower);
    for (int i = 0; i < SPREAD_LANES; i++)
        sum[i / 4] += 256 * (int64_t)upper[i] + lower[i];
}

const aim__noise_loops ROW = {
    .name = ROW_NAME,
    .needs = ROW_NEEDS,
    .normal_groups = normal_groups,
    .random_blocks = random_blocks,
    .max_abs = max_abs,
    .sum_abs = sum_abs,
    .pcm_noise = pcm_noise,
    .additive_noise = additive_noise,
    .pairs = pairs,
    .codes = codes,
    .weight_squares = weight_squares,
};
