/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/weight_noise.h"

#include "analog/converter.h"
#include "base/float_bits.h"

/* To the nearest float16, ties to even, for magnitudes in its normal range. */
static float round_to_half(float x)
{
    uint32_t bits = aim_float_bits(x);
    return aim_bits_float((bits + 0xfffu + (bits >> 13 & 1)) & ~0x1fffu);
}

static float polynomial(const float *c, float g)
{
    return ((c[0] * g + c[1]) * g + c[2]) * g + c[3];
}

float aim_pcm_deviation(const aim_pcm_noise *noise, float g)
{
    const float *c = g > noise->two_devices_above ? noise->two_devices : noise->one_device;
    return round_to_half(polynomial(c, g));
}

void aim_pcm_noise_add(const aim_pcm_noise *noise, const float *z, float *weight, int n)
{
    float scale = 1.0f / (aim_max_abs(weight, n) + noise->largest_offset);
    for (int j = 0; j < n; j++) {
        float g = weight[j] * scale * noise->g_max, magnitude = fabsf(g);
        float noisy = g + z[j] * aim_pcm_deviation(noise, magnitude);
        weight[j] = magnitude < noise->dead_zone ? 0.0f : noisy / noise->g_max / scale;
    }
}

void aim_additive_noise_add(float share, const float *z, float *weight, int n)
{
    float deviation = share * aim_max_abs(weight, n);
    for (int j = 0; j < n; j++)
        weight[j] += deviation * z[j];
}
