/* SPDX-License-Identifier: Apache-2.0 */
/* The loops of programming on every instruction set of this machine: the bits of the
 * portable ones, whatever the length. */
#include "device_constants.h"

#include "analog/noise_loops.h"
#include "base/cpu.h"

#include <check.h>
#include <math.h>
#include <string.h>

enum { MOST = 1200 };

/* Around vectors, groups and chunks. */
static const int lengths[] = {1, 2, 7, 15, 16, 17, 63, 64, 65, 511, 512, 513, MOST};
enum { N_LENGTHS = sizeof lengths / sizeof lengths[0] };

static const aim_device_row HERE = {
    .seed = 0x9876543210, .layer = 7, .tile = 3, .channel = 1ul << 31, .device = 1};

/* The row of the table for this turn of the loop; NULL if the CPU cannot run it. */
static const aim__noise_loops *loops_at(int i)
{
    int count;
    const aim__noise_loops *const *all = aim__noise_loops_all(&count);
    return i < count && !(all[i]->needs & ~aim_cpu_features()) ? all[i] : NULL;
}
enum { MOST_ROWS = 3 };

/* Weights with zeros, ties, and magnitudes from nothing to the largest. */
static void fill(float *w, int n)
{
    aim_normals(&HERE, AIM_STREAM_WEIGHTS, n, w);
    for (int j = 0; j < n; j++)
        w[j] = j % 11 == 0 ? 0.0f : j % 7 == 0 ? w[j] * 1e-12f : w[j] * 0.05f;
    w[n / 2] = -0.25f;
}

/* All bytes alike, also those behind the end, which stay as they were. */
#define CHECK_SAME(a, b) ck_assert(!memcmp(a, b, sizeof(a)))

START_TEST(normals_and_reductions)
{
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    float expected[MOST + 64] = {0}, z[MOST + 64] = {0}, w[MOST];
    for (int i = 0; i < N_LENGTHS; i++) {
        int groups = (lengths[i] + 63) / 64;
        aim__noise_portable.normal_groups(&HERE, AIM_STREAM_DRIFT, 5 + i, groups, expected);
        loops->normal_groups(&HERE, AIM_STREAM_DRIFT, 5 + i, groups, z);
        CHECK_SAME(expected, z);
        fill(w, lengths[i]);
        ck_assert(loops->max_abs(w, lengths[i]) == 0.25f);
        ck_assert(loops->sum_abs(w, lengths[i]) == aim__noise_portable.sum_abs(w, lengths[i]));
        w[lengths[i] - 1] = NAN;
        ck_assert(isnan(loops->max_abs(w, lengths[i])));
    }
}
END_TEST

/* Also over the end of the lower 32 bits. */
START_TEST(blocks_are_those_drawn_alone)
{
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    for (int n = 0; n < 70; n++) {
        aim_rng_block blocks[70] = {0};
        uint64_t first = 0xfffffff0u + (uint64_t)n;
        loops->random_blocks(HERE.seed, AIM_STREAM_WEIGHTS, first, n, blocks);
        for (int i = 0; i < 70; i++) {
            aim_rng_block b = {0};
            if (i < n)
                b = aim_rng_draw(HERE.seed, AIM_STREAM_WEIGHTS, first + (uint64_t)i, 0);
            ck_assert(!memcmp(&blocks[i], &b, sizeof b));
        }
    }
}
END_TEST

START_TEST(noise_on_weights)
{
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    float z[MOST], expected[MOST] = {0}, w[MOST] = {0};
    aim_normals(&HERE, AIM_STREAM_PROGRAMMING, MOST, z);
    for (int i = 0; i < N_LENGTHS; i++) {
        fill(expected, lengths[i]);
        fill(w, lengths[i]);
        aim__noise_portable.pcm_noise(&AFM_PCM, 3.9f, z, expected, lengths[i]);
        loops->pcm_noise(&AFM_PCM, 3.9f, z, w, lengths[i]);
        CHECK_SAME(expected, w);
        aim__noise_portable.additive_noise(0.01f, z, expected, lengths[i]);
        loops->additive_noise(0.01f, z, w, lengths[i]);
        CHECK_SAME(expected, w);
    }
}
END_TEST

START_TEST(pairs_of_devices)
{
    static const aim_device_model *const models[] = {&PCM_LIKE, &HERMES_TWO, &HERMES_ONE,
                                                     &RERAM_WAN};
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    float expected[2][AIM__PAIRS_CHUNK] = {0}, w[2][AIM__PAIRS_CHUNK] = {0};
    for (int m = 0; m < 4; m++)
        for (int n = 1; n <= AIM__PAIRS_CHUNK; n = 2 * n + 1) {
            bool ages = models[m]->n_spreads == 1;
            aim__pairs_job job = {
                .model = models[m],
                .row = HERE,
                .scale = models[m]->g_max / 0.25f,
                .g_min = 0.1f,
                .spread = ages ? 0 : 2,
                .drifts = ages,
                .reads = ages,
                .read_seed = 99,
            };
            if (ages)
                job.age = aim_device_age_of(models[m], 1e5);
            fill(expected[0], n);
            fill(w[0], n);
            aim__noise_portable.pairs(&job, 512, n, expected[0], expected[1]);
            loops->pairs(&job, 512, n, w[0], w[1]);
            CHECK_SAME(expected, w);
        }
}
END_TEST

START_TEST(codes_of_weights)
{
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    float w[MOST];
    int8_t expected[2][MOST] = {0}, codes[2][MOST] = {0};
    for (int i = 0; i < N_LENGTHS; i++) {
        fill(w, lengths[i]);
        aim__noise_portable.codes(w, 0.25f / 127, 127, lengths[i], expected[0], NULL);
        loops->codes(w, 0.25f / 127, 127, lengths[i], codes[0], NULL);
        CHECK_SAME(expected, codes);
        aim__noise_portable.codes(w, 0.25f / 32639, 32639, lengths[i], expected[0], expected[1]);
        loops->codes(w, 0.25f / 32639, 32639, lengths[i], codes[0], codes[1]);
        CHECK_SAME(expected, codes);
    }
}
END_TEST

/* The largest codes and inputs, as many as are added in 32 bits. */
START_TEST(squares_of_inputs)
{
    enum { GROUPS = AIM__SPREAD_GROUPS, CODES = 64 * GROUPS };
    static int32_t squares[4 * GROUPS];
    static int8_t low[CODES], high[CODES];
    const aim__noise_loops *loops = loops_at(_i);
    if (!loops)
        return;
    int64_t sum[16] = {0};
    for (int j = 0; j < 4 * GROUPS; j++)
        squares[j] = 127 * 127;
    memset(low, _i % 2 ? -1 : 127, sizeof low);
    memset(high, _i % 2 ? -127 : 127, sizeof high);
    int64_t code = 256 * high[0] + low[0],
            expected = (code < 0 ? -code : code) * 4 * GROUPS * 16129;
    loops->weight_squares(squares, low, high, GROUPS, sum);
    for (int o = 0; o < 16; o++)
        ck_assert_int_eq(sum[o], expected);
    loops->weight_squares(squares, low, NULL, 1, sum);
    ck_assert_int_eq(sum[15], expected + 4 * 16129 * (low[0] < 0 ? -low[0] : low[0]));
}
END_TEST

int main(void)
{
    Suite *s = suite_create("noise_loops");
    TCase *t = tcase_create("noise_loops");
    tcase_add_loop_test(t, normals_and_reductions, 0, MOST_ROWS);
    tcase_add_loop_test(t, blocks_are_those_drawn_alone, 0, MOST_ROWS);
    tcase_add_loop_test(t, noise_on_weights, 0, MOST_ROWS);
    tcase_add_loop_test(t, pairs_of_devices, 0, MOST_ROWS);
    tcase_add_loop_test(t, codes_of_weights, 0, MOST_ROWS);
    tcase_add_loop_test(t, squares_of_inputs, 0, MOST_ROWS);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
