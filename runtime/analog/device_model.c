/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/device_model.h"

#include "base/fixmath.h"

#include <math.h>

/* Coefficients are taken at no smaller r: a logarithm follows. */
static const float SMALLEST_R = 1e-7f;

static float polynomial(const float *c, int n, float r)
{
    float sum = 0.0f;
    for (int i = n - 1; i >= 0; i--)
        sum = sum * r + c[i];
    return sum;
}

static float curve_at(const aim_device_curve *c, float r)
{
    if (r >= c->split)
        return polynomial(c->polynomial, 4, r);
    float log_r = aim_logf(r > SMALLEST_R ? r : SMALLEST_R);
    float value = c->exponent != 0.0f ? c->scale * aim_expf(c->exponent * log_r)
                                      : c->scale * log_r + c->constant;
    return value < c->lowest ? c->lowest : value > c->highest ? c->highest : value;
}

static float not_negative(float g)
{
    return g < 0.0f ? 0.0f : g;
}

float aim_device_program(const aim_device_model *m, int spread, float target, float z)
{
    float deviation = polynomial(m->spread[spread].polynomial, 5, target / m->g_max) *
                      (m->g_max / m->fitted_g_max) * m->programming_scale;
    return not_negative(target + deviation * z);
}

float aim_device_drift_exponent(const aim_device_model *m, float target, float z)
{
    float r = fabsf(target) / m->g_max;
    return fabsf(curve_at(&m->drift_mean, r) + curve_at(&m->drift_deviation, r) * z) *
           m->drift_scale;
}

aim_device_age aim_device_age_of(const aim_device_model *m, double seconds)
{
    double t = seconds + m->t_0;
    return (aim_device_age){(float)aim_log(t / m->t_0),
                            (float)sqrt(aim_log((t + m->t_read) / (2 * m->t_read)))};
}

float aim_device_drift(const aim_device_age *age, float programmed, float exponent)
{
    return programmed * aim_expf(-exponent * age->log_drift);
}

float aim_device_read(const aim_device_model *m, const aim_device_age *age, float programmed,
                      float drifted, float z)
{
    float share = curve_at(&m->read, programmed / m->g_max) * age->read * m->read_scale;
    return not_negative(drifted + drifted * share * z);
}
