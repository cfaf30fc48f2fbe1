/* SPDX-License-Identifier: Apache-2.0 */
/* A channel's weights on pairs of devices: against each pair computed alone, and
 * against what a pair must give on the average. */
#include "device_constants.h"

#include "analog/device_pairs.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { N = 200, MANY = 200000 };

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

static void at_age(double seconds, float *w)
{
    static const aim_device_pairs pcm = {&PCM_LIKE, 0};
    ramp(w);
    if (seconds < 0)
        aim_device_pairs_program(&pcm, &HERE, w, N, NULL);
    else
        aim_device_pairs_age(&pcm, &HERE, seconds, w, N, NULL);
}

/* How much of the change to one age is in the change to another. */
static double correlation(const float *from, const float *a, const float *b)
{
    double product = 0, squares_a = 0, squares_b = 0;
    for (int j = 0; j < N; j++) {
        double x = (double)a[j] - (double)from[j], y = (double)b[j] - (double)from[j];
        product += x * y;
        squares_a += x * x;
        squares_b += y * y;
    }
    return product / sqrt(squares_a * squares_b);
}

/* Programming noise stays, the noise of reads is drawn anew. */
START_TEST(ages_share_what_was_programmed)
{
    float asked[N], programmed[N], fresh[N], second[N];
    ramp(asked);
    at_age(-1, programmed);
    at_age(0, fresh);
    at_age(1, second);
    ck_assert_double_gt(correlation(asked, programmed, fresh), 0.7);
    ck_assert_double_gt(correlation(asked, fresh, second), 0.4);
    ck_assert_double_lt(fabs(correlation(programmed, fresh, second)), 0.4);
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
    ck_assert_double_eq_tol(sum / MANY, mean, 5.5 * deviation / sqrt(MANY));
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
    tcase_add_test(t, ages_share_what_was_programmed);
    tcase_add_loop_test(t, reram_is_drawn_by_age, 0, N_AGES);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
