/* SPDX-License-Identifier: Apache-2.0 */
/* Noise of devices against what the simulators drew (tests/data/analog). Closed
 * forms are in test_device_statistics.c. */
#include "device_constants.h"
#include "draws.h"

#include "base/json.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DRAWS = 200000 };

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

/* ---- noise on weights ------------------------------------------------------ */

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

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("device_noise");
    TCase *t = tcase_create("device_noise");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, deviations_are_those_of_the_authors);
    tcase_add_test(t, noisy_weights_have_the_authors_moments);
    tcase_add_test(t, each_channel_of_a_tile_has_its_scale);
    tcase_add_loop_test(t, devices_have_the_simulators_moments, 0, N_CASES);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
