/* SPDX-License-Identifier: Apache-2.0 */
/* profile_check.c - do the settings of a profile fit each other? Errors name the key,
 * or the section, in err->param. */
#include "analog/converter.h"
#include "analog/profile.h"

#include <math.h>

/* Deviations are looked at in this many places from 0 to the largest conductance. */
enum { N_SAMPLES = 200 };

/* Learned clips come with a layer, not with a chip. */
static int check_weights(const aim_profile *p, aim_error *err)
{
    if (p->tile.clip == AIM_CLIP_LEARNABLE)
        return aim_fail_param(err, AIM_EINVAL, "clip",
                              "a chip cannot be programmed with learned clips");
    bool gaussian =
        p->tile.clip == AIM_CLIP_GAUSSIAN || p->tile.clip == AIM_CLIP_GAUSSIAN_PER_CHANNEL;
    if (gaussian && !(p->clip_sigma > 0))
        return aim_fail_param(err, AIM_EINVAL, "clip_sigma",
                              "clip_sigma is %g: limiting weights at standard deviations needs "
                              "their number",
                              p->clip_sigma);
    /* Levels lie on both sides of zero. */
    double steps = aim_converter_steps(p->tile.weight_res);
    if (p->tile.weight_quantisation != AIM_WEIGHTS_FLOAT && fmod(rint(steps), 2) != 0)
        return aim_fail_param(err, AIM_EINVAL, "weight_res",
                              "weight_res is %g: must be an even number of steps",
                              p->tile.weight_res);
    if (p->conductance_bits != 8 && p->conductance_bits != 16)
        return aim_fail_param(err, AIM_EINVAL, "conductance_bits",
                              "conductance_bits is %d: must be 8 or 16", p->conductance_bits);
    return AIM_OK;
}

static int check_read_noise(const aim_profile *p, aim_error *err)
{
    if (p->read_noise == AIM_READ_NOISE_OUTPUT && p->tile.input_range == AIM_RANGE_NONE)
        return aim_fail_param(err, AIM_EINVAL, "read_noise",
                              "noise that grows with the range of inputs needs an input_range");
    return AIM_OK;
}

/* ---- programming ------------------------------------------------------------ */

static int check_pcm(const aim_pcm_noise *noise, aim_error *err)
{
    if (noise->dead_zone > noise->two_devices_above)
        return aim_fail_param(err, AIM_EINVAL, "dead_zone",
                              "dead_zone (%g) is above two_devices_above (%g)", noise->dead_zone,
                              noise->two_devices_above);
    for (int i = 0; i <= N_SAMPLES; i++) {
        float g = noise->g_max * (float)i / N_SAMPLES;
        const char *key = g > noise->two_devices_above ? "two_devices" : "one_device";
        float deviation = g < noise->dead_zone ? 0.0f : aim_pcm_deviation(noise, g);
        if (!(deviation >= 0.0f))
            return aim_fail_param(err, AIM_EINVAL, key,
                                  "%s: the standard deviation at a conductance of %g is %g", key, g,
                                  deviation);
    }
    return AIM_OK;
}

static int check_spread(const aim_device_model *m, int number, aim_error *err)
{
    const aim_device_spread *spread = &m->spread[number];
    if (number > 0 && !(spread->age > spread[-1].age))
        return aim_fail_param(err, AIM_EINVAL, "age",
                              "age %g does not come after %g, that of the spread before",
                              spread->age, spread[-1].age);
    for (int i = 0; i <= N_SAMPLES; i++) {
        float target = m->g_max * (float)i / N_SAMPLES;
        float deviation = aim_device_program(m, number, target, 1.0f) - target;
        if (!(deviation >= -1e-6f * m->g_max)) /* what the subtraction may be wrong by */
            return aim_fail_param(err, AIM_EINVAL, "spread",
                                  "spread: the standard deviation at a conductance of %g is %g",
                                  target, deviation);
    }
    return AIM_OK;
}

static int check_curve(const aim_device_curve *c, const char *section, aim_error *err)
{
    if (c->lowest > c->highest)
        return aim_fail_param(err, AIM_EINVAL, section, "%s: lowest (%g) is above highest (%g)",
                              section, c->lowest, c->highest);
    const float *p = c->polynomial;
    if (c->split <= 1.0f && p[0] == 0.0f && p[1] == 0.0f && p[2] == 0.0f && p[3] == 0.0f)
        return aim_fail_param(err, AIM_EINVAL, section,
                              "%s: split is %g, but there is no polynomial", section, c->split);
    return AIM_OK;
}

/* Somewhere: a polynomial begins at split, and is not limited. */
static bool is_above_zero(const aim_device_curve *c)
{
    return c->highest > 0 || c->split <= 1.0f;
}

static int check_times(const aim_profile *p, aim_error *err)
{
    const aim_device_model *m = &p->device;
    if (m->n_spreads > 1 && (is_above_zero(&m->drift_mean) || is_above_zero(&m->drift_deviation) ||
                             is_above_zero(&m->read)))
        return aim_fail_param(err, AIM_EINVAL, "spread",
                              "devices with several spreads neither drift nor fluctuate");
    if (!p->drift || m->n_spreads > 1)
        return AIM_OK;
    if (!(m->t_read > 0))
        return aim_fail_param(err, AIM_EINVAL, "t_read",
                              "devices that drift or fluctuate need t_0 and t_read");
    if (!(m->t_0 >= m->t_read))
        return aim_fail_param(err, AIM_EINVAL, "t_0", "t_0 (%g) is less than t_read (%g)", m->t_0,
                              m->t_read);
    return AIM_OK;
}

static int check_devices(const aim_profile *p, aim_error *err)
{
    const aim_device_model *m = &p->device;
    if (!(p->g_min < m->g_max))
        return aim_fail_param(err, AIM_EINVAL, "g_min", "g_min (%g) is not less than g_max (%g)",
                              p->g_min, m->g_max);
    if (m->n_spreads < 1 || m->n_spreads > AIM_DEVICE_MAX_SPREADS)
        return aim_fail_param(err, AIM_EINVAL, "spread", "%d spreads: must be from 1 to %d",
                              m->n_spreads, AIM_DEVICE_MAX_SPREADS);
    for (int i = 0; i < m->n_spreads; i++)
        if (check_spread(m, i, err))
            return AIM_EINVAL;
    if (check_curve(&m->drift_mean, "mean", err) ||
        check_curve(&m->drift_deviation, "deviation", err) || check_curve(&m->read, "share", err))
        return AIM_EINVAL;
    return check_times(p, err);
}

static int check_programming(const aim_profile *p, aim_error *err)
{
    if (p->programming == AIM_PROGRAMMING_PCM)
        return check_pcm(&p->pcm, err);
    if (p->programming == AIM_PROGRAMMING_DEVICES)
        return check_devices(p, err);
    return AIM_OK;
}

int aim_profile_check(const aim_profile *p, aim_error *err)
{
    if (aim_tile_settings_check(&p->tile, err) || check_weights(p, err) ||
        check_read_noise(p, err) || check_programming(p, err))
        return AIM_EINVAL;
    return AIM_OK;
}
