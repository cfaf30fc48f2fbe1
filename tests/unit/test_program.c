/* SPDX-License-Identifier: Apache-2.0 */
/* Programming a layer: against what is done to each tile alone, in any order, and
 * that compensation gives back what drift takes. */
#include "device_constants.h"

#include "analog/conductances.h"
#include "analog/device_pairs.h"
#include "analog/program.h"
#include "base/alloc.h"
#include "base/sha256.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OUT = 13, IN = 150, WIDTH = 64, TILES = 3, LAYER = 35 };
static const double DAY = 86400;

static float weights[OUT][IN]; /* what is asked for */

static void fill(float scale)
{
    for (int o = 0; o < OUT; o++) {
        aim_device_row row = {.seed = 4, .channel = (uint32_t)o};
        aim_normals(&row, AIM_STREAM_WEIGHTS, IN, weights[o]);
        for (int j = 0; j < IN; j++)
            weights[o][j] *= scale * (float)(o + 1);
    }
}

static aim_chip new_chip(enum aim_programming programming)
{
    aim_profile profile = {.tile = {.max_input_size = WIDTH, .adc_bound = AIM_BOUND_PER_CHANNEL},
                           .programming = programming,
                           .gaussian_share = 0.05f,
                           .pcm = AFM_PCM,
                           .device = PCM_LIKE,
                           .drift = true};
    return (aim_chip){.profile = profile, .seed = 77, .age = DAY};
}

/* What a chip makes of the layer. */
struct layer {
    float now[OUT][IN], largest[TILES][OUT], gain[TILES][OUT];
    bool has_gain;
};

static void survey(aim_layer_program *p, bool backwards)
{
    for (int i = 0; i < OUT; i++) {
        int o = backwards ? OUT - 1 - i : i;
        aim_layer_program_survey(p, o, weights[o]);
    }
    aim_layer_program_survey_end(p);
}

static struct layer run(const aim_chip *chip, bool backwards)
{
    struct layer l = {0};
    aim_layer_program p;
    float scratch[WIDTH];
    ck_assert_int_eq(aim_layer_program_init(&p, chip, LAYER, OUT, IN, NULL), AIM_OK);
    ck_assert_int_eq(p.tiles, TILES);
    ck_assert_uint_le(aim_layer_program_scratch(&p), WIDTH);
    if (aim_layer_program_needs_survey(&p))
        survey(&p, backwards);
    for (int i = 0; i < OUT; i++) {
        int o = backwards ? OUT - 1 - i : i;
        aim_layer_program_channel(&p, o, weights[o], l.now[o], scratch);
    }
    aim_layer_program_end(&p);
    memcpy(l.largest, p.largest, sizeof l.largest);
    l.has_gain = p.gain != NULL;
    if (p.gain)
        memcpy(l.gain, p.gain, sizeof l.gain);
    aim_layer_program_fini(&p);
    return l;
}

static aim_weight_window window(float (*w)[IN], int tile)
{
    aim_tile_span span = aim_tile_span_of(IN, WIDTH, tile);
    return (aim_weight_window){&w[0][span.first], OUT, span.width, IN};
}

/* ---- before the noise ------------------------------------------------------ */

static const struct {
    enum aim_weight_clip clip;
    enum aim_weight_quantisation levels;
    float scale; /* of the weights; the large ones meet the simulator's other step */
    bool per_channel_bound;
} shapings[] = {
    {AIM_CLIP_NONE, AIM_WEIGHTS_FLOAT, 1, false},
    {AIM_CLIP_NONE, AIM_WEIGHTS_FLOAT, 1, true},
    {AIM_CLIP_GAUSSIAN, AIM_WEIGHTS_FLOAT, 0.02f, false},
    {AIM_CLIP_GAUSSIAN_PER_CHANNEL, AIM_WEIGHTS_FLOAT, 0.02f, true},
    {AIM_CLIP_NONE, AIM_WEIGHTS_DISCRETIZE, 0.02f, false},
    {AIM_CLIP_NONE, AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, 0.02f, true},
    {AIM_CLIP_NONE, AIM_WEIGHTS_DISCRETIZE, 300, true},
    {AIM_CLIP_NONE, AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, 300, false},
    {AIM_CLIP_GAUSSIAN, AIM_WEIGHTS_DISCRETIZE, 0.02f, true},
    {AIM_CLIP_GAUSSIAN, AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, 0.02f, false},
    {AIM_CLIP_GAUSSIAN_PER_CHANNEL, AIM_WEIGHTS_DISCRETIZE, 0.02f, false},
    {AIM_CLIP_GAUSSIAN_PER_CHANNEL, AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, 0.02f, true},
};
enum { N_SHAPINGS = sizeof shapings / sizeof shapings[0] };

/* To the bit what is done to a whole matrix. */
START_TEST(weights_are_shaped_as_by_tile_weights)
{
    float expected[OUT][IN], largest[OUT], range[OUT];
    aim_chip chip = new_chip(AIM_PROGRAMMING_EXACT);
    aim_tile_settings *s = &chip.profile.tile;
    s->clip = shapings[_i].clip;
    s->weight_quantisation = shapings[_i].levels;
    s->weight_res = 14;
    if (!shapings[_i].per_channel_bound)
        s->adc_bound = AIM_BOUND_PER_TILE;
    chip.profile.clip_sigma = 1.7;
    fill(shapings[_i].scale);
    memcpy(expected, weights, sizeof expected);
    if (s->clip != AIM_CLIP_NONE)
        ck_assert_int_eq(aim_clip_gaussian(expected[0], OUT, IN,
                                           s->clip == AIM_CLIP_GAUSSIAN_PER_CHANNEL, 1.7, NULL),
                         AIM_OK);
    struct layer l = run(&chip, _i % 2);
    for (int t = 0; t < TILES; t++) {
        aim_weight_window w = window(expected, t);
        aim_largest_weights(&w, shapings[_i].per_channel_bound, largest);
        ck_assert(!memcmp(l.largest[t], largest, sizeof largest));
        aim_largest_weights(&w, s->weight_quantisation != AIM_WEIGHTS_DISCRETIZE, range);
        if (s->weight_quantisation != AIM_WEIGHTS_FLOAT)
            aim_discretize(&w, range, s->weight_res);
    }
    ck_assert(!memcmp(l.now, expected, sizeof expected));
    ck_assert(!l.has_gain);
}
END_TEST

/* ---- the noise ------------------------------------------------------------- */

/* One channel of one tile alone. */
static void program_alone(const aim_chip *chip, const aim_device_row *row, float *w, int n)
{
    float z[WIDTH];
    aim_device_pairs pairs = {&chip->profile.device, chip->profile.g_min};
    aim_normals(row, AIM_STREAM_PROGRAMMING, n, z);
    switch (chip->profile.programming) {
    case AIM_PROGRAMMING_EXACT:
        break;
    case AIM_PROGRAMMING_GAUSSIAN:
        aim_additive_noise_add(0.05f, z, w, n);
        break;
    case AIM_PROGRAMMING_PCM:
        aim_pcm_noise_add(&AFM_PCM, z, w, n);
        break;
    case AIM_PROGRAMMING_DEVICES:
        aim_device_pairs_age(&pairs, row, chip->age, w, n, NULL);
    }
}

static const enum aim_programming kinds[] = {AIM_PROGRAMMING_EXACT, AIM_PROGRAMMING_GAUSSIAN,
                                             AIM_PROGRAMMING_PCM, AIM_PROGRAMMING_DEVICES};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

START_TEST(each_channel_is_programmed_by_its_place)
{
    aim_chip chip = new_chip(kinds[_i]);
    fill(0.02f);
    struct layer l = run(&chip, false);
    for (int o = 0; o < OUT; o++)
        for (int t = 0; t < TILES; t++) {
            aim_tile_span span = aim_tile_span_of(IN, WIDTH, t);
            aim_device_row row = {77, LAYER, (uint16_t)t, (uint32_t)o, 0};
            float expected[WIDTH];
            memcpy(expected, &weights[o][span.first], (size_t)span.width * sizeof *expected);
            program_alone(&chip, &row, expected, span.width);
            ck_assert(
                !memcmp(&l.now[o][span.first], expected, (size_t)span.width * sizeof *expected));
        }
}
END_TEST

START_TEST(order_changes_nothing)
{
    aim_chip chip = new_chip(kinds[_i]);
    chip.profile.compensation = AIM_COMPENSATION_GLOBAL;
    chip.profile.tile.adc_bound = AIM_BOUND_PER_TILE;
    chip.profile.tile.clip = AIM_CLIP_GAUSSIAN;
    chip.profile.clip_sigma = 2.5;
    fill(0.02f);
    struct layer forwards = run(&chip, false), backwards = run(&chip, true);
    ck_assert(!memcmp(forwards.now, backwards.now, sizeof forwards.now));
    ck_assert(!memcmp(forwards.largest, backwards.largest, sizeof forwards.largest));
    ck_assert(!memcmp(forwards.gain, backwards.gain, sizeof forwards.gain));
}
END_TEST

/* The ADC of the weights asked for, or of those held before they drift. */
START_TEST(full_scales_follow_the_weights)
{
    float expected[OUT];
    aim_chip chip = new_chip(kinds[_i]), fresh = chip;
    chip.profile.adc_weights = fresh.profile.adc_weights = AIM_ADC_OF_PROGRAMMED;
    fresh.profile.drift = false;
    fill(0.02f);
    struct layer held = run(&chip, false), programmed = run(&fresh, false);
    chip.profile.adc_weights = AIM_ADC_OF_TARGET;
    struct layer asked = run(&chip, false);
    for (int t = 0; t < TILES; t++) {
        aim_weight_window w = window(weights, t), noisy = window(programmed.now, t);
        aim_largest_weights(&w, true, expected);
        ck_assert(!memcmp(asked.largest[t], expected, sizeof expected));
        aim_largest_weights(&noisy, true, expected);
        ck_assert(!memcmp(held.largest[t], expected, sizeof expected));
    }
}
END_TEST

/* ---- age ------------------------------------------------------------------- */

START_TEST(the_way_to_an_age_does_not_count)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    chip.profile.compensation = _i ? AIM_COMPENSATION_GLOBAL : AIM_COMPENSATION_NONE;
    fill(0.02f);
    struct layer direct = run(&chip, false);
    chip.age = 3600;
    struct layer hour = run(&chip, false);
    ck_assert(memcmp(hour.now, direct.now, sizeof hour.now));
    chip.age = DAY;
    struct layer again = run(&chip, false);
    ck_assert(!memcmp(again.now, direct.now, sizeof again.now));
    ck_assert(!memcmp(again.gain, direct.gain, sizeof again.gain));
    ck_assert(again.has_gain == (_i > 0));
}
END_TEST

START_TEST(there_is_one_age_of_zero)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    fill(0.02f);
    chip.age = 0.0;
    struct layer plus = run(&chip, false);
    chip.age = -0.0;
    struct layer minus = run(&chip, false);
    ck_assert(!memcmp(plus.now, minus.now, sizeof plus.now));
}
END_TEST

START_TEST(age_does_not_count_without_drift)
{
    aim_chip chip = new_chip(kinds[_i]);
    chip.profile.drift = false;
    chip.profile.device.t_0 = chip.profile.device.t_read = 0; /* need not be there then */
    fill(0.02f);
    struct layer old = run(&chip, false);
    chip.age = 0;
    struct layer fresh = run(&chip, false);
    ck_assert(!memcmp(old.now, fresh.now, sizeof old.now));
}
END_TEST

/* ---- the same bits on every machine ------------------------------------------ */

/* Of the conductance codes of the whole layer and their steps, channel by channel. */
static void digest_of(const struct layer *l, char hex[AIM_SHA256_HEX])
{
    aim_sha256 h;
    aim_sha256_init(&h);
    for (int o = 0; o < OUT; o++)
        for (int t = 0; t < TILES; t++) {
            int8_t low[WIDTH], high[WIDTH];
            float step;
            aim_tile_span span = aim_tile_span_of(IN, WIDTH, t);
            aim_conductance_codes(&l->now[o][span.first], span.width, low, high, &step);
            aim_sha256_update(&h, low, (size_t)span.width);
            aim_sha256_update(&h, high, (size_t)span.width);
            aim_sha256_update(&h, &step, sizeof step);
        }
    aim_sha256_update(&h, l->gain, sizeof l->gain);
    aim_sha256_final(&h, hex);
}

/* Written down from a run of this test. A chip of a given seed must not change: who
 * changes what it is made of has to tell its users, and writes these anew. */
static const struct {
    const char *name;
    enum aim_programming programming;
    bool reram;
    const char *digest;
} pinned[] = {
    {"exact", AIM_PROGRAMMING_EXACT, false,
     "0b29337360579848324bf81512622f7c751cae3458c8409095984db835e84522"},
    {"gaussian", AIM_PROGRAMMING_GAUSSIAN, false,
     "0713d694b2767c43e68c0892a6c0f2f5b28b61f7746ec5576c2ebc77ac87c73a"},
    {"pcm", AIM_PROGRAMMING_PCM, false,
     "3c7fde5ba37939da3cd75a1a2e4352329a174a5587fda09a6ae58b545b57a360"},
    {"devices after a day", AIM_PROGRAMMING_DEVICES, false,
     "3d264e7bf5293f2da28e821f0c9240588dd90518972cf90333e55ef3f57dc379"},
    {"reram after a day", AIM_PROGRAMMING_DEVICES, true,
     "b38601e787fdeff230b715a34913f608739afd84606fef0dd3f60b2539e8d064"},
};
enum { N_PINNED = sizeof pinned / sizeof pinned[0] };

START_TEST(a_chip_is_the_same_on_every_machine)
{
    aim_chip chip = new_chip(pinned[_i].programming);
    char digest[AIM_SHA256_HEX];
    chip.profile.compensation = AIM_COMPENSATION_PER_CHANNEL;
    if (pinned[_i].reram)
        chip.profile.device = RERAM_WAN;
    fill(0.02f);
    struct layer l = run(&chip, false);
    digest_of(&l, digest);
    ck_assert_msg(!strcmp(digest, pinned[_i].digest), "%s: %s", pinned[_i].name, digest);
}
END_TEST

/* Mean magnitude of a channel's weights on a tile, in units of the largest asked for. */
static double answer(float (*w)[IN], int tile, int channel)
{
    aim_tile_span span = aim_tile_span_of(IN, WIDTH, tile);
    double sum = 0;
    for (int j = 0; j < span.width; j++)
        sum += fabs((double)w[channel][span.first + j]);
    float largest[OUT];
    aim_weight_window asked = window(weights, tile);
    aim_largest_weights(&asked, true, largest);
    return sum / span.width / (double)largest[channel];
}

/* With the gain a tile, or a channel, answers as it did right after programming. */
START_TEST(compensation_restores_the_answer)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES), fresh = chip;
    bool global = _i == 0;
    chip.profile.compensation = global ? AIM_COMPENSATION_GLOBAL : AIM_COMPENSATION_PER_CHANNEL;
    fresh.profile.drift = false;
    fill(0.02f);
    struct layer old = run(&chip, false), then = run(&fresh, false);
    ck_assert(old.has_gain);
    for (int t = 0; t < TILES; t++) {
        double before = 0, now = 0;
        for (int o = 0; o < OUT; o++) {
            double a = answer(then.now, t, o), b = answer(old.now, t, o) * (double)old.gain[t][o];
            ck_assert(b / (double)old.gain[t][o] < 0.85 * a); /* a day has taken much */
            before += a;
            now += b;
            if (!global)
                ck_assert_double_eq_tol(b, a, 1e-6 * a);
        }
        ck_assert_double_eq_tol(now, before, 1e-6 * before);
        for (int o = 0; global && o < OUT; o++)
            ck_assert(old.gain[t][o] == old.gain[t][0]);
    }
}
END_TEST

/* Devices that all drift alike: the gain is the power of time that they lost. */
START_TEST(compensation_of_equal_devices_is_exact)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    aim_device_model *m = &chip.profile.device;
    m->programming_scale = m->read_scale = 0;
    m->drift_mean = (aim_device_curve){ALWAYS_BELOW, 0, 0.06f, 0, 0, 1, {0}};
    m->drift_deviation = (aim_device_curve){ALWAYS_BELOW, 0, 0, 0, 0, 0, {0}};
    chip.profile.compensation = _i ? AIM_COMPENSATION_GLOBAL : AIM_COMPENSATION_PER_CHANNEL;
    double lost = pow((DAY + 20) / 20, 0.06);
    fill(0.02f);
    struct layer l = run(&chip, false);
    for (int t = 0; t < TILES; t++)
        for (int o = 0; o < OUT; o++)
            ck_assert_double_eq_tol((double)l.gain[t][o], lost, 1e-5);
}
END_TEST

START_TEST(a_layer_of_zeros_needs_no_compensation)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    chip.profile.device.programming_scale = 0;
    chip.profile.compensation = AIM_COMPENSATION_PER_CHANNEL;
    fill(0);
    struct layer l = run(&chip, false);
    for (int o = 0; o < OUT; o++) {
        ck_assert(l.gain[0][o] == 1.0f);
        ck_assert(l.now[o][0] == 0.0f && l.largest[0][o] == 0.0f);
    }
}
END_TEST

/* What answers less than 1e-4 of a unit's weight counts as that, then and now: with the
 * largest weight taken for at least 1e-7, these answer about 1e-5. */
START_TEST(answers_of_nearly_nothing_are_not_compensated)
{
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    chip.profile.device.programming_scale = 0;
    chip.profile.compensation = _i ? AIM_COMPENSATION_GLOBAL : AIM_COMPENSATION_PER_CHANNEL;
    fill(1e-13f);
    struct layer l = run(&chip, false);
    for (int t = 0; t < TILES; t++)
        for (int o = 0; o < OUT; o++)
            ck_assert(l.gain[t][o] == 1.0f);
    fill(1e-10f); /* a thousand times as much is */
    l = run(&chip, false);
    for (int t = 0; t < TILES; t++)
        for (int o = 0; o < OUT; o++)
            ck_assert(l.gain[t][o] > 1.1f);
}
END_TEST

/* ---- errors ---------------------------------------------------------------- */

static const struct {
    int layer, out, in;
    enum aim_weight_clip clip;
    int code;
} refused[] = {
    {-1, 2, 2, AIM_CLIP_NONE, AIM_EINVAL},
    {65536, 2, 2, AIM_CLIP_NONE, AIM_EINVAL},
    {0, 2, 65536 * WIDTH, AIM_CLIP_NONE, AIM_EINVAL},
    {0, 1, 1, AIM_CLIP_GAUSSIAN, AIM_EINVAL},
    {0, 5, 1, AIM_CLIP_GAUSSIAN_PER_CHANNEL, AIM_EINVAL},
    {0, 2, 2, AIM_CLIP_LEARNABLE, AIM_EUNSUPPORTED},
};
enum { N_REFUSED = sizeof refused / sizeof refused[0] };

START_TEST(layers_that_cannot_be_programmed)
{
    aim_error err = {0};
    aim_layer_program p;
    aim_chip chip = new_chip(AIM_PROGRAMMING_PCM);
    chip.profile.tile.clip = refused[_i].clip;
    ck_assert_int_eq(
        aim_layer_program_init(&p, &chip, refused[_i].layer, refused[_i].out, refused[_i].in, &err),
        refused[_i].code);
    ck_assert(err.text[0]);
    aim_layer_program_fini(&p);
}
END_TEST

START_TEST(memory_may_run_out)
{
    aim_layer_program p;
    aim_chip chip = new_chip(AIM_PROGRAMMING_DEVICES);
    chip.profile.compensation = AIM_COMPENSATION_GLOBAL;
    chip.profile.tile.clip = AIM_CLIP_GAUSSIAN;
    chip.profile.tile.weight_quantisation = AIM_WEIGHTS_DISCRETIZE;
    int code = AIM_ENOMEM, failures = 0;
    for (; code != AIM_OK; failures++) {
        aim_error err = {0};
        aim_alloc_fail_after(failures);
        code = aim_layer_program_init(&p, &chip, 0, OUT, IN, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(code, err.code);
        ck_assert(code == AIM_OK || code == AIM_ENOMEM);
    }
    ck_assert_int_eq(failures, 8); /* seven arrays */
    aim_layer_program_fini(&p);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("program");
    TCase *t = tcase_create("program");
    tcase_add_loop_test(t, weights_are_shaped_as_by_tile_weights, 0, N_SHAPINGS);
    tcase_add_loop_test(t, each_channel_is_programmed_by_its_place, 0, N_KINDS);
    tcase_add_loop_test(t, order_changes_nothing, 0, N_KINDS);
    tcase_add_loop_test(t, full_scales_follow_the_weights, 0, N_KINDS);
    tcase_add_loop_test(t, the_way_to_an_age_does_not_count, 0, 2);
    tcase_add_loop_test(t, a_chip_is_the_same_on_every_machine, 0, N_PINNED);
    tcase_add_test(t, there_is_one_age_of_zero);
    tcase_add_loop_test(t, age_does_not_count_without_drift, 0, N_KINDS);
    tcase_add_loop_test(t, compensation_restores_the_answer, 0, 2);
    tcase_add_loop_test(t, compensation_of_equal_devices_is_exact, 0, 2);
    tcase_add_test(t, a_layer_of_zeros_needs_no_compensation);
    tcase_add_loop_test(t, answers_of_nearly_nothing_are_not_compensated, 0, 2);
    tcase_add_loop_test(t, layers_that_cannot_be_programmed, 0, N_REFUSED);
    tcase_add_test(t, memory_may_run_out);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
