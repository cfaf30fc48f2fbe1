/* SPDX-License-Identifier: Apache-2.0 */
/* Whole models on a chip: the shipped profiles, and what a decoder tells of its
 * chip. test_analog_layer.c has the bits of a linear layer. */
#include "analog/energy.h"
#include "analog/exact_linear.h"
#include "base/alloc.h"
#include "base/json.h"
#include "tests/unit/decoder_rig.h"

#include <math.h>
#include <stdio.h>

/* Every kind of linear layer: apart, fused, with biases, of a torch file. */
static const char *const folders[] = {"llama3", "phi3",         "qwen2",
                                      "qwen3",  "analog-llama", "analog-phi3"};
static const char *const backend_names[] = {"analog", "analog-exact"};

static const char *path_of(const char *folder, const char *file)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/%s/%s", root ? root : ".", folder, file);
    return path;
}

static aim_chip chip_of(const char *profile)
{
    aim_chip chip = {.seed = 42};
    aim_error err = {0};
    const char *where[] = {path_of("conf", "profiles"), NULL};
    char *path = aim_profile_path(where, profile, &err);
    ck_assert_msg(path && aim_profile_load(path, &chip.profile, &err) == AIM_OK, "%s", err.text);
    aim_free(path);
    return chip;
}

static void open_model(struct rig *r, const char *folder, const char *backend, const aim_chip *chip,
                       const char *kernels, int threads)
{
    rig_open_chip(r, path_of("tests/data/models", folder), backend, chip, kernels, threads);
}

/* ---- logits ------------------------------------------------------------------------ */

enum { TOKENS = 40, MAX_VOCAB = 272 };

/* [TOKENS, vocab] of some tokens, `chunk` rows a step, in a batch with another
 * sequence. */
static void run(struct rig *r, int chunk, float *logits)
{
    int32_t tokens[TOKENS], others[TOKENS];
    struct sequence s[2];
    int vocab = r->config.vocab;
    ck_assert_int_le(vocab, MAX_VOCAB);
    for (int i = 0; i < TOKENS; i++) {
        tokens[i] = (7 * i + 3) % vocab;
        others[i] = (5 * i + 1) % vocab;
    }
    set_up(r, &s[0], tokens, TOKENS);
    set_up(r, &s[1], others, TOKENS);
    while (!finished(s, 2))
        step(r, s, 2, chunk);
    memcpy(logits, s[0].logits, (size_t)(TOKENS * vocab) * sizeof *logits);
    tear_down(r, &s[0]);
    tear_down(r, &s[1]);
}

static void logits_of(const char *folder, const char *backend, const aim_chip *chip,
                      const char *kernels, int threads, int chunk, float *logits)
{
    struct rig r;
    open_model(&r, folder, backend, chip, kernels, threads);
    run(&r, chunk, logits);
    rig_close(&r);
}

static float want[TOKENS * MAX_VOCAB], got[TOKENS * MAX_VOCAB];

START_TEST(the_ideal_chip_is_int8)
{
    aim_chip chip = chip_of("ideal");
    logits_of(folders[_i], "int8", NULL, NULL, 2, 8, want);
    logits_of(folders[_i], "analog", &chip, NULL, 2, 8, got);
    ck_assert_mem_eq(want, got, sizeof want);
}
END_TEST

/* Also where the profile is anything but ideal. */
START_TEST(layers_off_the_tiles_are_int8)
{
    aim_chip chip = chip_of("pcm-aihwkit");
    struct rig r;
    chip.profile.on_tiles = 0;
    logits_of("llama3", "int8", NULL, NULL, 2, 8, want);
    open_model(&r, "llama3", backend_names[_i], &chip, NULL, 2);
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "none");
    ck_assert_int_eq(aim_decoder_missing_ranges(r.decoder), 0);
    ck_assert_uint_eq(aim_decoder_chip_cost(r.decoder, 9, 9).mvms, 0);
    run(&r, 8, got);
    rig_close(&r);
    if (_i == 0) /* the other one keeps float32 keys and values */
        ck_assert_mem_eq(want, got, sizeof want);
}
END_TEST

/* Threads, instruction sets, batches; with noise of every kind. */
START_TEST(a_seed_is_a_chip)
{
    static const char *const profiles[] = {"afm-paper", "pcm-hermes", "pcm-aihwkit", "gaussian",
                                           "reram-wan2022"};
    aim_chip chip = chip_of(profiles[_i]), other = chip;
    chip.age = other.age = 3600;
    logits_of("analog-phi3", "analog", &chip, "portable", 1, TOKENS, want);
    for (int i = 0; i < TOKENS * MAX_VOCAB; i++)
        ck_assert(isfinite(want[i]));
    int n;
    const aim_kernels *const *kernels = aim_kernels_all(&n);
    for (int k = 0; k < n; k++) {
        if (!aim_kernels_pick(kernels[k]->name, NULL))
            continue; /* this CPU cannot run it */
        logits_of("analog-phi3", "analog", &chip, kernels[k]->name, 1 + 3 * k, 7, got);
        ck_assert_mem_eq(want, got, sizeof want);
    }
    other.seed++;
    logits_of("analog-phi3", "analog", &other, NULL, 8, TOKENS, got);
    if (_i == 0) /* no noise: nothing to tell chips apart */
        ck_assert_mem_eq(want, got, sizeof want);
    else
        ck_assert_mem_ne(want, got, sizeof want);
}
END_TEST

/* ---- the published layout ------------------------------------------------------------- */

/* Outputs of layers, and those that are not the reference evaluator's. */
struct comparison {
    const aim_tile_settings *settings;
    int outputs, different;
};

/* A part as the checkpoint has it, for the reference evaluator. */
static aim_tiled_linear *tiled_part(const aim_linear_view *v, int part,
                                    const aim_tile_settings *settings)
{
    int out = v->shape->part_out[part], in = v->shape->in;
    size_t n = (size_t)out * (size_t)in;
    float *weight = malloc(n * sizeof *weight), range;
    aim_tensor_read(v->parts[part].weight, 0, n, weight);
    ck_assert_int_eq(v->parts[part].input_range->shape[0], 1);
    aim_tensor_read(v->parts[part].input_range, 0, 1, &range);
    aim_layer_source source = {
        .out = out, .in = in, .weight = weight, .input_range = &range, .n_ranges = 1};
    aim_tiled_linear *l = aim_tiled_linear_new(settings, &source, NULL);
    ck_assert_ptr_nonnull(l);
    free(weight);
    return l;
}

static void compare_layer(void *arg, const aim_linear_view *v)
{
    struct comparison *c = arg;
    const float *y = v->y;
    for (int i = 0; i < v->shape->n_parts; y += v->shape->part_out[i++]) {
        aim_tiled_linear *l = tiled_part(v, i, c->settings);
        float *reference = malloc((size_t)(v->rows * l->out) * sizeof *reference);
        float *scratch = malloc(aim_exact_scratch(l) * sizeof *scratch);
        aim_exact_forward(l, v->x, v->rows, reference, scratch, NULL);
        for (int r = 0; r < v->rows; r++)
            for (int o = 0; o < l->out; o++)
                c->different +=
                    memcmp(&reference[r * l->out + o], &y[r * v->shape->out + o], sizeof *y) != 0;
        c->outputs += v->rows * l->out;
        free(reference);
        free(scratch);
        aim_tiled_linear_free(l);
    }
}

/* Every layer, on the inputs that it gets, is the reference evaluator's to the bit;
 * integers of 16 bits move a reading over the edge between two codes of the ADC now
 * and then. */
START_TEST(published_checkpoints_run)
{
    aim_chip chip = chip_of("afm-paper");
    struct rig r;
    struct comparison c = {.settings = &chip.profile.tile};
    bool exact = _i % 2;
    open_model(&r, _i / 2 ? "analog-phi3" : "analog-llama", backend_names[exact], &chip, NULL, 2);
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "learned");
    ck_assert_int_eq(aim_decoder_missing_ranges(r.decoder), 0);
    r.compute.observe = compare_layer;
    r.compute.observe_arg = &c;
    run(&r, TOKENS, got);
    rig_close(&r);
    ck_assert_int_gt(c.outputs, 40000);
    ck_assert_msg(c.different <= (exact ? 0 : c.outputs / 1000), "%d of %d differ", c.different,
                  c.outputs);
}
END_TEST

/* A checkpoint that was trained on tiles of any width stands on narrow ones: its one
 * range a layer is that of all of them. */
START_TEST(one_learned_range_serves_all_tiles)
{
    aim_chip chip = chip_of("afm-paper");
    struct rig r;
    chip.profile.tile.max_input_size = 16;
    open_model(&r, "analog-llama", backend_names[_i], &chip, NULL, 1);
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "learned");
    run(&r, TOKENS, got);
    for (int i = 0; i < TOKENS * r.config.vocab; i++)
        ck_assert(isfinite(got[i]));
    rig_close(&r);
}
END_TEST

/* The decoder keeps calibrated ranges of its own. */
START_TEST(ranges_come_from_several_places)
{
    aim_chip chip = chip_of("afm-paper");
    struct rig r;
    open_model(&r, "llama3", "analog", &chip, NULL, 1);
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "dynamic");
    ck_assert_int_eq(aim_decoder_missing_ranges(r.decoder), 7 * r.config.layers + 1);
    run(&r, TOKENS, want);
    rig_close(&r);
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    *aim_input_ranges_add(set, aim_layer_number(1, AIM_LAYER_DOWN), 1) = 0.25f;
    chip.ranges = set;
    open_model(&r, "llama3", "analog", &chip, NULL, 1);
    aim_input_ranges_free(set);
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "mixed");
    ck_assert_int_eq(aim_decoder_missing_ranges(r.decoder), 7 * r.config.layers);
    ck_assert(aim_decoder_chip(r.decoder)->ranges->layers[0].range[0] == 0.25f);
    run(&r, TOKENS, got);
    ck_assert_mem_ne(want, got, sizeof want);
    rig_close(&r);
}
END_TEST

/* ---- noise of reads ---------------------------------------------------------------------- */

enum { HEAD = 128 }; /* the vocabulary of llama3 */

/* A step of two rows, each the first of its sequence, and the logits of the second. */
static void two_rows(struct rig *r, const aim_row_noise *noise, float *logits)
{
    const int32_t token[2] = {5, 5}, position[2] = {0, 0};
    int32_t table[2] = {aim_kv_take(r->kv), aim_kv_take(r->kv)};
    const int32_t *blocks[2] = {&table[0], &table[1]};
    const int wanted[1] = {1};
    aim_batch batch = {.n_rows = 2,
                       .token = token,
                       .position = position,
                       .blocks = blocks,
                       .noise = noise,
                       .n_logits = 1,
                       .logit_rows = wanted};
    const float *result =
        aim_decoder_forward(r->decoder, r->workspace, r->kv, &r->compute, &batch, NULL);
    memcpy(logits, result, HEAD * sizeof *logits);
    aim_kv_release(r->kv, table[0]);
    aim_kv_release(r->kv, table[1]);
}

/* In the blocks and in the head, whose rows are another selection. */
START_TEST(every_row_has_its_own_noise)
{
    static const unsigned on_tiles[] = {AIM_ON_TILES_ATTENTION, AIM_ON_TILES_LM_HEAD};
    static const aim_row_noise noise[][2] = {
        {{1, 0}, {2, 0}}, {{7, 0}, {2, 0}}, {{1, 0}, {3, 0}}, {{1, 0}, {2, 1}}};
    float logits[COUNT(noise)][HEAD], none[HEAD];
    aim_chip chip = chip_of("ideal");
    struct rig r;
    chip.profile.read_noise = AIM_READ_NOISE_INPUT;
    chip.profile.read_noise_share = 0.05f;
    chip.profile.on_tiles = on_tiles[_i % 2];
    open_model(&r, "llama3", backend_names[_i / 2], &chip, NULL, 2);
    ck_assert(aim_decoder_has_read_noise(r.decoder));
    for (size_t i = 0; i < COUNT(noise); i++)
        two_rows(&r, noise[i], logits[i]);
    two_rows(&r, NULL, none);
    rig_close(&r);
    ck_assert_mem_eq(logits[0], logits[1], sizeof logits[0]); /* the other row's */
    ck_assert_mem_ne(logits[0], logits[2], sizeof logits[0]);
    ck_assert_mem_ne(logits[0], logits[3], sizeof logits[0]);
    ck_assert_mem_ne(logits[0], none, sizeof none);
}
END_TEST

/* ---- what a decoder tells ------------------------------------------------------------------ */

/* config.json of llama3: 2 layers of hidden size 48, 4 heads and 2 of keys of 16, 64
 * in between, 128 tokens; arrays of 32 x 32. */
START_TEST(costs_are_counted)
{
    aim_chip chip = chip_of("afm-paper");
    struct rig r;
    chip.profile.energy =
        (aim_energy){.rows = 32, .columns = 32, .mvm_joule = 1, .mvm_seconds = 2, .adc_joule = 0.5};
    open_model(&r, "llama3", "analog", &chip, NULL, 1);
    ck_assert_int_eq(r.config.hidden, 48);
    /* in 48 is 2 arrays, 64 is 2: q 2 x 2, k and v 1 x 2, o 2 x 2, gate and up 2 x 2,
     * down 2 x 2; head 4 x 2 */
    const uint64_t block = 4 + 2 + 2 + 4 + 4 + 4 + 4, head = 8, rows = 10, head_rows = 3;
    aim_chip_cost cost = aim_decoder_chip_cost(r.decoder, rows, head_rows);
    ck_assert_uint_eq(cost.mvms, rows * 2 * block + head_rows * head);
    ck_assert_double_eq_tol(cost.seconds, 2.0 * (double)(rows * 2 * 4 + head_rows), 1e-9);
    aim_chip_cost one = aim_energy_of_layer(&chip.profile.energy, -1, 128, 48);
    aim_chip_cost of_head = aim_decoder_chip_cost(r.decoder, 0, 1);
    ck_assert_uint_eq(of_head.adc_conversions, one.adc_conversions);
    ck_assert_uint_eq(of_head.dac_conversions, one.dac_conversions);
    ck_assert_double_eq_tol(of_head.joule, one.joule, 1e-9);
    rig_close(&r);
    chip.profile.on_tiles = AIM_ON_TILES_LM_HEAD;
    chip.profile.tile.max_input_size = 20; /* 48 is 3 tiles of 16, each on arrays of its own */
    open_model(&r, "llama3", "analog", &chip, NULL, 1);
    ck_assert_uint_eq(aim_decoder_chip_cost(r.decoder, 1, 1).mvms, 3 * 4);
    rig_close(&r);
    chip.profile.tile.max_input_size = -1;
    chip.profile.on_tiles = AIM_ON_TILES_FEED_FORWARD;
    open_model(&r, "llama3", "analog", &chip, NULL, 1);
    ck_assert_uint_eq(aim_decoder_chip_cost(r.decoder, 1, 1).mvms, 2 * 12);
    rig_close(&r);
    open_model(&r, "llama3", "int8", NULL, NULL, 1);
    ck_assert_uint_eq(aim_decoder_chip_cost(r.decoder, 1, 1).mvms, 0);
    ck_assert_ptr_null(aim_decoder_chip(r.decoder));
    ck_assert(!aim_decoder_has_read_noise(r.decoder));
    ck_assert_str_eq(aim_decoder_range_source(r.decoder), "none");
    rig_close(&r);
}
END_TEST

START_TEST(layers_have_names)
{
    static const struct {
        const char *folder;
        int number;
        const char *name;
    } names[] = {
        {"llama3", 0, "layers.0.q_proj"},        {"llama3", 1, "layers.0.k_proj"},
        {"llama3", 8 + 2, "layers.1.v_proj"},    {"llama3", 3, "layers.0.o_proj"},
        {"llama3", 4, "layers.0.gate_proj"},     {"llama3", 8 + 5, "layers.1.up_proj"},
        {"llama3", 8 + 6, "layers.1.down_proj"}, {"llama3", 16, "lm_head"},
        {"phi3", 8, "layers.1.qkv_proj"},        {"phi3", 4, "layers.0.gate_up_proj"},
        {"phi3", 8 + 3, "layers.1.o_proj"},      {"phi3", 16, "lm_head"},
    };
    for (size_t i = 0; i < COUNT(names); i++) {
        aim_hf_config config;
        char name[AIM_LINEAR_NAME];
        const char *dir = path_of("tests/data/models", names[i].folder);
        ck_assert_int_eq(aim_hf_config_load(dir, &config, NULL), AIM_OK);
        aim_linear_name(&config, names[i].number, name);
        ck_assert_str_eq(name, names[i].name);
    }
}
END_TEST

/* ---- observers ---------------------------------------------------------------------------- */

struct observation {
    int calls, parts, rows, numbers[64];
    const struct rig *r;
};

static void observe(void *arg, const aim_linear_view *v)
{
    struct observation *o = arg;
    aim_converter_counts counts[AIM_MAX_PARTS];
    float ideal = 0, weight[256];
    ck_assert_ptr_nonnull(v->parts);
    ck_assert_int_eq(
        v->backend->count_limits(v->linear, &o->r->compute, v->x, v->rows, v->noise, counts, NULL),
        AIM_OK);
    for (int i = 0; i < v->shape->n_parts; i++) {
        uint64_t inputs = (uint64_t)v->rows * (uint64_t)v->shape->in;
        ck_assert_uint_eq(counts[i].inputs, inputs);
        ck_assert_uint_eq(counts[i].readings, (uint64_t)v->rows * (uint64_t)v->shape->part_out[i]);
        ck_assert_int_eq(v->parts[i].weight->shape[0], v->shape->part_out[i]);
        o->numbers[o->parts++] = v->layer + i;
    }
    /* y is x W^T, as the checkpoint has it but for some bits. */
    aim_tensor_read(v->parts[0].weight, 0, (size_t)v->shape->in, weight);
    for (int j = 0; j < v->shape->in; j++)
        ideal += v->x[j] * weight[j];
    ck_assert_float_eq_tol(ideal, v->y[0], 0.2f);
    o->rows = v->rows;
    o->calls++;
}

START_TEST(observers_see_every_layer)
{
    aim_chip chip = chip_of("ideal");
    struct rig r;
    struct observation o = {.r = &r};
    open_model(&r, "llama3", "analog", &chip, NULL, 2);
    r.compute.observe = observe;
    r.compute.observe_arg = &o;
    run(&r, TOKENS, got);
    ck_assert_int_eq(o.calls, 4 * r.config.layers + 1);
    ck_assert_int_eq(o.parts, 7 * r.config.layers + 1);
    ck_assert_int_eq(o.rows, 2 * TOKENS);
    for (int i = 0; i < o.parts; i++)
        ck_assert_int_eq(o.numbers[i], i / 7 * AIM_LAYERS_A_BLOCK + i % 7);
    rig_close(&r);
}
END_TEST

/* ---- memory ------------------------------------------------------------------------------- */

START_TEST(what_is_planned_is_taken)
{
    static const char *const profiles[] = {"ideal", "afm-paper", "pcm-aihwkit"};
    aim_chip chip = chip_of(profiles[_i / 2]);
    struct rig r;
    chip.profile.read_noise = AIM_READ_NOISE_OUTPUT;
    chip.profile.read_noise_share = 0.01f;
    rig_start(&r, NULL, 2);
    const aim_backend *backend = aim_backend_find(backend_names[_i % 2], NULL);
    ck_assert_int_eq(aim_hf_config_load(path_of("tests/data/models", "llama3"), &r.config, NULL),
                     AIM_OK);
    size_t before = aim_big_held();
    r.decoder = aim_decoder_random(&r.config, backend, &chip, &r.compute, 1, NULL);
    size_t weights = aim_big_held() - before;
    size_t planned = aim_decoder_load_bytes(&r.config, backend, &chip);
    ck_assert_uint_ge(planned, weights);
    ck_assert_uint_le(planned, weights + weights / 10); /* numbers of channels are apart */
    rig_finish(&r);
    ck_assert_uint_eq(aim_workspace_bytes(r.workspace),
                      aim_workspace_need(&r.config, backend, &chip, MAX_ROWS, MAX_ROWS, 2));
    run(&r, TOKENS, got);
    rig_close(&r);
}
END_TEST

START_TEST(chips_are_needed_and_may_be_refused)
{
    aim_chip chip = chip_of("afm-paper");
    aim_error err = {0}, too_fine = {0};
    struct rig r;
    rig_start(&r, NULL, 1);
    const aim_backend *backend = aim_backend_find("analog", NULL);
    ck_assert_int_eq(aim_hf_config_load(path_of("tests/data/models", "llama3"), &r.config, NULL),
                     AIM_OK);
    ck_assert_ptr_null(aim_decoder_random(&r.config, backend, NULL, &r.compute, 1, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.text, "backend \"analog\" needs a profile");
    chip.profile.tile.inp_res = 255;
    ck_assert_ptr_null(aim_decoder_random(&r.config, backend, &chip, &r.compute, 1, &too_fine));
    ck_assert_str_eq(too_fine.param, "inp_res");
    rig_close(&r);
}
END_TEST

START_TEST(loading_survives_every_failed_allocation)
{
    aim_chip chip = chip_of("pcm-aihwkit");
    struct rig r;
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    *aim_input_ranges_add(set, 0, 1) = 2;
    chip.ranges = set;
    rig_start(&r, NULL, 1);
    const char *dir = path_of("tests/data/models", "llama3");
    const aim_backend *backend = aim_backend_find(backend_names[_i], NULL);
    ck_assert_int_eq(aim_hf_config_load(dir, &r.config, NULL), AIM_OK);
    r.config.layers = 1;
    for (int n = 0; !r.decoder; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        r.decoder = aim_decoder_random(&r.config, backend, &chip, &r.compute, 1, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, r.decoder ? AIM_OK : AIM_ENOMEM);
    }
    rig_close(&r);
    aim_input_ranges_free(set);
}
END_TEST

int main(void)
{
    aim_json_init();
    const int both = COUNT(backend_names);
    Suite *s = suite_create("analog model");
    TCase *t = tcase_create("logits");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, the_ideal_chip_is_int8, 0, COUNT(folders));
    tcase_add_loop_test(t, layers_off_the_tiles_are_int8, 0, both);
    tcase_add_loop_test(t, a_seed_is_a_chip, 0, 5);
    tcase_add_loop_test(t, published_checkpoints_run, 0, 2 * both);
    tcase_add_loop_test(t, one_learned_range_serves_all_tiles, 0, both);
    tcase_add_test(t, ranges_come_from_several_places);
    tcase_add_loop_test(t, every_row_has_its_own_noise, 0, 2 * both);
    suite_add_tcase(s, t);
    t = tcase_create("facts");
    tcase_set_timeout(t, 120);
    tcase_add_test(t, costs_are_counted);
    tcase_add_test(t, layers_have_names);
    tcase_add_test(t, observers_see_every_layer);
    tcase_add_loop_test(t, what_is_planned_is_taken, 0, 3 * both);
    tcase_add_test(t, chips_are_needed_and_may_be_refused);
    tcase_add_loop_test(t, loading_survives_every_failed_allocation, 0, both);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
