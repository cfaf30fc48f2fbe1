/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/device_model.h"

#include "analog/device_math.h"

static float curve_at(const aim_device_curve *c, float r)
{
    return aim__device_curve_at(c, c->exponent != 0.0f, r, aim__device_log(r));
}

float aim_device_program(const aim_device_model *m, int spread, float target, float z)
{
    return aim__device_program(m, &m->spread[spread], target, z);
}

float aim_device_drift_exponent(const aim_device_model *m, float target, float z)
{
    float r = fabsf(target) / m->g_max;
    return aim__device_drift_exponent(m, curve_at(&m->drift_mean, r),
                                      curve_at(&m->drift_deviation, r), z);
}

aim_device_age aim_device_age_of(const aim_device_model *m, double seconds)
{
    double t = seconds + m->t_0;
    return (aim_device_age){(float)aim_log(t / m->t_0),
                            (float)sqrt(aim_log((t + m->t_read) / (2 * m->t_read)))};
}

float aim_device_drift(const aim_device_age *age, float programmed, float exponent)
{
    return aim__device_drift(age, programmed, exponent);
}

float aim_device_read(const aim_device_model *m, const aim_device_age *age, float programmed,
                      float drifted, float z)
{
    return aim__device_read(m, age, curve_at(&m->read, programmed / m->g_max), drifted, z);
}
