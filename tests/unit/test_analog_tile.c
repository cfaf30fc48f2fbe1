/* SPDX-License-Identifier: Apache-2.0 */
/* What the vectors of tests/data/analog do not reach: roundings that do not show
 * in them, oddities of the simulator, and what is refused. Expected numbers were
 * computed with numpy in float32. */
#include "analog/converter.h"
#include "analog/exact_linear.h"
#include "analog/tile_weights.h"
#include "analog/tiled_linear.h"
#include "base/alloc.h"

#include <check.h>
#include <math.h>
#include <string.h>

START_TEST(two_spellings_of_a_resolution_round_differently)
{
    float bound = 0x1.7166ecp+1f;
    ck_assert(aim_converter_step(254, bound) == 0x1.744f8cp-6f);
    ck_assert(aim_converter_step(1.0 / 254, bound) == 0x1.744f8ap-6f);
}
END_TEST

START_TEST(a_range_of_zero_reads_zero)
{
    float step = aim_converter_step(254, 0.0f);
    ck_assert(aim_converter_code(0.0f, step) * step == 0.0f);
    ck_assert(isnan(aim_converter_code(NAN, step)));
}
END_TEST

/* One row, one tile: what the weights [n] are after it. */
static aim_weight_window row_of(float *weight, int n)
{
    return (aim_weight_window){weight, 1, n, (size_t)n};
}

START_TEST(weights_on_a_tie_go_to_the_even_level)
{
    float weight[] = {0.25f, 0.75f, -0.25f, -0.75f, 1.0f, 0.3f};
    const float expected[] = {0.0f, 1.0f, 0.0f, -1.0f, 1.0f, 0.5f};
    float largest = 1.0f;
    aim_weight_window w = row_of(weight, 6);
    aim_discretize(&w, &largest, 4);
    for (int j = 0; j < 6; j++)
        ck_assert(weight[j] == expected[j]);
}
END_TEST

START_TEST(huge_weights_are_quantised_as_the_simulator_does)
{
    float weight[] = {300.0f, -300.0f}, largest = 300.0f;
    aim_weight_window w = row_of(weight, 2);
    aim_discretize(&w, &largest, 254);
    ck_assert_float_eq_tol(weight[0], 215.05f, 0.01f);
    ck_assert(weight[1] == -weight[0]);
}
END_TEST

START_TEST(learned_clips_divide_and_multiply)
{
    float weight[] = {0x1.851eb8p-3f, 5.0f, -5.0f}, clip = 0x1.333334p-2f;
    aim_weight_window w = row_of(weight, 3);
    aim_clip_learned(&w, &clip);
    ck_assert(weight[0] == 0x1.851ebap-3f);
    ck_assert(weight[1] == clip && weight[2] == -clip);
}
END_TEST

/* If all are above one they count as numbers of steps; zero counts as one. */
START_TEST(learned_clips_above_one)
{
    const struct {
        float clip[2], limit[2];
    } cases[] = {{{3, 2}, {1.0f / 3, 0.5f}}, {{3, 1}, {3, 1}}, {{0, 0.5f}, {1, 0.5f}}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        float weight[] = {9, -9};
        aim_weight_window w = {weight, 2, 1, 1};
        aim_clip_learned(&w, cases[i].clip);
        ck_assert(weight[0] == cases[i].limit[0]);
        ck_assert(weight[1] == -cases[i].limit[1]);
    }
}
END_TEST

START_TEST(one_weight_has_no_deviation)
{
    float weight[] = {1, 2, 3};
    aim_error err = {0};
    ck_assert_int_eq(aim_clip_gaussian(weight, 3, 1, true, 2.5, &err), AIM_EINVAL);
    ck_assert_int_eq(aim_clip_gaussian(weight, 3, 1, false, 1.0, NULL), AIM_OK);
    ck_assert(weight[0] == 1.0f && weight[2] == 1.0f); /* the deviation is 1 */
}
END_TEST

/* ---- layers ---------------------------------------------------------------- */

enum { OUT = 3, IN = 10, TILES = 3, ROWS = 4 };

static const aim_tile_settings SETTINGS = {
    .max_input_size = 4,
    .input_range = AIM_RANGE_STATIC,
    .inp_res = 254,
    .out_res = 254,
    .out_bound = 12,
    .adc_bound = AIM_BOUND_PER_CHANNEL,
    .clip = AIM_CLIP_LEARNABLE,
};

static float weights[OUT * IN], bias[OUT] = {1, 2, 3}, inputs[ROWS * IN];
static float ranges[TILES] = {0.5f, 1.0f, 2.0f}, clips[TILES * OUT];

static aim_layer_source source(void)
{
    for (int i = 0; i < OUT * IN; i++)
        weights[i] = (float)(i * 7 % 31 - 15) / 16;
    for (int i = 0; i < ROWS * IN; i++)
        inputs[i] = (float)(i * 11 % 23 - 11) / 8;
    for (int i = 0; i < TILES * OUT; i++)
        clips[i] = 0.4f + 0.05f * (float)i;
    return (aim_layer_source){OUT, IN, weights, bias, ranges, TILES, clips, TILES * OUT};
}

/* Each row has one thing wrong; the error must name it. */
static const struct {
    const char *param;
    double inp_res, out_res, out_bound;
    enum aim_input_range input_range;
    enum aim_weight_quantisation quantisation;
    enum aim_adc_bound adc_bound;
    size_t n_ranges, n_clips;
    float second_range;
} REFUSED[] = {
#define REST AIM_RANGE_STATIC, AIM_WEIGHTS_FLOAT, AIM_BOUND_PER_CHANNEL, TILES, TILES *OUT, 1
    {"inp_res", NAN, 254, 12, REST},
    {"inp_res", 1e9, 254, 12, REST},
    {"out_res", 254, 1e-9, 12, REST},
    {"out_bound", 254, 254, 0, REST},
    {"out_bound", 254, 254, NAN, REST},
    {"out_bound", 254, 254, INFINITY, REST},
#undef REST
    {"input_range", 254, 254, 12, AIM_RANGE_NONE, AIM_WEIGHTS_FLOAT, AIM_BOUND_PER_CHANNEL, 0, 9,
     1},
    {"weight_res", 254, 254, 12, AIM_RANGE_STATIC, AIM_WEIGHTS_DISCRETIZE, AIM_BOUND_PER_CHANNEL,
     TILES, TILES *OUT, 1},
    {"adc_bound", 254, 254, 12, AIM_RANGE_STATIC, AIM_WEIGHTS_FLOAT, AIM_BOUND_PER_TILE, TILES,
     TILES *OUT, 1},
#define SO_FAR 254, 254, 12, AIM_RANGE_STATIC, AIM_WEIGHTS_FLOAT, AIM_BOUND_PER_CHANNEL
    {"input_range", SO_FAR, TILES - 1, TILES *OUT, 1},
    {"learned_clip", SO_FAR, TILES, OUT, 1},
    {"input_range", SO_FAR, TILES, TILES *OUT, -1},
    {"input_range", SO_FAR, TILES, TILES *OUT, NAN},
    {"input_range", SO_FAR, TILES, TILES *OUT, INFINITY},
#undef SO_FAR
};
enum { N_REFUSED = sizeof REFUSED / sizeof REFUSED[0] };

START_TEST(what_does_not_fit_is_refused)
{
    aim_tile_settings s = SETTINGS;
    aim_layer_source layer = source();
    aim_error err = {0};
    s.inp_res = REFUSED[_i].inp_res;
    s.out_res = REFUSED[_i].out_res;
    s.out_bound = REFUSED[_i].out_bound;
    s.input_range = REFUSED[_i].input_range;
    s.weight_quantisation = REFUSED[_i].quantisation;
    s.adc_bound = REFUSED[_i].adc_bound;
    layer.n_ranges = REFUSED[_i].n_ranges;
    layer.n_clips = REFUSED[_i].n_clips;
    ranges[1] = REFUSED[_i].second_range;
    ck_assert_ptr_null(aim_tiled_linear_new(&s, &layer, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.param, REFUSED[_i].param);
    ck_assert(strlen(err.text) > 10);
}
END_TEST

static void run(const aim_tiled_linear *l, const float *x, int rows, float *y)
{
    float *scratch = aim_array(aim_exact_scratch(l), sizeof *scratch);
    aim_exact_forward(l, x, rows, y, scratch, NULL);
    aim_free(scratch);
}

START_TEST(rows_do_not_depend_on_each_other)
{
    aim_layer_source layer = source();
    aim_tiled_linear *l = aim_tiled_linear_new(&SETTINGS, &layer, NULL);
    float clean[ROWS * OUT], spoiled[ROWS * OUT], alone[OUT];
    run(l, inputs, ROWS, clean);
    inputs[1 * IN + 3] = NAN;
    run(l, inputs, ROWS, spoiled);
    for (int i = 0; i < ROWS * OUT; i++)
        ck_assert(i / OUT == 1 ? isnan(spoiled[i]) : spoiled[i] == clean[i]);
    run(l, inputs + 2 * IN, 1, alone);
    ck_assert_mem_eq(alone, clean + 2 * OUT, sizeof alone);
    aim_tiled_linear_free(l);
}
END_TEST

START_TEST(lack_of_memory_is_reported)
{
    aim_layer_source layer = source();
    aim_tiled_linear *l = NULL;
    for (int n = 0; !l; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        l = aim_tiled_linear_new(&SETTINGS, &layer, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, l ? AIM_OK : AIM_ENOMEM);
    }
    aim_tiled_linear_free(l);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("analog_tile");
    TCase *t = tcase_create("analog_tile");
    tcase_add_test(t, two_spellings_of_a_resolution_round_differently);
    tcase_add_test(t, a_range_of_zero_reads_zero);
    tcase_add_test(t, weights_on_a_tie_go_to_the_even_level);
    tcase_add_test(t, huge_weights_are_quantised_as_the_simulator_does);
    tcase_add_test(t, learned_clips_divide_and_multiply);
    tcase_add_test(t, learned_clips_above_one);
    tcase_add_test(t, one_weight_has_no_deviation);
    tcase_add_loop_test(t, what_does_not_fit_is_refused, 0, N_REFUSED);
    tcase_add_test(t, rows_do_not_depend_on_each_other);
    tcase_add_test(t, lack_of_memory_is_reported);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
