/* SPDX-License-Identifier: Apache-2.0 */
/* Noise of devices: against what the simulators drew (tests/data/analog), and
 * against closed forms. Seeds are fixed; limits are five to six standard
 * deviations of what is compared. */
#include "device_constants.h"

#include "analog/normals.h"
#include "base/json.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 200000, MANY = 1000000, TARGETS = 20 };

static float *normals(uint32_t channel, enum aim_stream stream, int n)
{
    aim_device_row row = {.seed = 5, .channel = channel};
    float *z = malloc((size_t)n * sizeof *z);
    ck_assert_ptr_nonnull(z);
    aim_normals(&row, stream, n, z);
    return z;
}

static json_t *vectors(const char *name)
{
    char path[4096];
    aim_error err = {0};
    snprintf(path, sizeof path, "%s/tests/data/analog/%s", getenv("top_srcdir"), name);
    json_t *doc = aim_json_load(path, 1 << 20, &err);
    ck_assert_msg(doc != NULL, "%s", err.text);
    return doc;
}

static double number(const json_t *object, const char *key)
{
    const json_t *v = json_object_get(object, key);
    ck_assert_msg(json_is_number(v), "%s", key);
    return json_number_value(v);
}

static double element(const json_t *array, size_t i)
{
    ck_assert_uint_lt(i, json_array_size(array));
    return json_number_value(json_array_get(array, i));
}

/* ---- statistics ------------------------------------------------------------ */

struct moments {
    int n;
    double mean, deviation;
    double mean_error, deviation_error; /* standard errors of the two */
};

static struct moments moments_of(const float *v, int n)
{
    double sum = 0, squares = 0, fourths = 0;
    for (int i = 0; i < n; i++)
        sum += (double)v[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++) {
        double square = ((double)v[i] - mean) * ((double)v[i] - mean);
        squares += square;
        fourths += square * square;
    }
    double variance = squares / n;
    double kurtosis = variance > 0 ? fourths / n / (variance * variance) : 1;
    double deviation = sqrt(variance);
    return (struct moments){n, mean, deviation, deviation / sqrt(n),
                            deviation * sqrt((kurtosis - 1) / (4.0 * n))};
}

/* `samples` is how many times larger the variance of the difference is: 2 if the
 * expected numbers are estimates from as many draws themselves. */
static void check_moments(const char *what, const struct moments *m, double mean, double deviation,
                          double samples)
{
    double limit = 5.5 * sqrt(samples);
    if (fabs(m->mean - mean) > limit * m->mean_error + 1e-6 * fabs(mean))
        ck_abort_msg("%s: mean %g, expected %g, standard error %g", what, m->mean, mean,
                     m->mean_error);
    if (fabs(m->deviation - deviation) > limit * m->deviation_error + 3e-4 * deviation)
        ck_abort_msg("%s: deviation %g, expected %g, standard error %g", what, m->deviation,
                     deviation, m->deviation_error);
}

/* ---- noise on weights ------------------------------------------------------ */

/* n weights of value w in a channel whose largest is `largest`, after the noise. */
static float *noisy_weights(const aim_pcm_noise *noise, float w, float largest, int n,
                            uint32_t channel)
{
    float *z = normals(channel, AIM_STREAM_PROGRAMMING, n + 1);
    float *weight = malloc(((size_t)n + 1) * sizeof *weight);
    ck_assert_ptr_nonnull(weight);
    for (int j = 0; j < n; j++)
        weight[j] = w;
    weight[n] = largest;
    if (noise)
        aim_pcm_noise_add(noise, z, weight, n + 1);
    else
        aim_additive_noise_add(0.05f, z, weight, n + 1);
    free(z);
    return weight;
}

START_TEST(deviations_are_those_of_the_authors)
{
    json_t *doc = vectors("pcm_afm.json");
    const json_t *row;
    size_t i;
    aim_pcm_noise one = AFM_PCM, two = AFM_PCM;
    one.two_devices_above = INFINITY;
    two.two_devices_above = -1;
    json_array_foreach(json_object_get(doc, "sigma_grid"), i, row)
    {
        float g = (float)number(row, "g");
        ck_assert(aim_pcm_deviation(&one, g) == (float)number(row, "sigma_od_fp16_as_ibm"));
        ck_assert(aim_pcm_deviation(&two, g) == (float)number(row, "sigma_td_fp16_as_ibm"));
        bool is_two = !strcmp(json_string_value(json_object_get(row, "regime")), "two_device");
        ck_assert(aim_pcm_deviation(&AFM_PCM, g) == aim_pcm_deviation(is_two ? &two : &one, g));
    }
    ck_assert_uint_gt(i, 30);
    json_decref(doc);
}
END_TEST

START_TEST(noisy_weights_have_the_authors_moments)
{
    json_t *doc = vectors("pcm_afm.json");
    const json_t *row;
    size_t i;
    json_array_foreach(json_object_get(doc, "moments"), i, row)
    {
        float *w = noisy_weights(&AFM_PCM, (float)number(row, "w"),
                                 (float)number(row, "w_absmax_of_row"), DRAWS, (uint32_t)i);
        struct moments m = moments_of(w, DRAWS);
        check_moments("w", &m, number(row, "expected_mean"), number(row, "expected_std"), 1);
        int zeros = 0;
        for (int j = 0; j < DRAWS; j++)
            zeros += w[j] == 0.0f;
        ck_assert_double_eq_tol((double)zeros / DRAWS, number(row, "frac_exact_zero"), 1e-4);
        free(w);
    }
    ck_assert_uint_gt(i, 20);
    json_decref(doc);
}
END_TEST

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
    float *w = noisy_weights(NULL, -0.02f, 0.1f, DRAWS, 7);
    struct moments m = moments_of(w, DRAWS);
    check_moments("w", &m, (double)-0.02f, 0.05 * (double)0.1f, 1);
    free(w);
}
END_TEST

/* A deviation of 1 and a draw of 1: the change is one unit of g. */
START_TEST(each_channel_of_a_tile_has_its_scale)
{
    json_t *doc = vectors("pcm_afm.json");
    const json_t *tile_scale = json_object_get(doc, "tile_scale");
    const json_t *w = json_object_get(tile_scale, "w");
    const json_t *unit = json_object_get(tile_scale, "g_per_weight_unit_f64");
    const int widths[] = {4, 3, 3};
    aim_pcm_noise noise = {180, AFM_PCM.largest_offset, 0, INFINITY, {0, 0, 0, 1}, {0}};
    const float z[4] = {1, 1, 1, 1};
    for (int o = 0; o < 3; o++)
        for (int t = 0, first = 0; t < 3; first += widths[t++]) {
            float weight[4];
            for (int j = 0; j < widths[t]; j++)
                weight[j] = (float)element(w, (size_t)(o * 10 + first + j));
            float before = weight[0];
            aim_pcm_noise_add(&noise, z, weight, widths[t]);
            double change = (double)weight[0] - (double)before;
            ck_assert_double_eq_tol(change * element(unit, (size_t)(t * 3 + o)), 1, 1e-4);
        }
    json_decref(doc);
}
END_TEST

/* ---- devices --------------------------------------------------------------- */

static aim_device_model model_of(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "model"));
    static const struct {
        const char *name;
        const aim_device_model *model;
    } models[] = {{"PCMLikeNoiseModel", &PCM_LIKE},
                  {"HermesNoiseModel_2dev", &HERMES_TWO},
                  {"HermesNoiseModel_1dev", &HERMES_ONE},
                  {"ReRamWan2022NoiseModel", &RERAM_WAN}};
    for (size_t i = 0; i < sizeof models / sizeof models[0]; i++)
        if (!strcmp(name, models[i].name)) {
            aim_device_model m = *models[i].model;
            m.g_max = (float)number(row, "g_max");
            if (m.n_spreads > 1) /* the simulator does not scale this one */
                m.fitted_g_max = m.g_max;
            return m;
        }
    ck_abort_msg("%s", name);
}

/* Many devices of one target. */
struct devices {
    aim_device_model model;
    float target;
    float *z_program, *z_drift, *z_read;
    float *programmed, *exponent, *now;
};

static struct devices new_devices(aim_device_model model, float target, uint32_t channel)
{
    struct devices d = {.model = model, .target = target};
    d.z_program = normals(channel, AIM_STREAM_PROGRAMMING, DRAWS);
    d.z_drift = normals(channel, AIM_STREAM_DRIFT, DRAWS);
    d.z_read = normals(channel, AIM_STREAM_READ, DRAWS);
    d.programmed = malloc(3 * DRAWS * sizeof(float));
    ck_assert_ptr_nonnull(d.programmed);
    d.exponent = d.programmed + DRAWS;
    d.now = d.exponent + DRAWS;
    for (int i = 0; i < DRAWS; i++) {
        d.programmed[i] = aim_device_program(&d.model, 0, target, d.z_program[i]);
        d.exponent[i] = aim_device_drift_exponent(&d.model, target, d.z_drift[i]);
    }
    return d;
}

static void free_devices(struct devices *d)
{
    free(d->z_program);
    free(d->z_drift);
    free(d->z_read);
    free(d->programmed);
}

static void age_devices(struct devices *d, double seconds)
{
    aim_device_age age = aim_device_age_of(&d->model, seconds);
    for (int i = 0; i < DRAWS; i++) {
        float drifted = aim_device_drift(&age, d->programmed[i], d->exponent[i]);
        d->now[i] = aim_device_read(&d->model, &age, d->programmed[i], drifted, d->z_read[i]);
    }
}

static void draw_again(struct devices *d, double seconds)
{
    int spread = 0;
    while (d->model.spread[spread].age < seconds)
        spread++;
    for (int i = 0; i < DRAWS; i++)
        d->now[i] = aim_device_program(&d->model, spread, d->target, d->z_read[i]);
}

static void check_pair(const char *what, const float *v, const json_t *expected, size_t first)
{
    struct moments m = moments_of(v, DRAWS);
    check_moments(what, &m, element(expected, first), element(expected, first + 1), 2);
}

static void check_case(const json_t *row, uint32_t channel)
{
    char what[128];
    const json_t *at, *exponents = json_object_get(row, "nu_mean_std");
    size_t i;
    struct devices d = new_devices(model_of(row), (float)number(row, "g_target"), channel);
    check_pair("programmed", d.programmed, json_object_get(row, "g_prog_mean_std"), 0);
    if (exponents)
        check_pair("exponent", d.exponent, exponents, 0);
    json_array_foreach(json_object_get(row, "at_t"), i, at)
    {
        snprintf(what, sizeof what, "%s, %g uS, %g s",
                 json_string_value(json_object_get(row, "model")), (double)d.target,
                 element(at, 0));
        if (d.model.n_spreads > 1)
            draw_again(&d, element(at, 0));
        else
            age_devices(&d, element(at, 0));
        check_pair(what, d.now, at, 1);
    }
    ck_assert_uint_ge(i, 3);
    free_devices(&d);
}

enum { N_CASES = 28 };

START_TEST(devices_have_the_simulators_moments)
{
    json_t *doc = vectors("aihwkit_noise_moments.json");
    const json_t *cases = json_object_get(doc, "cases");
    ck_assert_uint_eq(json_array_size(cases), N_CASES);
    check_case(json_array_get(cases, (size_t)_i), (uint32_t)_i);
    json_decref(doc);
}
END_TEST

/* What is left of a normal with mean g and deviation s when it is cut off at 0:
 * mean g P(z) + s p(z) with z = g / s. */
static const struct {
    const aim_device_model *model;
    int spread;
} spreads[] = {{&PCM_LIKE, 0}, {&HERMES_TWO, 0}, {&HERMES_ONE, 0}, {&RERAM_WAN, 1}};
enum { N_SPREADS = sizeof spreads / sizeof spreads[0] };

START_TEST(programming_follows_the_cut_off_normal)
{
    const aim_device_model *model = spreads[_i / TARGETS].model;
    int spread = spreads[_i / TARGETS].spread;
    double r = (double)(_i % TARGETS) / (TARGETS - 1), g = r * (double)model->g_max, s = 0;
    for (int k = 4; k >= 0; k--)
        s = s * r + (double)model->spread[spread].polynomial[k];
    double z = g / s, above = 0.5 * erfc(-z / sqrt(2));
    double density = exp(-z * z / 2) / sqrt(2 * M_PI);
    double mean = g * above + s * density, square = (g * g + s * s) * above + g * s * density;
    float *v = normals((uint32_t)_i, AIM_STREAM_PROGRAMMING, MANY);
    for (int i = 0; i < MANY; i++)
        v[i] = aim_device_program(model, spread, (float)g, v[i]);
    struct moments m = moments_of(v, MANY);
    check_moments("programmed", &m, mean, sqrt(square - mean * mean), 1);
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
    aim_json_init();
    Suite *s = suite_create("device_noise");
    TCase *t = tcase_create("device_noise");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, deviations_are_those_of_the_authors);
    tcase_add_test(t, noisy_weights_have_the_authors_moments);
    tcase_add_loop_test(t, noisy_weights_follow_the_polynomials, 0, TARGETS);
    tcase_add_test(t, additive_noise_is_a_share_of_the_largest);
    tcase_add_test(t, each_channel_of_a_tile_has_its_scale);
    tcase_add_loop_test(t, devices_have_the_simulators_moments, 0, N_CASES);
    tcase_add_loop_test(t, programming_follows_the_cut_off_normal, 0, N_SPREADS * TARGETS);
    tcase_add_test(t, curves_follow_the_published_formulas);
    tcase_add_test(t, drift_is_a_power_of_time);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
