/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's weights on pairs of devices: against each pair computed alone, and
 * against what a pair must give on the average. */
#include "device_constants.h"

#include "analog/device_pairs.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200, MANY = 1000000 };

static const aim_device_row HERE = {.seed = 9, .layer = 1, .tile = 2, .channel = 33};
static const float HOUR = 3600, DAY = 86400;

static void ramp(float *weight) /* from -1 to 1 times 0.05 */
{
    for (int j = 0; j < N; j++)
        weight[j] = 0.05f * (float)(2 * j - N + 1) / (N - 1);
}

/* A device that keeps what it is told. */
static aim_device_model perfect(void)
{
    aim_device_model m = PCM_LIKE;
    m.programming_scale = m.drift_scale = m.read_scale = 0;
    return m;
}

START_TEST(perfect_devices_keep_the_weights)
{
    float asked[N], w[N];
    aim_device_model m = perfect();
    for (float g_min = 0; g_min < 6; g_min += 5) {
        aim_device_pairs p = {&m, g_min};
        ramp(asked);
        ramp(w);
        aim_device_pairs_age(&p, &HERE, 1e6, w, N, NULL);
        for (int j = 0; j < N; j++)
            ck_assert_float_eq_tol(w[j], asked[j], 2e-8f);
    }
}
END_TEST

START_TEST(zeros_stay_near_zero)
{
    static const aim_device_pairs pcm = {&PCM_LIKE, 0};
    float w[N] = {0};
    aim_device_pairs_program(&pcm, &HERE, w, N, NULL);
    for (int j = 0; j < N; j++)
        ck_assert(fabsf(w[j]) < 1e-8f);
}
END_TEST

/* The drift alone: every conductance by the power of its exponent, here equal. */
START_TEST(weights_drift_together)
{
    float asked[N], w[N];
    aim_device_model m = perfect();
    m.drift_scale = 1;
    m.drift_mean = (aim_device_curve){ALWAYS_BELOW, 0, 0.06f, 0, 0, 1, {0}};
    m.drift_deviation = (aim_device_curve){ALWAYS_BELOW, 0, 0, 0, 0, 0, {0}};
    aim_device_pairs p = {&m, 0};
    ramp(asked);
    ramp(w);
    aim_device_pairs_age(&p, &HERE, (double)DAY, w, N, NULL);
    float left = (float)pow((86400.0 + 20) / 20, -0.06);
    for (int j = 0; j < N; j++)
        ck_assert_float_eq_tol(w[j], asked[j] * left, 2e-8f);
}
END_TEST

/* One device of one weight, from its place alone. */
static float device_at(const aim_device_model *m, int device, float asked, int j, double seconds)
{
    aim_device_row row = HERE, read = HERE;
    float z_program[N], z_drift[N], z_read[N];
    uint64_t bits;
    row.device = read.device = (uint8_t)device;
    memcpy(&bits, &seconds, sizeof bits);
    aim_rng_block b = aim_rng_draw(HERE.seed, AIM_STREAM_READ, bits, 0);
    read.seed = (uint64_t)b.v[1] << 32 | b.v[0];
    aim_normals(&row, AIM_STREAM_PROGRAMMING, N, z_program);
    aim_normals(&row, AIM_STREAM_DRIFT, N, z_drift);
    aim_normals(&read, AIM_STREAM_READ, N, z_read);
    aim_device_age age = aim_device_age_of(m, seconds);
    float g = aim_device_program(m, 0, asked, z_program[j]);
    float drifted = aim_device_drift(&age, g, aim_device_drift_exponent(m, asked, z_drift[j]));
    return aim_device_read(m, &age, g, drifted, z_read[j]);
}

START_TEST(each_pair_is_its_two_devices)
{
    static const aim_device_pairs hermes = {&HERMES_TWO, 0};
    float asked[N], w[N], scale = HERMES_TWO.g_max / 0.05f;
    ramp(asked);
    ramp(w);
    aim_device_pairs_age(&hermes, &HERE, (double)HOUR, w, N, NULL);
    for (int j = 0; j < N; j += 7) {
        float g = asked[j] * scale;
        float plus = device_at(&HERMES_TWO, 0, g > 0 ? g : 0, j, (double)HOUR);
        float minus = device_at(&HERMES_TWO, 1, g < 0 ? -g : 0, j, (double)HOUR);
        ck_assert_float_eq_tol(w[j], (plus - minus) / scale, 1e-7f);
    }
}
END_TEST

/* ---- what is independent --------------------------------------------------- */

/* Many devices of the same target, half of the largest; free it. */
static float *same_targets(const aim_device_model *m, aim_device_row row, double seconds)
{
    aim_device_pairs pairs = {m, 0};
    float *w = malloc(MANY * sizeof *w);
    ck_assert_ptr_nonnull(w);
    for (int j = 0; j < MANY; j++)
        w[j] = 0.5f;
    w[MANY - 1] = 1;
    aim_device_pairs_age(&pairs, &row, seconds, w, MANY, NULL);
    return w;
}

static double mean_of(const float *v)
{
    double sum = 0;
    for (int j = 0; j < MANY - 1; j++)
        sum += (double)v[j];
    return sum / (MANY - 1);
}

/* Frees both. */
static double correlation(float *a, float *b)
{
    double product = 0, squares_a = 0, squares_b = 0, mean_a = mean_of(a), mean_b = mean_of(b);
    for (int j = 0; j < MANY - 1; j++) {
        double x = (double)a[j] - mean_a, y = (double)b[j] - mean_b;
        product += x * y;
        squares_a += x * x;
        squares_b += y * y;
    }
    free(a);
    free(b);
    return product / sqrt(squares_a * squares_b);
}

/* 6.5 standard errors, 8e-11 for each of the few comparisons. */
static const double NO_CORRELATION = 6.5 / 1000;

START_TEST(places_share_nothing)
{
    static const aim_device_row others[] = {
        {10, 1, 2, 33, 0}, {9, 2, 2, 33, 0}, {9, 1, 1, 33, 0}, {9, 1, 2, 34, 0}, {9, 2, 1, 33, 0}};
    float *here = same_targets(&PCM_LIKE, HERE, (double)DAY);
    float *there = same_targets(&PCM_LIKE, others[_i], (double)DAY);
    ck_assert_double_lt(fabs(correlation(here, there)), NO_CORRELATION);
}
END_TEST
enum { N_PLACES = 5 };

/* Noise of reads is drawn anew for each age; what was programmed and how fast it drifts
 * stay. */
START_TEST(ages_share_all_but_the_fluctuation)
{
    static const double before[] = {0, 1, 3600}, now = 86400;
    aim_device_model fluctuating = PCM_LIKE, steady = PCM_LIKE, drifting = PCM_LIKE;
    fluctuating.programming_scale = fluctuating.drift_scale = 0;
    steady.drift_scale = steady.read_scale = 0;
    drifting.programming_scale = drifting.read_scale = 0;
    double changed = correlation(same_targets(&fluctuating, HERE, before[_i]),
                                 same_targets(&fluctuating, HERE, now));
    double kept =
        correlation(same_targets(&steady, HERE, before[_i]), same_targets(&steady, HERE, now));
    ck_assert_double_lt(fabs(changed), NO_CORRELATION);
    ck_assert_double_gt(kept, 1 - 1e-9);
    if (before[_i] == 0) /* nothing has drifted yet */
        return;
    double worn =
        correlation(same_targets(&drifting, HERE, before[_i]), same_targets(&drifting, HERE, now));
    ck_assert_double_gt(worn, 0.99);
}
END_TEST
enum { N_BEFORE = 3 };

START_TEST(spreads_are_drawn_anew)
{
    static const double ages[] = {1, 86400, 172800};
    float *then = same_targets(&RERAM_WAN, HERE, ages[_i]);
    float *now = same_targets(&RERAM_WAN, HERE, ages[(_i + 1) % 3]);
    ck_assert_double_lt(fabs(correlation(then, now)), NO_CORRELATION);
}
END_TEST

/* Two devices asked for the same: the variances add. */
START_TEST(devices_of_a_pair_share_nothing)
{
    aim_device_pairs pairs = {&PCM_LIKE, 10};
    float *w = calloc(MANY, sizeof *w);
    ck_assert_ptr_nonnull(w);
    w[MANY - 1] = 15; /* makes the scale 1 */
    aim_device_pairs_program(&pairs, &HERE, w, MANY, NULL);
    const float *c = PCM_LIKE.spread[0].polynomial;
    double one = (double)(c[0] + (c[1] + c[2] * 0.4f) * 0.4f), squares = 0;
    for (int j = 0; j < MANY - 1; j++)
        squares += (double)w[j] * (double)w[j];
    double variance = squares / (MANY - 1), expected = 2 * one * one;
    ck_assert_double_eq_tol(variance, expected, 6.5 * expected * sqrt(2.0 / MANY));
    free(w);
}
END_TEST

/* Devices that are drawn again have the spread of their age. */
START_TEST(reram_is_drawn_by_age)
{
    static const struct {
        double seconds;
        int spread;
    } ages[] = {{-1, 0}, {0, 0}, {1, 0}, {86399, 0}, {86400, 1}, {172800, 2}, {1e9, 2}};
    static const aim_device_pairs reram = {&RERAM_WAN, 0};
    static float w[MANY];
    const float *c = RERAM_WAN.spread[ages[_i].spread].polynomial;
    for (int j = 0; j < MANY; j++)
        w[j] = 20; /* half of g_max; the last makes the scale 1 */
    w[MANY - 1] = 40;
    if (ages[_i].seconds < 0)
        aim_device_pairs_program(&reram, &HERE, w, MANY, NULL);
    else
        aim_device_pairs_age(&reram, &HERE, ages[_i].seconds, w, MANY, NULL);
    double sum = 0, squares = 0;
    for (int j = 0; j < MANY - 1; j++) {
        sum += (double)w[j] - 20;
        squares += ((double)w[j] - 20) * ((double)w[j] - 20);
    }
    /* The other device holds what is left of noise around 0: half of a normal. */
    double own = (double)(c[0] + (c[1] + (c[2] + (c[3] + c[4] / 2) / 2) / 2) / 2);
    double other = (double)c[0] * sqrt(0.5 - 0.5 / M_PI), mean = -(double)c[0] / sqrt(2 * M_PI);
    double deviation = sqrt(squares / MANY - sum / MANY * sum / MANY);
    ck_assert_double_eq_tol(sum / MANY, mean, 6.5 * deviation / sqrt(MANY));
    ck_assert_double_eq_tol(deviation, sqrt(own * own + other * other), 0.01 * deviation);
}
END_TEST
enum { N_AGES = 7 };

int main(void)
{
    Suite *s = suite_create("device_pairs");
    TCase *t = tcase_create("device_pairs");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, perfect_devices_keep_the_weights);
    tcase_add_test(t, zeros_stay_near_zero);
    tcase_add_test(t, weights_drift_together);
    tcase_add_test(t, each_pair_is_its_two_devices);
    tcase_add_loop_test(t, places_share_nothing, 0, N_PLACES);
    tcase_add_loop_test(t, ages_share_all_but_the_fluctuation, 0, N_BEFORE);
    tcase_add_loop_test(t, spreads_are_drawn_anew, 0, 3);
    tcase_add_test(t, devices_of_a_pair_share_nothing);
    tcase_add_loop_test(t, reram_is_drawn_by_age, 0, N_AGES);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
