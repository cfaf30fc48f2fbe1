/* SPDX-License-Identifier: Apache-2.0 */
/* Noise and drift of devices against closed forms: a million draws at each of twenty
 * conductances, on both sides of every border of the models. What a comparison may be
 * off by is in draws.h. */
#include "device_constants.h"
#include "draws.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { MANY = 1000000, TARGETS = 20 };

/* ---- noise on weights ------------------------------------------------------ */

/* Twenty magnitudes from the dead zone to the largest, a million draws each. */
START_TEST(noisy_weights_follow_the_polynomials)
{
    static const double g[TARGETS] = {0,  0.3, 0.59, 0.61, 1,  2,  5,   10,  20,  30,
                                      40, 50,  52.4, 52.6, 60, 80, 100, 130, 160, 180};
    const float *c = g[_i] > 52.5 ? AFM_PCM.two_devices : AFM_PCM.one_device;
    double deviation = ((double)c[0] * g[_i] + (double)c[1]) * g[_i] + (double)c[2];
    deviation = deviation * g[_i] + (double)c[3];
    double unit = (1 + (double)AFM_PCM.largest_offset) / 180;
    double sign = _i % 2 ? -1 : 1;
    float *w = noisy_weights(&AFM_PCM, (float)(sign * g[_i] * unit), 1.0f, MANY, (uint32_t)_i);
    struct moments m = moments_of(w, MANY);
    bool dead = g[_i] < 0.6;
    check_moments("w", &m, dead ? 0 : sign * g[_i] * unit, dead ? 0 : deviation * unit, 1);
    free(w);
}
END_TEST

START_TEST(additive_noise_is_a_share_of_the_largest)
{
    float *w = noisy_weights(NULL, -0.02f, 0.1f, MANY, 7);
    struct moments m = moments_of(w, MANY);
    check_moments("w", &m, (double)-0.02f, 0.05 * (double)0.1f, 1);
    free(w);
}
END_TEST

/* ---- devices --------------------------------------------------------------- */

/* As parts of g_max: the coefficients change their form at 0.0945, 0.16 and 0.3055, and
 * meet their limits below and in between. */
static const double targets[TARGETS] = {0,     0.002, 0.01,  0.02,  0.04, 0.07, 0.094,
                                        0.095, 0.12,  0.158, 0.161, 0.2,  0.28, 0.3035,
                                        0.306, 0.4,   0.55,  0.7,   0.9,  1};

struct expected {
    double mean, square; /* of the mean and of the mean square */
};

static void check(const char *what, const float *v, struct expected e)
{
    struct moments m = moments_of(v, MANY);
    check_moments(what, &m, e.mean, sqrt(fmax(e.square - e.mean * e.mean, 0)), 1);
}

static double below(double z)
{
    return 0.5 * erfc(-z / sqrt(2));
}

static double density(double z)
{
    return exp(-z * z / 2) / sqrt(2 * M_PI);
}

/* What is left of a normal with mean g and deviation s when it is cut off at 0. */
static struct expected cut_off_normal(double g, double s)
{
    if (s == 0)
        return (struct expected){g, g * g};
    double z = g / s;
    return (struct expected){g * below(z) + s * density(z),
                             (g * g + s * s) * below(z) + g * s * density(z)};
}

static const struct {
    const aim_device_model *model;
    int spread;
} spreads[] = {{&PCM_LIKE, 0}, {&HERMES_TWO, 0}, {&RERAM_WAN, 1}};
enum { N_SPREADS = sizeof spreads / sizeof spreads[0] };

START_TEST(programming_follows_the_cut_off_normal)
{
    const aim_device_model *model = spreads[_i / TARGETS].model;
    int spread = spreads[_i / TARGETS].spread;
    double r = targets[_i % TARGETS], s = 0;
    for (int k = 4; k >= 0; k--)
        s = s * r + (double)model->spread[spread].polynomial[k];
    float g = (float)r * model->g_max, *v = normals((uint32_t)_i, AIM_STREAM_PROGRAMMING, MANY);
    for (int i = 0; i < MANY; i++)
        v[i] = aim_device_program(model, spread, g, v[i]);
    check("programmed", v, cut_off_normal((double)g, s));
    free(v);
}
END_TEST

static const aim_device_model *const drifting[] = {&PCM_LIKE, &HERMES_TWO};
enum { N_DRIFTING = sizeof drifting / sizeof drifting[0] };

/* A coefficient at r, in double. */
static double coefficient(const aim_device_curve *c, double r)
{
    if (r >= (double)c->split) {
        double value = 0;
        for (int k = 3; k >= 0; k--)
            value = value * r + (double)c->polynomial[k];
        return value;
    }
    double log_r = log(fmax(r, 1e-7));
    double value = c->exponent != 0 ? (double)c->scale * exp((double)c->exponent * log_r)
                                    : (double)c->scale * log_r + (double)c->constant;
    return fmin(fmax(value, (double)c->lowest), (double)c->highest);
}

/* Exponents are the magnitude of a normal. */
static struct expected folded_normal(double mu, double sd)
{
    double z = mu / sd;
    return (struct expected){mu * (1 - 2 * below(-z)) + 2 * sd * density(z), mu * mu + sd * sd};
}

/* Mean of exp(-t |x|), x a normal. */
static double decay(double t, double mu, double sd)
{
    double grown = t * t * sd * sd / 2;
    return exp(grown - t * mu) * below(mu / sd - t * sd) +
           exp(grown + t * mu) * below(-mu / sd - t * sd);
}

/* Exponents of devices, and what they leave of a conductance of 1. */
START_TEST(drift_follows_the_folded_normal)
{
    static const double ages[] = {1, 3600, 86400, 31557600};
    const aim_device_model *m = drifting[_i / TARGETS];
    double r = targets[_i % TARGETS];
    double mu = coefficient(&m->drift_mean, r), sd = coefficient(&m->drift_deviation, r);
    double seconds = ages[_i % 4], t = log((seconds + m->t_0) / m->t_0);
    aim_device_age age = aim_device_age_of(m, seconds);
    float *v = normals((uint32_t)_i, AIM_STREAM_DRIFT, MANY);
    for (int i = 0; i < MANY; i++)
        v[i] = aim_device_drift_exponent(m, (float)r * m->g_max, v[i]);
    check("exponent", v, folded_normal(mu, sd));
    for (int i = 0; i < MANY; i++)
        v[i] = aim_device_drift(&age, 1.0f, v[i]);
    check("drifted", v, (struct expected){decay(t, mu, sd), decay(2 * t, mu, sd)});
    free(v);
}
END_TEST

/* A share of the conductance that grows with the age, cut off at 0. */
START_TEST(fluctuations_follow_the_cut_off_normal)
{
    static const double ages[] = {0, 60, 86400, 31557600};
    const aim_device_model *m = drifting[_i / TARGETS];
    double r = targets[_i % TARGETS], seconds = ages[_i % 4];
    double growth = sqrt(log((seconds + m->t_0 + m->t_read) / (2 * m->t_read)));
    aim_device_age age = aim_device_age_of(m, seconds);
    float *v = normals((uint32_t)_i, AIM_STREAM_READ, MANY);
    for (int i = 0; i < MANY; i++)
        v[i] = aim_device_read(m, &age, (float)r * m->g_max, 2.0f, v[i]);
    check("read", v, cut_off_normal(2, 2 * coefficient(&m->read, r) * growth));
    free(v);
}
END_TEST

/* Mean and deviation of the drift's exponent and the 1/f noise, on each side of
 * the splits and inside the limits; from the published formulas, in Python. */
static const struct {
    const aim_device_model *model;
    float r;
    double mean, deviation, read;
} curves[] = {
    {&PCM_LIKE, 0.01f, 0.095780, 0.045000, 0.175583},
    {&PCM_LIKE, 0.05f, 0.070834, 0.031547, 0.061681},
    {&PCM_LIKE, 0.2f, 0.049346, 0.014218, 0.025050},
    {&PCM_LIKE, 0.28f, 0.049000, 0.010012, 0.020129},
    {&PCM_LIKE, 0.9f, 0.049000, 0.008000, 0.009424},
    {&HERMES_TWO, 0.01f, 0.130000, 0.040000, 0.040000},
    {&HERMES_TWO, 0.05f, 0.097735, 0.029350, 0.028150},
    {&HERMES_TWO, 0.12f, 0.071460, 0.019107, 0.017907},
    {&HERMES_TWO, 0.28f, 0.066654, 0.009194, 0.016164},
    {&HERMES_TWO, 0.9f, 0.026944, 0.006112, 0.013640},
    {&HERMES_ONE, 0.01f, 0.130000, 0.040000, 0.039720},
    {&HERMES_ONE, 0.05f, 0.097735, 0.033649, 0.027167},
    {&HERMES_ONE, 0.12f, 0.071460, 0.023143, 0.020338},
    {&HERMES_ONE, 0.28f, 0.066654, 0.012976, 0.021162},
    {&HERMES_ONE, 0.9f, 0.026944, 0.007475, 0.016814},
};

START_TEST(curves_follow_the_published_formulas)
{
    for (size_t i = 0; i < sizeof curves / sizeof curves[0]; i++) {
        const aim_device_model *m = curves[i].model;
        float g = curves[i].r * m->g_max;
        double mean = (double)aim_device_drift_exponent(m, g, 0);
        double one_more = (double)aim_device_drift_exponent(m, g, 1);
        ck_assert_double_eq_tol(mean, curves[i].mean, 1e-6);
        ck_assert_double_eq_tol(one_more - mean, curves[i].deviation, 1e-6);
        aim_device_age unit = {0, 1}; /* no drift, and the noise itself */
        double noise = (double)aim_device_read(m, &unit, g, 1.0f, 1.0f) - 1;
        ck_assert_double_eq_tol(noise, curves[i].read, 1e-6);
    }
}
END_TEST

/* Without deviations: (t / t_0)^-nu, and no drift yet at age 0. */
START_TEST(drift_is_a_power_of_time)
{
    for (double seconds = 0; seconds < 4e7; seconds = 10 * seconds + 1) {
        aim_device_age age = aim_device_age_of(&PCM_LIKE, seconds);
        double expected = 5 * pow((seconds + 20) / 20, -0.06);
        ck_assert_double_eq_tol((double)aim_device_drift(&age, 5.0f, 0.06f), expected, 5e-6);
    }
    aim_device_age fresh = aim_device_age_of(&PCM_LIKE, 0);
    ck_assert(aim_device_drift(&fresh, 5.0f, 0.06f) == 5.0f);
    ck_assert_double_eq_tol((double)fresh.read, sqrt(log((20 + 250e-9) / 500e-9)), 1e-6);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("device_statistics");
    TCase *t = tcase_create("device_statistics");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, noisy_weights_follow_the_polynomials, 0, TARGETS);
    tcase_add_test(t, additive_noise_is_a_share_of_the_largest);
    tcase_add_loop_test(t, programming_follows_the_cut_off_normal, 0, N_SPREADS * TARGETS);
    tcase_add_loop_test(t, drift_follows_the_folded_normal, 0, N_DRIFTING * TARGETS);
    tcase_add_loop_test(t, fluctuations_follow_the_cut_off_normal, 0, N_DRIFTING * TARGETS);
    tcase_add_test(t, curves_follow_the_published_formulas);
    tcase_add_test(t, drift_is_a_power_of_time);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
