/* SPDX-License-Identifier: Apache-2.0 */
/* Float kernels: each row of the table gives the bits of the portable row on
 * ordinary and on hostile numbers, and the portable row is right by a
 * computation in double. Loop index _i of a test is the row of the table; rows
 * this CPU lacks are skipped. */
#include "base/rng.h"
#include "tests/unit/kernels_under_test.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_N = 5000, N_PADDED = 5056 };

static const aim_kernels *portable(void)
{
    int n;
    const aim_kernels *const *rows = aim_kernels_all(&n);
    return rows[n - 1];
}

static uint32_t random_bits(uint64_t seed, uint64_t i)
{
    return aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0).v[0];
}

/* ---- numbers --------------------------------------------------------------- */

enum fill { ORDINARY, WIDE, TINY, HUGE_ONES, ANY_BITS, WITH_INFINITY, WITH_NAN, N_FILLS };

static float from_bits(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static float number(enum fill fill, uint64_t seed, uint64_t i)
{
    uint32_t bits = random_bits(seed, i);
    float unit = (float)(bits >> 8) * 0x1p-23f - 1.0f;
    switch (fill) {
    case WIDE:
        return unit * 200.0f;
    case TINY:
        return from_bits(bits & 0x807fffffu); /* zeros and subnormals */
    case HUGE_ONES:
        return unit * 3e38f;
    case ANY_BITS:
        return from_bits(bits);
    case WITH_INFINITY:
        return bits % 37 == 0 ? INFINITY : bits % 41 == 0 ? -INFINITY : unit;
    case WITH_NAN:
        return bits % 53 == 0 ? NAN : unit;
    default:
        return unit * 4.0f;
    }
}

static float a[MAX_N], b[MAX_N], c[MAX_N], d[MAX_N];

static void fill_all(enum fill fill, int n)
{
    for (int i = 0; i < n; i++) {
        a[i] = number(fill, 11, (uint64_t)i + (uint64_t)n * MAX_N);
        b[i] = number(fill, 12, (uint64_t)i + (uint64_t)n * MAX_N);
        c[i] = d[i] = 0;
    }
}

/* Equal bits, or both NaN: which NaN is left open. */
static bool same(float x, float y)
{
    return memcmp(&x, &y, sizeof x) == 0 || (isnan(x) && isnan(y));
}

static void check_same(const char *what, const aim_kernels *k, int fill, int n, const float *x,
                       const float *y, int count)
{
    for (int i = 0; i < count; i++)
        if (!same(x[i], y[i])) /* no assertion: passed ones cost a system call each */
            ck_abort_msg("%s %s fill %d n %d: [%d] is %a, portable has %a", what, k->name, fill, n,
                         i, x[i], y[i]);
}

/* ---- each kernel against the portable row ---------------------------------- */

typedef void compare_fn(const aim_kernels *k, const aim_kernels *p, int fill, int n);

static void compare_sums(const aim_kernels *k, const aim_kernels *p, int fill, int n)
{
    float x = k->dot(a, b, n), y = p->dot(a, b, n);
    check_same("dot", k, fill, n, &x, &y, 1);
    float m = p->max(a, n);
    x = k->max(a, n);
    check_same("max", k, fill, n, &x, &m, 1);
    double u = k->sum_exp(a, n, m), v = p->sum_exp(a, n, m);
    ck_assert_msg(memcmp(&u, &v, sizeof u) == 0 || (isnan(u) && isnan(v)),
                  "sum_exp %s fill %d n %d: %a, portable has %a", k->name, fill, n, u, v);
}

static void compare_elements(const aim_kernels *k, const aim_kernels *p, int fill, int n)
{
    k->silu_mul(c, a, b, n);
    p->silu_mul(d, a, b, n);
    check_same("silu_mul", k, fill, n, c, d, n);
    k->add(c, b, n);
    p->add(d, b, n);
    check_same("add", k, fill, n, c, d, n);
    k->rmsnorm(c, a, b, n, 1e-5f);
    p->rmsnorm(d, a, b, n, 1e-5f);
    check_same("rmsnorm", k, fill, n, c, d, n);
}

static void compare_rope(const aim_kernels *k, const aim_kernels *p, int fill, int n)
{
    int dim = n / 3 / 2 * 2;
    memcpy(c, a, (size_t)n * sizeof *a);
    memcpy(d, a, (size_t)n * sizeof *a);
    int turned = dim - dim / 4 / 2 * 2;
    k->rope(c, 3, dim, turned, b, b + dim / 2);
    p->rope(d, 3, dim, turned, b, b + dim / 2);
    check_same("rope", k, fill, n, c, d, n);
}

static void compare_quantised(const aim_kernels *k, const aim_kernels *p, int fill, int n)
{
    static int8_t x[N_PADDED], y[N_PADDED];
    float sx, sy;
    int padded = (n + 63) / 64 * 64;
    k->quantise_row(a, n, padded, x, &sx);
    p->quantise_row(a, n, padded, y, &sy);
    check_same("quantise_row scale", k, fill, n, &sx, &sy, 1);
    ck_assert_msg(memcmp(x, y, (size_t)padded) == 0, "quantise_row %s fill %d n %d", k->name, fill,
                  n);
}

static void compare_bf16(const aim_kernels *k, const aim_kernels *p, int fill, int n)
{
    static uint16_t x[MAX_N], y[MAX_N];
    k->f32_to_bf16(x, a, n);
    p->f32_to_bf16(y, a, n);
    ck_assert_msg(memcmp(x, y, (size_t)n * sizeof *x) == 0, "f32_to_bf16 %s fill %d n %d", k->name,
                  fill, n);
    k->bf16_to_f32(c, x, n);
    p->bf16_to_f32(d, x, n);
    ck_assert_int_eq(memcmp(c, d, (size_t)n * sizeof *c), 0);
}

static void compare_at_all_lengths(int row, compare_fn *compare)
{
    static const int large[] = {127, 128, 129, 1000, 2048, 4095, MAX_N};
    const aim_kernels *k = row_or_skip(row);
    for (int fill = 0; k && fill < N_FILLS; fill++) {
        for (int n = 1; n <= 100; n++) {
            fill_all((enum fill)fill, n);
            compare(k, portable(), fill, n);
        }
        for (size_t i = 0; i < sizeof large / sizeof large[0]; i++) {
            fill_all((enum fill)fill, large[i]);
            compare(k, portable(), fill, large[i]);
        }
    }
}

START_TEST(sums_have_the_same_bits)
{
    compare_at_all_lengths(_i, compare_sums);
}
END_TEST

START_TEST(elementwise_kernels_have_the_same_bits)
{
    compare_at_all_lengths(_i, compare_elements);
}
END_TEST

START_TEST(rope_has_the_same_bits)
{
    compare_at_all_lengths(_i, compare_rope);
}
END_TEST

START_TEST(quantisation_has_the_same_bits)
{
    compare_at_all_lengths(_i, compare_quantised);
}
END_TEST

START_TEST(bf16_has_the_same_bits)
{
    compare_at_all_lengths(_i, compare_bf16);
}
END_TEST

/* ---- the values are right --------------------------------------------------- */

START_TEST(dot_and_norm_are_right)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int n = 1; k && n <= 2000; n = n * 3 / 2 + 1) {
        fill_all(ORDINARY, n);
        double dot = 0, squares = 0, size = 0;
        for (int i = 0; i < n; i++) {
            dot += (double)a[i] * b[i];
            size += fabs((double)a[i] * b[i]);
            squares += (double)a[i] * a[i];
        }
        /* n roundings of 2^-24 each, at most, of the sum of magnitudes. */
        ck_assert_double_eq_tol(k->dot(a, b, n), dot, size * n * 0x1p-24 + 1e-12);
        k->rmsnorm(c, a, b, n, 1e-5f);
        double inverse = 1 / sqrt(squares / n + 1e-5);
        for (int i = 0; i < n; i++)
            ck_assert_double_eq_tol(c[i], a[i] * inverse * b[i], 1e-5);
    }
}
END_TEST

START_TEST(silu_is_right)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int i = 0; i < 2000; i++) {
        a[i] = (float)(i - 1000) * 0.1f;
        b[i] = 3.0f;
    }
    if (!k)
        return;
    k->silu_mul(c, a, b, 2000);
    for (int i = 0; i < 2000; i++) {
        double v = a[i], silu = v / (1 + exp(-v));
        ck_assert_double_eq_tol(c[i], 3 * silu, 1e-6 * fabs(3 * silu) + 1e-30);
    }
}
END_TEST

/* Rotating pair (i, i + turned/2) by an angle keeps its length and turns it; what
 * lies behind the turned part of a head stays. */
START_TEST(rope_rotates_half_split_pairs)
{
    const aim_kernels *k = row_or_skip(_i);
    enum { DIM = 40, HEADS = 3 };
    float x[HEADS * DIM], cs[DIM / 2], sn[DIM / 2];
    for (int i = 0; i < DIM / 2; i++) {
        cs[i] = cosf(0.1f * (float)i);
        sn[i] = sinf(0.1f * (float)i);
    }
    for (int turned = DIM; k && turned >= DIM - 10; turned -= 10) {
        int half = turned / 2;
        for (int i = 0; i < HEADS * DIM; i++)
            x[i] = (float)(i % 7) - 3.0f;
        k->rope(x, HEADS, DIM, turned, cs, sn);
        for (int h = 0; h < HEADS; h++)
            for (int i = 0; i < half; i++) {
                float u = (float)((h * DIM + i) % 7) - 3.0f;
                float v = (float)((h * DIM + i + half) % 7) - 3.0f;
                ck_assert_float_eq(x[h * DIM + i], u * cs[i] - v * sn[i]);
                ck_assert_float_eq(x[h * DIM + i + half], v * cs[i] + u * sn[i]);
            }
        for (int i = 0; i < HEADS * DIM; i++)
            if (i % DIM >= turned)
                ck_assert_float_eq(x[i], (float)(i % 7) - 3.0f);
    }
}
END_TEST

START_TEST(max_and_sum_exp_are_right)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int n = 1; k && n <= MAX_N; n = n * 3 / 2 + 1) {
        fill_all(WIDE, n);
        float max = a[0];
        for (int i = 1; i < n; i++)
            max = a[i] > max ? a[i] : max;
        ck_assert_float_eq(k->max(a, n), max);
        double sum = 0;
        for (int i = 0; i < n; i++)
            sum += exp((double)a[i] - max);
        ck_assert_double_eq_tol(k->sum_exp(a, n, max), sum, 1e-5 * sum);
        a[n / 2] = NAN;
        ck_assert_float_nan(k->max(a, n));
    }
}
END_TEST

static const struct {
    uint32_t in;
    uint16_t out;
} bf16_cases[] = {
    {0x00000000, 0x0000}, {0x80000000, 0x8000}, {0x3f800000, 0x3f80}, {0x3f808000, 0x3f80},
    {0x3f808001, 0x3f81}, {0x3f818000, 0x3f82}, {0x3f817fff, 0x3f81}, {0x7f7fffff, 0x7f80},
    {0x7f800000, 0x7f80}, {0xff800000, 0xff80}, {0x7f800001, 0x7fc0}, {0xffffffff, 0xffff},
    {0x00000001, 0x0000}, {0x00008001, 0x0001},
};

START_TEST(bf16_rounds_to_nearest_even)
{
    const aim_kernels *k = row_or_skip(_i);
    for (size_t i = 0; k && i < sizeof bf16_cases / sizeof bf16_cases[0]; i++) {
        uint16_t y;
        float x = from_bits(bf16_cases[i].in), back;
        k->f32_to_bf16(&y, &x, 1);
        ck_assert_msg(y == bf16_cases[i].out, "%08x became %04x", bf16_cases[i].in, y);
        k->bf16_to_f32(&back, &y, 1);
        uint32_t bits;
        memcpy(&bits, &back, sizeof bits);
        ck_assert_uint_eq(bits, (uint32_t)y << 16);
    }
}
END_TEST

static Suite *float_suite(int n)
{
    Suite *s = suite_create("float kernels");
    TCase *same_bits = tcase_create("same bits");
    tcase_set_timeout(same_bits, 120);
    tcase_add_loop_test(same_bits, sums_have_the_same_bits, 0, n);
    tcase_add_loop_test(same_bits, elementwise_kernels_have_the_same_bits, 0, n);
    tcase_add_loop_test(same_bits, rope_has_the_same_bits, 0, n);
    tcase_add_loop_test(same_bits, quantisation_has_the_same_bits, 0, n);
    tcase_add_loop_test(same_bits, bf16_has_the_same_bits, 0, n);
    suite_add_tcase(s, same_bits);
    TCase *values = tcase_create("values");
    tcase_add_loop_test(values, dot_and_norm_are_right, 0, n);
    tcase_add_loop_test(values, silu_is_right, 0, n);
    tcase_add_loop_test(values, rope_rotates_half_split_pairs, 0, n);
    tcase_add_loop_test(values, max_and_sum_exp_are_right, 0, n);
    tcase_add_loop_test(values, bf16_rounds_to_nearest_even, 0, n);
    suite_add_tcase(s, values);
    return s;
}

int main(void)
{
    SRunner *runner = srunner_create(float_suite(row_count()));
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
