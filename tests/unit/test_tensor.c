/* SPDX-License-Identifier: Apache-2.0 */
/* Packed weights, quantisation and the integer product: every row of the table
 * against plain C written here, bit for bit. Loop index _i of a test is the row
 * of the table; rows this CPU lacks are skipped. */
#include "base/alloc.h"
#include "base/cpu.h"
#include "base/rng.h"
#include "tensor/kernels.h"
#include "tests/unit/kernels_under_test.h"

#include <check.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { MAX_ROWS = 33, MAX_OUT = 80, MAX_IN = 320 };

static uint32_t random_bits(uint64_t seed, uint64_t i)
{
    return aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0).v[0];
}

/* ---- packed weights and the integer product ------------------------------ */

enum fill { RANDOM, LOWEST, HIGHEST, ALTERNATE, N_FILLS };

static int8_t weight_code(enum fill fill, int bits, uint64_t i)
{
    int lowest = bits == 4 ? -8 : -128, highest = -1 - lowest;
    switch (fill) {
    case LOWEST:
        return (int8_t)lowest;
    case HIGHEST:
        return (int8_t)highest;
    case ALTERNATE:
        return (int8_t)(i & 1 ? lowest : highest);
    default:
        return (int8_t)((int)(random_bits(1, i) & (bits == 4 ? 15 : 255)) + lowest);
    }
}

static int8_t input_code(enum fill fill, uint64_t i)
{
    switch (fill) {
    case LOWEST:
        return -127;
    case HIGHEST:
        return 127;
    case ALTERNATE:
        return i & 1 ? -127 : 127;
    default:
        return (int8_t)((int)(random_bits(2, i) % 255) - 127);
    }
}

static int8_t codes[MAX_OUT][MAX_IN];
static _Alignas(64) int8_t inputs[MAX_ROWS][MAX_IN];
static float x_scale[MAX_ROWS];
static float got[MAX_ROWS][MAX_OUT], want[MAX_ROWS][MAX_OUT];
static const float UNTOUCHED = -12345.0f;

static void fill_case(aim_packed *w, int out, int in, int bits, int rows, enum fill wf,
                      enum fill xf)
{
    ck_assert_int_eq(aim_packed_init(w, out, in, bits, NULL), AIM_OK);
    memset(inputs, 0, sizeof inputs);
    for (int c = 0; c < out; c++) {
        for (int k = 0; k < in; k++)
            codes[c][k] = weight_code(wf, bits, (uint64_t)(c * in + k));
        aim_packed_set_channel(w, c, 0, codes[c]);
        aim_packed_set_scale(w, c, 0.001f * (float)(c + 1));
    }
    for (int r = 0; r < rows; r++) {
        x_scale[r] = 0.37f / (float)(r + 1);
        for (int k = 0; k < in; k++)
            inputs[r][k] = input_code(xf, (uint64_t)(r * in + k));
    }
}

static void multiply_plainly(const aim_packed *w, int rows)
{
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < w->out; c++) {
            int64_t sum = 0;
            for (int k = 0; k < w->in; k++)
                sum += (int64_t)codes[c][k] * inputs[r][k];
            want[r][c] = (float)(int32_t)sum * (x_scale[r] * w->scale[c]);
        }
}

/* Panels [p0, p1) hold the product, everything else is untouched. (Check
 * reports every passed assertion to its parent: inner loops only compare.) */
static void check_product(const aim_kernels *k, const aim_packed *w, int p0, int p1, int rows)
{
    for (int r = 0; r < MAX_ROWS; r++)
        for (int c = 0; c < MAX_OUT; c++)
            got[r][c] = UNTOUCHED;
    const aim_output out = {.y = got[0], .ldy = MAX_OUT, .first = true};
    k->matmul_i8(w, p0, p1, inputs[0], MAX_IN, x_scale, rows, &out);
    for (int r = 0; r < MAX_ROWS; r++)
        for (int c = 0; c < MAX_OUT; c++) {
            bool written = r < rows && c < w->out && c >= p0 * AIM_PANEL && c < p1 * AIM_PANEL;
            float expect = written ? want[r][c] : UNTOUCHED;
            if (memcmp(&got[r][c], &expect, sizeof expect) != 0)
                ck_abort_msg("%s %dx%d bits %d rows %d panels %d-%d: y[%d][%d] is %a, not %a",
                             k->name, w->out, w->in, w->bits, rows, p0, p1, r, c, got[r][c],
                             expect);
        }
}

static void run_width(const aim_kernels *k, int out, int in, int bits, int rows, enum fill wf,
                      enum fill xf)
{
    aim_packed w;
    fill_case(&w, out, in, bits, rows, wf, xf);
    multiply_plainly(&w, rows);
    check_product(k, &w, 0, w.n_panels, rows);
    if (w.n_panels > 1)
        check_product(k, &w, 1, w.n_panels, rows);
    aim_packed_fini(&w);
}

static void run_case(const aim_kernels *k, int out, int in, int rows, enum fill wf, enum fill xf)
{
    run_width(k, out, in, 4, rows, wf, xf);
    run_width(k, out, in, 8, rows, wf, xf);
}

START_TEST(product_is_exact_at_every_width)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int out = 1; k && out <= 70; out++)
        run_case(k, out, 1 + out * 37 % 200, 1 + out * 7 % MAX_ROWS, RANDOM, RANDOM);
}
END_TEST

START_TEST(product_is_exact_at_every_depth)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int in = 1; k && in <= 200; in++)
        run_case(k, 1 + in * 11 % 70, in, 1 + in % 9, RANDOM, RANDOM);
}
END_TEST

START_TEST(product_is_exact_for_any_number_of_rows)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int rows = 1; k && rows <= MAX_ROWS; rows++)
        run_case(k, 70, 130, rows, RANDOM, RANDOM);
}
END_TEST

START_TEST(product_is_exact_for_extreme_codes)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int wf = 0; k && wf < N_FILLS; wf++)
        for (int xf = 0; xf < N_FILLS; xf++)
            for (int rows = 1; rows <= 9; rows++)
                run_case(k, 33, MAX_IN, rows, (enum fill)wf, (enum fill)xf);
}
END_TEST

/* 127 * 128 * AIM_K_MAX is the largest sum there can be: below 2^31. */
static void run_longest(const aim_kernels *k, int bits, int code)
{
    aim_packed w;
    ck_assert_int_eq(aim_packed_init(&w, 1, AIM_K_MAX, bits, NULL), AIM_OK);
    int8_t *x = aim_big_alloc(AIM_K_MAX), *c = aim_malloc(AIM_K_MAX);
    memset(x, -127, AIM_K_MAX);
    memset(c, code, AIM_K_MAX);
    aim_packed_set_channel(&w, 0, 0, c);
    aim_packed_set_scale(&w, 0, 1.0f);
    float one = 1.0f, y;
    const aim_output out = {.y = &y, .ldy = 1, .first = true};
    k->matmul_i8(&w, 0, 1, x, AIM_K_MAX, &one, 1, &out);
    ck_assert_float_eq(y, -127.0f * (float)code * (float)AIM_K_MAX);
    aim_big_free(x, AIM_K_MAX);
    aim_free(c);
    aim_packed_fini(&w);
}

START_TEST(longest_rows_do_not_overflow)
{
    const aim_kernels *k = row_or_skip(_i);
    if (!k)
        return;
    run_longest(k, 8, -128);
    run_longest(k, 4, -8);
    run_longest(k, 4, 7);
}
END_TEST

/* Where code k of channel c lies, among bytes or among halves of bytes. */
static size_t place_of(int c, int k, int groups)
{
    return ((size_t)(c / 16 * groups + k) * 16 + (size_t)(c % 16)) * 4;
}

START_TEST(packed_layout_is_the_documented_one)
{
    aim_packed w;
    fill_case(&w, 37, 70, 8, 1, RANDOM, RANDOM);
    ck_assert_int_eq(w.n_panels, 3);
    ck_assert_int_eq(w.in_padded, 128);
    ck_assert_uint_eq((uintptr_t)w.codes % 64, 0);
    for (int c = 0; c < 48; c++) {
        for (int k = 0; k < 128; k++) {
            int8_t expect = c < 37 && k < 70 ? codes[c][k] : 0;
            ck_assert_int_eq(w.codes[place_of(c, k / 4, 32) + (size_t)k % 4], expect);
        }
    }
    ck_assert_uint_eq(aim_packed_bytes(37, 70, 8), 3 * 16 * 128 + 48 * 4);
    ck_assert_uint_eq(aim_packed_bytes(37, 70, 16), 2 * 3 * 16 * 128 + 48 * 4);
    aim_packed_fini(&w);
}
END_TEST

START_TEST(packed_layout_of_4_bits_is_the_documented_one)
{
    aim_packed w;
    fill_case(&w, 37, 70, 4, 1, RANDOM, RANDOM);
    ck_assert_int_eq(w.in_padded, 128);
    for (int c = 0; c < 37; c++)
        for (int k = 0; k < 128; k++) {
            int expect = k < 70 ? codes[c][k] : 0;
            int pair = (uint8_t)w.codes[place_of(c, k / 8, 16) + (size_t)k % 4];
            ck_assert_int_eq((k / 4 % 2 ? pair >> 4 : pair & 15) - 8, expect);
        }
    ck_assert_uint_eq(aim_packed_bytes(37, 70, 4), 3 * 16 * 64 + 48 * 4);
    aim_packed_fini(&w);
}
END_TEST

START_TEST(packed_refuses_impossible_shapes)
{
    static const int shapes[][3] = {
        {0, 1, 8}, {1, 0, 8}, {-1, 5, 8}, {5, -1, 4}, {1, AIM_K_MAX + 1, 8},
        {1, 1, 0}, {1, 1, 2}, {1, 1, 5},  {1, 1, 32}};
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        aim_error err = {0};
        aim_packed w;
        ck_assert_int_eq(aim_packed_init(&w, shapes[i][0], shapes[i][1], shapes[i][2], &err),
                         AIM_EINVAL);
        aim_packed_fini(&w);
    }
}
END_TEST

START_TEST(packed_survives_lack_of_memory)
{
    aim_packed w;
    int n = 0, code;
    do {
        aim_error err = {0};
        aim_alloc_fail_after(n++);
        code = aim_packed_init(&w, 20, 100, 8, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(code, err.code);
        ck_assert(code == AIM_OK || code == AIM_ENOMEM);
    } while (code != AIM_OK);
    ck_assert_int_eq(n, 3); /* two allocations, each failed once */
    aim_packed_fini(&w);
}
END_TEST

/* ---- quantisation ---------------------------------------------------------- */

static const struct quantise_case {
    float x[4], scale;
    int8_t codes[4];
} quantise_cases[] = {
    {{0, -0.0f, 0, 0}, 0, {0, 0, 0, 0}},
    {{127, 1, -127, 63}, 1, {127, 1, -127, 63}},
    {{127, 0.5f, 1.5f, 2.5f}, 1, {127, 0, 2, 2}}, /* ties to even */
    {{-127, -0.5f, -1.5f, -2.5f}, 1, {-127, 0, -2, -2}},
    {{254, 1, 3, -5}, 2, {127, 0, 2, -2}},
    {{3.40282347e38f, 0, 0, -3.40282347e38f}, 3.40282347e38f / 127, {127, 0, 0, -127}},
    {{0x1p-149f, 0, 0, 0}, 0, {0, 0, 0, 0}},                         /* the scale vanishes */
    {{190 * 0x1p-149f, 0x1p-149f, 0, 0}, 0x1p-149f, {127, 1, 0, 0}}, /* a coarse scale */
    {{NAN, 1, 2, 3}, NAN, {0, 0, 0, 0}},
    {{1, 2, 3, INFINITY}, NAN, {0, 0, 0, 0}},
};

static void check_quantised(const char *who, const struct quantise_case *q, const int8_t *c,
                            float scale)
{
    ck_assert_msg(memcmp(c, q->codes, 4) == 0, "%s: %a %a %a %a became %d %d %d %d", who, q->x[0],
                  q->x[1], q->x[2], q->x[3], c[0], c[1], c[2], c[3]);
    ck_assert_msg(scale == q->scale || (isnan(scale) && isnan(q->scale)), "%s: scale %a", who,
                  scale);
}

START_TEST(rows_quantise_by_the_rule)
{
    const aim_kernels *k = row_or_skip(_i);
    for (size_t i = 0; k && i < sizeof quantise_cases / sizeof quantise_cases[0]; i++) {
        const struct quantise_case *q = &quantise_cases[i];
        int8_t c[64];
        float scale = 77;
        memset(c, 99, sizeof c);
        k->quantise_row(q->x, 4, 64, c, &scale);
        check_quantised(k->name, q, c, scale);
        for (int j = 4; j < 64; j++)
            ck_assert_int_eq(c[j], 0);
    }
}
END_TEST

START_TEST(quantised_rows_are_nearest_codes)
{
    const aim_kernels *k = row_or_skip(_i);
    for (int n = 1; k && n <= 300; n++) {
        float x[300], scale;
        int8_t c[320];
        for (int i = 0; i < n; i++)
            x[i] = (float)((double)random_bits((uint64_t)n, (uint64_t)i) / 4294967296.0 - 0.5);
        k->quantise_row(x, n, 320, c, &scale);
        for (int i = 0; i < n; i++)
            if (c[i] != (int)rintf(x[i] / scale))
                ck_abort_msg("%s n %d: code %d is %d", k->name, n, i, c[i]);
    }
}
END_TEST

/* ---- the table ------------------------------------------------------------- */

START_TEST(pick_by_name)
{
    int n;
    const aim_kernels *const *rows = aim_kernels_all(&n);
    ck_assert_str_eq(rows[n - 1]->name, "portable");
    ck_assert_uint_eq(rows[n - 1]->needs, 0);
    for (int i = 0; i < n; i++) {
        aim_error err = {0};
        const aim_kernels *k = aim_kernels_pick(rows[i]->name, &err);
        if (rows[i]->needs & ~aim_cpu_features())
            ck_assert(!k && err.code == AIM_EUNSUPPORTED);
        else
            ck_assert_ptr_eq(k, rows[i]);
    }
    ck_assert_ptr_nonnull(aim_kernels_pick(NULL, NULL));
    ck_assert_ptr_eq(aim_kernels_pick("auto", NULL), aim_kernels_pick(NULL, NULL));
}
END_TEST

START_TEST(pick_refuses_unknown_names)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_kernels_pick("sse9", &err));
    ck_assert_int_eq(err.code, AIM_EUNSUPPORTED);
    ck_assert_ptr_nonnull(strstr(err.text, "sse9"));
}
END_TEST

int main(void)
{
    int n = row_count();
    Suite *s = suite_create("tensor");
    TCase *integer = tcase_create("integer");
    tcase_set_timeout(integer, 120);
    tcase_add_loop_test(integer, product_is_exact_at_every_width, 0, n);
    tcase_add_loop_test(integer, product_is_exact_at_every_depth, 0, n);
    tcase_add_loop_test(integer, product_is_exact_for_any_number_of_rows, 0, n);
    tcase_add_loop_test(integer, product_is_exact_for_extreme_codes, 0, n);
    tcase_add_loop_test(integer, longest_rows_do_not_overflow, 0, n);
    tcase_add_test(integer, packed_layout_is_the_documented_one);
    tcase_add_test(integer, packed_layout_of_4_bits_is_the_documented_one);
    tcase_add_test(integer, packed_refuses_impossible_shapes);
    tcase_add_test(integer, packed_survives_lack_of_memory);
    tcase_add_loop_test(integer, rows_quantise_by_the_rule, 0, n);
    tcase_add_loop_test(integer, quantised_rows_are_nearest_codes, 0, n);
    suite_add_tcase(s, integer);
    TCase *table = tcase_create("table");
    tcase_add_test(table, pick_by_name);
    tcase_add_test(table, pick_refuses_unknown_names);
    suite_add_tcase(s, table);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
