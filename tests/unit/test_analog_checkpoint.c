/* SPDX-License-Identifier: Apache-2.0 */
/* Tiny checkpoints in the layout of analog-foundation-models, with their learned input
 * ranges, on the profile afm-paper, against a reference in torch: what each linear layer
 * makes of the reference's inputs, and what its DACs see when the whole model runs.
 * tests/reference/make_analog_fixtures.py makes them. */
#include "analog/converter.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "tests/unit/decoder_rig.h"
#include "tests/unit/linear_call.h"

#include <stdio.h>

enum { MAX_FILE = 1 << 20 };

/* Of the DAC's codes when the model runs by itself: its float32 sums, exponentials and
 * square roots differ in the last bits from torch's. */
static const double EQUAL_CODES = 0.999;

/* Of the integer tiles' outputs for the reference's inputs: by one step of the ADC. */
static const double EQUAL_OUTPUTS = 0.999;

static const char *const folders[] = {"model-llama", "model-phi3"};

/* ---- the reference ------------------------------------------------------------------- */

struct reference {
    json_t *index;
    const char *model; /* folder of the checkpoint */
    float *x, *y;
    int8_t *codes;
    size_t n_x, n_y, n_codes;
    int32_t tokens[MAX_TOKENS];
    int n_tokens;
};

/* What the reference has of one layer, for all tokens. */
struct layer {
    int out, in;
    const float *x, *y;  /* [tokens, in], [tokens, out] */
    const int8_t *codes; /* [tokens, in] */
};

static const char *data_path(const char *folder, const char *name)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/%s/%s", root ? root : ".", folder, name);
    return path;
}

static void *read_array(const char *folder, const char *name, size_t size, size_t *n)
{
    char path[300];
    aim_error err = {0};
    size_t bytes = 0;
    snprintf(path, sizeof path, "tests/data/analog/%s", folder);
    char *data = aim_read_file(data_path(path, name), MAX_FILE, &bytes, &err);
    ck_assert_msg(data != NULL, "%s", err.text);
    *n = bytes / size;
    return data;
}

static void reference_open(struct reference *ref, const char *folder)
{
    aim_error err = {0};
    size_t len;
    char *text = read_array(folder, "index.json", 1, &len);
    ref->index = aim_json_parse(text, len, 0, folder, &err);
    ck_assert_msg(ref->index != NULL, "%s", err.text);
    aim_free(text);
    ref->x = read_array(folder, "x.f32", sizeof *ref->x, &ref->n_x);
    ref->y = read_array(folder, "y.f32", sizeof *ref->y, &ref->n_y);
    ref->codes = read_array(folder, "codes.i8", 1, &ref->n_codes);
    ref->model = json_string_value(json_object_get(ref->index, "model"));
    const json_t *tokens = json_object_get(ref->index, "tokens");
    ref->n_tokens = (int)json_array_size(tokens);
    ck_assert_int_le(ref->n_tokens, MAX_TOKENS);
    for (int i = 0; i < ref->n_tokens; i++)
        ref->tokens[i] = (int32_t)json_integer_value(json_array_get(tokens, (size_t)i));
}

static void reference_close(struct reference *ref)
{
    json_decref(ref->index);
    aim_free(ref->x);
    aim_free(ref->y);
    aim_free(ref->codes);
}

static int figure(const json_t *row, const char *key)
{
    return (int)json_integer_value(json_object_get(row, key));
}

static const json_t *find_row(const struct reference *ref, const char *name)
{
    size_t i;
    const json_t *row;
    json_array_foreach(json_object_get(ref->index, "linears"), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "name")), name) == 0)
            return row;
    }
    ck_abort_msg("the reference has no layer %s", name);
    return NULL;
}

static struct layer find_layer(const struct reference *ref, const char *name)
{
    const json_t *row = find_row(ref, name);
    struct layer l = {.out = figure(row, "out"), .in = figure(row, "in")};
    size_t n = (size_t)ref->n_tokens, x = (size_t)figure(row, "x"), y = (size_t)figure(row, "y"),
           codes = (size_t)figure(row, "codes");
    ck_assert_uint_le(x + n * (size_t)l.in, ref->n_x);
    ck_assert_uint_le(y + n * (size_t)l.out, ref->n_y);
    ck_assert_uint_le(codes + n * (size_t)l.in, ref->n_codes);
    l.x = ref->x + x;
    l.y = ref->y + y;
    l.codes = ref->codes + codes;
    return l;
}

/* ---- watching the model ------------------------------------------------------------- */

struct watch {
    struct rig rig;
    struct reference ref;
    aim_chip chip;
    size_t layers;                 /* seen */
    size_t codes, equal_codes;     /* of the inputs that the model makes by itself */
    size_t outputs, equal_outputs; /* for the inputs of the reference */
    size_t limited;                /* inputs beyond the range */
};

static struct layer part_of(const struct watch *w, const aim_linear_view *v, int part)
{
    char name[AIM_LINEAR_NAME];
    aim_linear_name(&w->rig.config, v->layer + part, name);
    struct layer l = find_layer(&w->ref, name);
    ck_assert_int_eq(l.out, v->shape->part_out[part]);
    ck_assert_int_eq(l.in, v->shape->in);
    return l;
}

static void count_codes(struct watch *w, const aim_linear_view *v, const struct layer *l, int part)
{
    aim_tiling tiling = v->backend->tiling(v->linear, part);
    ck_assert_int_eq(tiling.tiles, 1);
    ck_assert_int_eq(tiling.source, AIM_RANGES_LEARNED);
    float range = tiling.ranges[0], step = aim_converter_step(w->chip.profile.tile.inp_res, range);
    for (size_t i = 0; i < (size_t)v->rows * (size_t)l->in; i++) {
        float code = aim_converter_code(aim_limit(v->x[i], range), step);
        w->equal_codes += code == (float)l->codes[i];
        w->limited += fabsf(v->x[i]) > range;
        w->codes++;
    }
}

/* y [rows, out of all parts]: compare the columns of a part, which begin at `first`. */
static void compare_outputs(struct watch *w, const aim_linear_view *v, const struct layer *l,
                            int first, const float *y)
{
    for (int r = 0; r < v->rows; r++) {
        const float *got = y + (size_t)r * (size_t)v->shape->out + first;
        const float *want = l->y + (size_t)r * (size_t)l->out;
        for (int o = 0; o < l->out; o++)
            w->equal_outputs += memcmp(&got[o], &want[o], sizeof *got) == 0;
    }
    w->outputs += (size_t)v->rows * (size_t)l->out;
}

/* The layer with the reference's inputs, which are the same for all its parts. */
static void run_layer(struct watch *w, const aim_linear_view *v)
{
    size_t n = (size_t)v->rows * (size_t)v->shape->out, need;
    float *y = aim_array(n, sizeof *y);
    need = v->backend->scratch(&w->chip, v->shape, v->rows, aim_pool_threads(w->rig.compute.pool));
    void *scratch = aim_big_alloc(need);
    ck_assert(y && scratch);
    struct layer first = part_of(w, v, 0);
    const aim_output out = {.y = y, .ldy = (size_t)v->shape->out, .first = true};
    call_linear(v->backend, v->linear, v->shape, &w->rig.compute, first.x, v->rows, NULL, &out,
                scratch);
    for (int part = 0, column = 0; part < v->shape->n_parts; part++) {
        struct layer l = part_of(w, v, part);
        ck_assert_ptr_eq(l.x, first.x);
        compare_outputs(w, v, &l, column, y);
        column += l.out;
    }
    aim_big_free(scratch, need);
    aim_free(y);
}

static void observe(void *arg, const aim_linear_view *v)
{
    struct watch *w = arg;
    ck_assert_int_eq(v->rows, w->ref.n_tokens);
    run_layer(w, v);
    for (int part = 0; part < v->shape->n_parts; part++) {
        struct layer l = part_of(w, v, part);
        count_codes(w, v, &l, part);
        w->layers++;
    }
}

/* ---- the model ------------------------------------------------------------------------ */

static void open_chip(struct watch *w)
{
    aim_error err = {0};
    int code =
        aim_profile_load(data_path("conf/profiles", "afm-paper.conf"), &w->chip.profile, &err);
    ck_assert_msg(code == 0, "%s", err.text);
    ck_assert_double_eq(w->chip.profile.tile.out_bound,
                        json_real_value(json_object_get(w->ref.index, "out_bound")));
}

static void watch_open(struct watch *w, const char *folder, const char *backend)
{
    char dir[4096];
    aim_error err = {0};
    *w = (struct watch){0};
    reference_open(&w->ref, folder);
    open_chip(w);
    rig_start(&w->rig, NULL, 2);
    snprintf(dir, sizeof dir, "%s", data_path("tests/data/models", w->ref.model));
    ck_assert_msg(!aim_hf_config_load(dir, &w->rig.config, &err), "%s", err.text);
    w->rig.checkpoint = aim_checkpoint_open(dir, &err);
    ck_assert_msg(w->rig.checkpoint != NULL, "%s", err.text);
    w->rig.decoder =
        aim_decoder_load(&w->rig.config, w->rig.checkpoint, aim_backend_find(backend, NULL),
                         &w->chip, &w->rig.compute, NULL, NULL, &err);
    ck_assert_msg(w->rig.decoder != NULL, "%s", err.text);
    rig_finish(&w->rig);
}

static void watch_close(struct watch *w)
{
    rig_close(&w->rig);
    reference_close(&w->ref);
}

/* The whole prompt in one pass, with the logits of all positions. */
static void watch_run(struct watch *w)
{
    struct sequence s;
    set_up(&w->rig, &s, w->ref.tokens, w->ref.n_tokens);
    w->rig.compute.observe = observe;
    w->rig.compute.observe_arg = w;
    step(&w->rig, &s, 1, MAX_TOKENS);
    tear_down(&w->rig, &s);
    ck_assert_uint_eq(w->layers, json_array_size(json_object_get(w->ref.index, "linears")));
    ck_assert_uint_gt(w->limited, 0);
    ck_assert_uint_eq(w->codes, w->ref.n_codes);
}

/* ---- tests ---------------------------------------------------------------------------- */

START_TEST(reference_evaluator_is_exact)
{
    struct watch w;
    watch_open(&w, folders[_i], "analog-exact");
    ck_assert_str_eq(aim_decoder_range_source(w.rig.decoder), "learned");
    watch_run(&w);
    printf("%s: %zu of %zu outputs, %zu of %zu codes equal\n", folders[_i], w.equal_outputs,
           w.outputs, w.equal_codes, w.codes);
    ck_assert_uint_eq(w.equal_outputs, w.outputs);
    ck_assert_double_ge((double)w.equal_codes, EQUAL_CODES * (double)w.codes);
    watch_close(&w);
}
END_TEST

START_TEST(integer_tiles_are_close)
{
    struct watch w;
    watch_open(&w, folders[_i], "analog");
    watch_run(&w);
    printf("%s: %zu of %zu outputs, %zu of %zu codes equal\n", folders[_i], w.equal_outputs,
           w.outputs, w.equal_codes, w.codes);
    ck_assert_double_ge((double)w.equal_outputs, EQUAL_OUTPUTS * (double)w.outputs);
    watch_close(&w);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("analog checkpoint");
    TCase *t = tcase_create("reference");
    tcase_add_loop_test(t, reference_evaluator_is_exact, 0, COUNT(folders));
    tcase_add_loop_test(t, integer_tiles_are_close, 0, COUNT(folders));
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
