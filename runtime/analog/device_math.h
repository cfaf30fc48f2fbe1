/* SPDX-License-Identifier: Apache-2.0 */
/* device_math.h - the formulas of device_model.h and weight_noise.h for one device,
 * inline so that loops over the devices of a channel are vectorised. */
#ifndef AIM_ANALOG_DEVICE_MATH_H
#define AIM_ANALOG_DEVICE_MATH_H

#include "analog/device_model.h"
#include "analog/weight_noise.h"
#include "base/fixmath.h"
#include "base/float_bits.h"

#include <math.h>
#include <stdbool.h>

/* The logarithm that coefficients are taken with: of no smaller r than 1e-7. */
static inline float aim__device_log(float r)
{
    return aim_logf(r > 1e-7f ? r : 1e-7f);
}

/* A coefficient at r, whose aim__device_log is log_r; below the split a power of r or
 * a line of its logarithm. */
static inline float aim__device_curve_at(const aim_device_curve *c, bool is_power, float r,
                                         float log_r)
{
    const float *p = c->polynomial;
    float above = ((p[3] * r + p[2]) * r + p[1]) * r + p[0];
    float below =
        is_power ? c->scale * aim_expf(c->exponent * log_r) : c->scale * log_r + c->constant;
    below = below > c->highest ? c->highest : below;
    below = below < c->lowest ? c->lowest : below;
    return r >= c->split ? above : below;
}

static inline float aim__device_not_negative(float g)
{
    return g < 0.0f ? 0.0f : g;
}

static inline float aim__device_program(const aim_device_model *m, const aim_device_spread *s,
                                        float target, float z)
{
    const float *p = s->polynomial;
    float r = target / m->g_max;
    float deviation = (((p[4] * r + p[3]) * r + p[2]) * r + p[1]) * r + p[0];
    deviation = deviation * (m->g_max / m->fitted_g_max) * m->programming_scale;
    return aim__device_not_negative(target + deviation * z);
}

/* The exponent of a device whose coefficients are mean and deviation. */
static inline float aim__device_drift_exponent(const aim_device_model *m, float mean,
                                               float deviation, float z)
{
    return fabsf(mean + deviation * z) * m->drift_scale;
}

static inline float aim__device_drift(const aim_device_age *age, float programmed, float exponent)
{
    return programmed * aim_expf(-exponent * age->log_drift);
}

/* What is read of a device whose 1/f noise is a share of its conductance. */
static inline float aim__device_read(const aim_device_model *m, const aim_device_age *age,
                                     float share, float drifted, float z)
{
    return aim__device_not_negative(drifted + drifted * (share * age->read * m->read_scale) * z);
}

/* To the nearest float16, ties to even, for magnitudes in its normal range. */
static inline float aim__round_to_half(float x)
{
    uint32_t bits = aim_float_bits(x);
    return aim_bits_float((bits + 0xfffu + (bits >> 13 & 1)) & ~0x1fffu);
}

static inline float aim__pcm_deviation(const aim_pcm_noise *noise, float g)
{
    const float *a = noise->one_device, *b = noise->two_devices;
    float one = ((a[0] * g + a[1]) * g + a[2]) * g + a[3];
    float two = ((b[0] * g + b[1]) * g + b[2]) * g + b[3];
    return aim__round_to_half(g > noise->two_devices_above ? two : one);
}

#endif
