/* SPDX-License-Identifier: Apache-2.0 */
/* Conductance codes and the integer evaluator: exact where sums are largest, and
 * without an ADC the int8 kernel's own bits. */
#include "analog/conductances.h"
#include "analog/integer_linear.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "tensor/kernels.h"

#include <check.h>
#include <math.h>
#include <string.h>

/* Step 1: every weight is its own code. */
START_TEST(every_code_splits_into_two_planes)
{
    enum { N = 2 * AIM_CONDUCTANCE_MAX_16 + 1 };
    static float weight[N];
    aim_conductances c;
    for (int j = 0; j < N; j++)
        weight[j] = (float)(j - AIM_CONDUCTANCE_MAX_16);
    ck_assert_int_eq(aim_conductances_init(&c, 16, weight, 1, N, N, NULL), AIM_OK);
    ck_assert(c.step[0] == 1.0f);
    for (int j = 0; j < N; j++)
        ck_assert_int_eq(256 * c.high[j] + c.low[j], j - AIM_CONDUCTANCE_MAX_16);
    aim_conductances_fini(&c);
}
END_TEST

/* The widest tile with the largest codes and inputs of one sign. */
START_TEST(the_largest_sums_are_exact)
{
    enum { N = AIM_K_MAX };
    static float weight[N];
    static int8_t x[N];
    int bits = _i ? 16 : 8;
    int64_t code = _i ? -AIM_CONDUCTANCE_MAX_16 + 1 : -AIM_CONDUCTANCE_MAX_8;
    aim_conductances c;
    for (int j = 0; j < N; j++)
        weight[j] = (float)code;
    weight[0] = _i ? AIM_CONDUCTANCE_MAX_16 : weight[0]; /* makes the step 1 */
    memset(x, 127, sizeof x);
    ck_assert_int_eq(aim_conductances_init(&c, bits, weight, 1, N, N, NULL), AIM_OK);
    int64_t expected = 127 * (code * (N - 1) + (int64_t)weight[0]);
    ck_assert_int_eq(aim_conductance_sum(&c, 0, x), expected);
    aim_conductances_fini(&c);
}
END_TEST

START_TEST(weights_that_are_no_numbers)
{
    const float weight[4][2] = {{0, 0}, {1, NAN}, {INFINITY, 1}, {1, -0.5f}};
    const int8_t x[2] = {3, 4};
    const int bits = _i ? 4 : 8, most = _i ? 7 : 127, half = _i ? 3 : 64;
    aim_conductances c;
    ck_assert_int_eq(aim_conductances_init(&c, bits, weight[0], 4, 2, 2, NULL), AIM_OK);
    ck_assert(c.step[0] == 0.0f && isnan(c.step[1]) && isnan(c.step[2]));
    for (int o = 0; o < 3; o++)
        ck_assert_int_eq(aim_conductance_sum(&c, o, x), 0);
    ck_assert_int_eq(aim_conductance_sum(&c, 3, x), 3 * most - 4 * half);
    aim_conductances_fini(&c);
}
END_TEST

/* 15 levels, ties to even; weights too small for a step of their own as the simulator
 * has them, which divides by no less than FLT_MIN. */
static const struct four_bits_case {
    float weight[6], step;
    int8_t codes[6];
} four_bits_cases[] = {
    {{7, -7, 0.5f, 1.5f, -2.5f, 6.5f}, 1, {7, -7, 0, 2, -2, 6}},
    {{-3.5f, 3.4f, -0.24f, 0.26f, 1, 0}, 0.5f, {-7, 7, 0, 1, 2, 0}},
    {{0, -0.0f, 0, 0, 0, 0}, 0, {0, 0, 0, 0, 0, 0}},
    {{0x1p-127f, -0x1p-127f, 0, 0, 0, 0}, 2 * (0x1p-127f / 14), {0, 0, 0, 0, 0, 0}},
    {{0x1p-124f, -0x1p-125f, 0, 0, 0, 0}, 2 * (0x1p-124f / 14), {4, -2, 0, 0, 0, 0}},
    {{0x1p-149f, 0, 0, 0, 0, 0}, 0, {0, 0, 0, 0, 0, 0}},
    {{700, 350, -50, -700, 149, 151}, 100, {7, 4, 0, -7, 1, 2}},
};

START_TEST(four_bits_are_rounded_to_nearest)
{
    const struct four_bits_case *c = &four_bits_cases[_i];
    int8_t codes[6];
    float step;
    aim_round_to_4_bits(c->weight, 6, codes, &step);
    ck_assert(step == c->step);
    for (int j = 0; j < 6; j++)
        ck_assert_int_eq(codes[j], c->codes[j]);
}
END_TEST

enum { OUT = 21, IN = 150, ROWS = 5 };
static float weights[OUT * IN], inputs[ROWS * IN];

static float random_value(uint64_t seed, uint64_t i)
{
    return (float)(2 * aim_rng_uniform(seed, AIM_STREAM_WEIGHTS, i) - 1);
}

static aim_tiled_linear *ideal_layer(double inp_res)
{
    for (int i = 0; i < OUT * IN; i++)
        weights[i] = random_value(1, (uint64_t)i) / 8;
    for (int i = 0; i < ROWS * IN; i++)
        inputs[i] = random_value(2, (uint64_t)i) * 4;
    memset(inputs + IN, 0, IN * sizeof *inputs); /* a row of zeros */
    aim_tile_settings s = {
        .max_input_size = -1, .input_range = AIM_RANGE_DYNAMIC, .inp_res = inp_res, .out_res = -1};
    aim_layer_source source = {.out = OUT, .in = IN, .weight = weights};
    return aim_tiled_linear_new(&s, &source, NULL);
}

/* y [ROWS, OUT] as the int8 backend computes it. */
static void int8_kernel(float *y)
{
    int n;
    const aim_kernels *const *all = aim_kernels_all(&n), *k = all[n - 1];
    enum { PADDED = (IN + AIM_K_ALIGN - 1) / AIM_K_ALIGN * AIM_K_ALIGN };
    static int8_t codes[ROWS * PADDED] __attribute__((aligned(64)));
    float scale[ROWS];
    aim_packed w;
    ck_assert_int_eq(aim_packed_init(&w, OUT, IN, 8, NULL), AIM_OK);
    for (int o = 0; o < OUT; o++) {
        k->quantise_row(weights + o * IN, IN, PADDED, codes, scale);
        aim_packed_set_channel(&w, o, 0, codes);
        aim_packed_set_scale(&w, o, scale[0]);
    }
    for (int r = 0; r < ROWS; r++)
        k->quantise_row(inputs + r * IN, IN, PADDED, codes + r * PADDED, scale + r);
    const aim_output out = {.y = y, .ldy = OUT, .first = true};
    k->matmul_i8(&w, 0, w.n_panels, codes, PADDED, scale, ROWS, &out);
    aim_packed_fini(&w);
}

static void run(const aim_integer_linear *l, float *y)
{
    float *scratch = aim_array(aim_integer_scratch(l), sizeof *scratch);
    aim_integer_forward(l, inputs, ROWS, y, scratch, NULL);
    aim_free(scratch);
}

START_TEST(an_ideal_tile_is_the_int8_kernel)
{
    float expected[ROWS * OUT], y[ROWS * OUT];
    aim_tiled_linear *layer = ideal_layer(254);
    aim_integer_linear *l = aim_integer_linear_new(layer, 8, NULL);
    int8_kernel(expected);
    run(l, y);
    for (int i = 0; i < ROWS * OUT; i++)
        ck_assert(y[i] == expected[i]);
    aim_integer_linear_free(l);
    aim_tiled_linear_free(layer);
}
END_TEST

START_TEST(a_row_with_nan_or_infinity_is_nan)
{
    float clean[ROWS * OUT], y[ROWS * OUT];
    aim_tiled_linear *layer = ideal_layer(254);
    aim_integer_linear *l = aim_integer_linear_new(layer, 16, NULL);
    run(l, clean);
    inputs[0 * IN + 7] = NAN;
    inputs[3 * IN + 2] = INFINITY;
    run(l, y);
    for (int i = 0; i < ROWS * OUT; i++)
        ck_assert(i / OUT == 0 || i / OUT == 3 ? isnan(y[i]) : y[i] == clean[i]);
    aim_integer_linear_free(l);
    aim_tiled_linear_free(layer);
}
END_TEST

START_TEST(what_does_not_fit_is_refused)
{
    const struct {
        double inp_res;
        int bits;
        enum aim_code code;
    } cases[] = {{-1, 8, AIM_EUNSUPPORTED},
                 {510, 8, AIM_EUNSUPPORTED},
                 {1.0 / 510, 16, AIM_EUNSUPPORTED},
                 {255, 8, AIM_EUNSUPPORTED},
                 {254, 12, AIM_EINVAL},
                 {1.0 / 254, 16, AIM_OK},
                 {30, 8, AIM_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_error err = {0};
        aim_tiled_linear *layer = ideal_layer(cases[i].inp_res);
        aim_integer_linear *l = aim_integer_linear_new(layer, cases[i].bits, &err);
        ck_assert_int_eq(err.code, cases[i].code);
        ck_assert(!l == (cases[i].code != AIM_OK));
        aim_integer_linear_free(l);
        aim_tiled_linear_free(layer);
    }
}
END_TEST

START_TEST(lack_of_memory_is_reported)
{
    aim_tiled_linear *layer = ideal_layer(254);
    aim_integer_linear *l = NULL;
    for (int n = 0; !l; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        l = aim_integer_linear_new(layer, 16, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, l ? AIM_OK : AIM_ENOMEM);
    }
    aim_integer_linear_free(l);
    aim_tiled_linear_free(layer);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("integer_tile");
    TCase *t = tcase_create("integer_tile");
    tcase_add_test(t, every_code_splits_into_two_planes);
    tcase_add_loop_test(t, the_largest_sums_are_exact, 0, 2);
    tcase_add_loop_test(t, weights_that_are_no_numbers, 0, 2);
    tcase_add_loop_test(t, four_bits_are_rounded_to_nearest, 0,
                        (int)(sizeof four_bits_cases / sizeof four_bits_cases[0]));
    tcase_add_test(t, an_ideal_tile_is_the_int8_kernel);
    tcase_add_test(t, a_row_with_nan_or_infinity_is_nan);
    tcase_add_test(t, what_does_not_fit_is_refused);
    tcase_add_test(t, lack_of_memory_is_reported);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
