/* SPDX-License-Identifier: Apache-2.0 */
/* Normal numbers of devices: their distribution, their independence, and that
 * each is what its place says. Seeds are fixed; limits are 6.5 standard deviations, 8e-11
 * for each of the less than a hundred comparisons, so another seed would pass too. */
#include "analog/normals.h"
#include "base/fixmath.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N = 1000000, PLACES = 2000 };

static const aim_device_row HERE = {.seed = 11, .layer = 3, .tile = 2, .channel = 70};

static float *draw(aim_device_row row, enum aim_stream stream)
{
    float *z = malloc(N * sizeof *z);
    ck_assert_ptr_nonnull(z);
    aim_normals(&row, stream, N, z);
    return z;
}

/* Raw moments 1 to 6 of a normal, and the variances of their estimates times N. */
START_TEST(moments_are_those_of_a_normal)
{
    static const double moment[] = {0, 1, 0, 3, 0, 15}, variance[] = {1, 2, 15, 96, 945, 10170};
    double sum[6] = {0};
    float *z = draw(HERE, AIM_STREAM_PROGRAMMING);
    for (int i = 0; i < N; i++) {
        double power = 1;
        for (int k = 0; k < 6; k++)
            sum[k] += power *= (double)z[i];
    }
    for (int k = 0; k < 6; k++)
        ck_assert_double_eq_tol(sum[k] / N, moment[k], 6.5 * sqrt(variance[k] / N));
    free(z);
}
END_TEST

/* Every value falls below and above as often as the distribution says, in the
 * tails too. */
START_TEST(distribution_is_normal)
{
    float *z = draw(HERE, AIM_STREAM_DRIFT);
    for (double edge = -4.5; edge < 4.6; edge += 0.25) {
        double p = 0.5 * erfc(-edge / sqrt(2)), below = 0;
        for (int i = 0; i < N; i++)
            below += z[i] < edge;
        ck_assert_double_eq_tol(below, N * p, 6.5 * sqrt(N * p * (1 - p)) + 6);
    }
    free(z);
}
END_TEST

/* Rows that differ in one thing, and a row against itself some columns on. */
START_TEST(rows_are_not_correlated)
{
    static const struct {
        aim_device_row row;
        enum aim_stream stream;
        int shift;
    } others[] = {
        {{12, 3, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 0},
        {{11 | 1ull << 32, 3, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 0},
        {{11, 2, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 0},
        {{11, 3, 3, 70, 0}, AIM_STREAM_PROGRAMMING, 0},
        {{11, 3, 2, 71, 0}, AIM_STREAM_PROGRAMMING, 0},
        {{11, 3, 2, 70, 1}, AIM_STREAM_PROGRAMMING, 0},
        {{11, 3, 2, 70, 0}, AIM_STREAM_READ, 0},
        {{11, 3, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 1},
        {{11, 3, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 16},
        {{11, 3, 2, 70, 0}, AIM_STREAM_PROGRAMMING, 64},
    };
    float *z = draw(HERE, AIM_STREAM_PROGRAMMING);
    float *other = draw(others[_i].row, others[_i].stream);
    int n = N - others[_i].shift;
    double product = 0, squares = 0;
    for (int i = 0; i < n; i++) {
        double a = (double)z[i], b = (double)other[i + others[_i].shift];
        product += a * b;
        squares += (a * a - 1) * (b * b - 1) / 2;
    }
    ck_assert_double_eq_tol(product / n, 0, 6.5 / sqrt(n));
    ck_assert_double_eq_tol(squares / n, 0, 6.5 / sqrt(n));
    free(z);
    free(other);
}
END_TEST
enum { N_OTHERS = 10 };

/* The normals of one block, computed in double from the generator's words. */
static double reference(const aim_device_row *row, enum aim_stream stream, int column)
{
    uint64_t index = (uint64_t)row->layer << 48 | (uint64_t)row->tile << 32 | row->channel;
    uint32_t block = (uint32_t)(column / 64 * 16 + column % 16);
    aim_rng_block b = aim_rng_draw(row->seed, stream, index, (uint32_t)row->device << 24 | block);
    int pair = column % 64 / 32, is_sine = column % 32 / 16;
    double u = ((double)(b.v[2 * pair] >> 1) + 0.5) * 0x1p-31;
    double angle = (double)b.v[2 * pair + 1] * 0x1p-32 * 6.283185307179586;
    return sqrt(-2 * aim_log(u)) * (is_sine ? aim_sin(angle) : aim_cos(angle));
}

START_TEST(each_comes_from_its_place)
{
    static float z[PLACES];
    aim_device_row row = {0x123456789abcdefull, 65535, 4, 128255, 1};
    aim_normals(&row, AIM_STREAM_READ, PLACES, z);
    for (int j = 0; j < PLACES; j++)
        ck_assert_double_eq_tol((double)z[j], reference(&row, AIM_STREAM_READ, j), 2e-6);
}
END_TEST

START_TEST(length_changes_nothing)
{
    float all[200], some[200];
    aim_normals(&HERE, AIM_STREAM_DRIFT, 200, all);
    for (int n = 0; n <= 200; n++) {
        memset(some, 0, sizeof some);
        aim_normals(&HERE, AIM_STREAM_DRIFT, n, some);
        ck_assert(!memcmp(some, all, (size_t)n * sizeof *some));
        ck_assert(n == 200 || some[n] == 0.0f);
    }
}
END_TEST

/* Chips are programmed with these for ever: other bits are other chips. */
START_TEST(bits_are_pinned)
{
    static const float pinned[] = {-0x1.6223eep-4f, -0x1.b3e23ap+0f, -0x1.b2526ep-1f,
                                   -0x1.d75dccp-1f, 0x1.0d0a38p+0f,  0x1.c790eap-3f};
    float z[6];
    aim_normals(&HERE, AIM_STREAM_PROGRAMMING, 6, z);
    for (int j = 0; j < 6; j++)
        ck_assert_msg(z[j] == pinned[j], "%d: %a", j, (double)z[j]);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("normals");
    TCase *t = tcase_create("normals");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, moments_are_those_of_a_normal);
    tcase_add_test(t, distribution_is_normal);
    tcase_add_loop_test(t, rows_are_not_correlated, 0, N_OTHERS);
    tcase_add_test(t, each_comes_from_its_place);
    tcase_add_test(t, length_changes_nothing);
    tcase_add_test(t, bits_are_pinned);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
