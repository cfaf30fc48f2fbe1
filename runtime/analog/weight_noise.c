/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/weight_noise.h"

#include "analog/converter.h"
#include "analog/device_math.h"
#include "analog/noise_loops.h"

float aim_pcm_deviation(const aim_pcm_noise *noise, float g)
{
    return aim__pcm_deviation(noise, g);
}

void aim_pcm_noise_add(const aim_pcm_noise *noise, const float *z, float *weight, int n)
{
    const aim__noise_loops *loops = aim__noise_loops_pick();
    float scale = 1.0f / (aim_max_abs(weight, n) + noise->largest_offset);
    loops->pcm_noise(noise, scale, z, weight, n);
}

void aim_additive_noise_add(float share, const float *z, float *weight, int n)
{
    const aim__noise_loops *loops = aim__noise_loops_pick();
    loops->additive_noise(share * aim_max_abs(weight, n), z, weight, n);
}
