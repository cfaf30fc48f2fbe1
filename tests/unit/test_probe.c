/* SPDX-License-Identifier: Apache-2.0 */
/* Probes and calibrations: figures equal to those of a plain computation, whatever
 * the threads, beside an engine at work. */
#include "analog/converter.h"
#include "analog/tile_split.h"
#include "base/alloc.h"
#include "base/json.h"
#include "chip_rig.h"
#include "engine/calibrate.h"
#include "engine/measure_run.h"
#include "engine/probe.h"
#include "tsan.h"

#include <check.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROWS = 256, MAX_LAYERS = 64, WIDEST = 512 };

static char model_dir[4096];

/* ---- models ----------------------------------------------------------------------- */

static void ignore_events(void *arg, aim_event *events)
{
    _Atomic int *ended = arg;
    for (aim_event *next; events; events = next) {
        next = events->next;
        if (ended && events->finish != AIM_FINISH_NONE)
            atomic_fetch_add(ended, 1);
        aim_event_free(events);
    }
}

static aim_model *open_model(const char *backend, const aim_chip *chip, _Atomic int *ended)
{
    aim_error err = {0};
    aim_model_options o = {.dir = model_dir, .backend = backend, .chip = chip};
    aim_engine_config_init(&o.engine);
    o.engine.threads = 2;
    aim_model *m = aim_model_open(&o, ignore_events, ended, NULL, NULL, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    return m;
}

static const char *const texts[] = {
    "Vera buys 3 coins for 15 dollars each and 5 pens for 10 dollars each. Vera pays with "
    "100 dollars. How many dollars does Vera get back? A second sentence makes this one "
    "longer than a chunk of rows, whatever the tokenizer does with it: 1 2 3 4 5 6 7 8 9 "
    "10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30.",
    "Dan makes 6 stickers a day for 7 days.",
    "0",
};
enum { N_TEXTS = sizeof texts / sizeof texts[0] };

static aim_token_list tokens_of(const aim_model *m, const char *text)
{
    aim_error err = {0};
    aim_ids ids = {0};
    int code = aim_tokenizer_encode(m->tokenizer, text, strlen(text), AIM_ADD_SPECIAL, NULL, 0,
                                    &ids, &err);
    ck_assert_msg(code == 0, "%s", err.text);
    return (aim_token_list){ids.v, (int)ids.n};
}

static void free_tokens(aim_token_list l)
{
    aim_free((int32_t *)l.tokens);
}

/* ---- a plain run: all rows at once, everything kept -------------------------------- */

/* A linear layer as it was called; its parts share x. */
typedef struct call {
    int layer, rows, in, out, n_parts, part_out[AIM_MAX_PARTS];
    float *x, *y;
    aim_converter_counts counts[AIM_MAX_PARTS];
} call;

typedef struct recording {
    call calls[MAX_LAYERS];
    int n;
    const aim_compute *compute;
} recording;

static float *copy(const float *from, size_t n)
{
    float *to = malloc(n * sizeof *to);
    memcpy(to, from, n * sizeof *to);
    return to;
}

static void record(void *arg, const aim_linear_view *v)
{
    recording *r = arg;
    call *c = &r->calls[r->n++];
    *c = (call){.layer = v->layer,
                .rows = v->rows,
                .in = v->shape->in,
                .out = v->shape->out,
                .n_parts = v->shape->n_parts};
    memcpy(c->part_out, v->shape->part_out, sizeof c->part_out);
    c->x = copy(v->x, (size_t)c->rows * (size_t)c->in);
    c->y = copy(v->y, (size_t)c->rows * (size_t)c->out);
    if (v->backend->on_tiles)
        ck_assert_int_eq(v->backend->count_limits(v->linear, r->compute, v->x, v->rows, v->noise,
                                                  c->counts, NULL),
                         AIM_OK);
}

static void run_plainly(const aim_model *m, aim_token_list text, recording *r)
{
    int32_t position[MAX_ROWS], table[MAX_ROWS / AIM_KV_BLOCK];
    const int32_t *blocks[MAX_ROWS];
    int rows[MAX_ROWS];
    aim_row_noise noise[MAX_ROWS];
    aim_compute compute = {.kernels = m->compute.kernels, .pool = aim_pool_new(1, NULL)};
    aim_kv_shape shape = aim_decoder_kv_shape(m->decoder);
    aim_kv_cache *kv = aim_kv_new(&shape, MAX_ROWS / AIM_KV_BLOCK, false, NULL);
    aim_workspace *w = aim_workspace_new(m->decoder, MAX_ROWS, MAX_ROWS, &compute, NULL);
    ck_assert(kv && w && text.n <= MAX_ROWS);
    for (int i = 0; i < MAX_ROWS / AIM_KV_BLOCK; i++)
        table[i] = aim_kv_take(kv);
    for (int i = 0; i < text.n; i++) {
        position[i] = rows[i] = i;
        blocks[i] = table;
        noise[i] = (aim_row_noise){0, i};
    }
    aim_batch b = {.n_rows = text.n,
                   .token = text.tokens,
                   .position = position,
                   .blocks = blocks,
                   .noise = aim_decoder_has_read_noise(m->decoder) ? noise : NULL,
                   .n_logits = text.n,
                   .logit_rows = rows};
    *r = (recording){.compute = &compute};
    compute.observe = record;
    compute.observe_arg = r;
    aim_decoder_forward(m->decoder, w, kv, &compute, &b, NULL);
    aim_workspace_free(w);
    aim_kv_free(kv);
    aim_pool_free(compute.pool);
}

static void free_recording(recording *r)
{
    for (int i = 0; i < r->n; i++) {
        free(r->calls[i].x);
        free(r->calls[i].y);
    }
}

/* ---- probes ------------------------------------------------------------------------- */

static const aim_measure_options one_thread = {.threads = 1};

static aim_probe *probe(const aim_model *m, aim_token_list prompt, const aim_measure_options *o)
{
    aim_error err = {0};
    aim_probe *p = aim_model_probe(m, prompt, o, &err);
    ck_assert_msg(p != NULL, "%s", err.text);
    return p;
}

/* The tensor of a layer by the name that a probe gives it. */
static const aim_tensor *weight_of(const aim_model *m, const char *name)
{
    static const char *const groups[] = {"self_attn", "mlp"};
    const char *last = strrchr(name, '.');
    for (int i = 0; last && i < 2; i++) {
        char full[128];
        snprintf(full, sizeof full, "model.%.*s.%s%s.weight", (int)(last - name), name, groups[i],
                 last);
        const aim_tensor *t = aim_checkpoint_find(m->checkpoint, full);
        if (t)
            return t;
    }
    return aim_checkpoint_find(m->checkpoint, "model.embed_tokens.weight"); /* a tied head */
}

/* RMS(y - ideal) / RMS(ideal) of columns [first, first + n), in double. */
static double plain_error(const call *c, const aim_tensor *weight, int first, int n)
{
    double error = 0, ideal = 0;
    float w[WIDEST];
    for (int o = 0; o < n; o++) {
        aim_tensor_read(weight, (size_t)o * (size_t)c->in, (size_t)c->in, w);
        for (int r = 0; r < c->rows; r++) {
            double sum = 0;
            for (int k = 0; k < c->in; k++)
                sum += (double)c->x[r * c->in + k] * w[k];
            double d = c->y[r * c->out + first + o] - sum;
            error += d * d;
            ideal += sum * sum;
        }
    }
    return sqrt(error / ideal);
}

static double plain_share(uint64_t some, uint64_t all)
{
    return all ? (double)some / (double)all : 0;
}

static void compare_part(const aim_model *m, const call *c, int part, int first,
                         const aim_layer_probe *got)
{
    char name[AIM_LINEAR_NAME];
    aim_linear_name(&m->config, c->layer + part, name);
    ck_assert_str_eq(got->name, name);
    ck_assert_int_eq(got->outputs, c->part_out[part]);
    ck_assert_int_eq(got->inputs, c->in);
    double want = plain_error(c, weight_of(m, name), first, c->part_out[part]);
    ck_assert_msg(fabs(got->rms_error - want) < 1e-5 + 1e-4 * want, "%s: error %g, not %g", name,
                  got->rms_error, want);
    const aim_converter_counts *n = &c->counts[part];
    ck_assert_double_eq(got->dac_clipped, plain_share(n->limited, n->inputs));
    ck_assert_double_eq(got->adc_saturated, plain_share(n->saturated, n->readings));
}

/* Ranges that cut off some of the inputs. */
static aim_input_ranges_set *tight_ranges(const aim_model *m, aim_token_list text)
{
    aim_error err = {0};
    aim_calibration how = {AIM_CALIBRATE_QUANTILE, 0.95};
    aim_input_ranges_set *set = aim_model_calibrate(m, &text, 1, &how, &one_thread, &err);
    ck_assert_msg(set != NULL, "%s", err.text);
    return set;
}

enum ranges { NO_RANGES, TIGHT_RANGES };

static const struct probe_case {
    const char *backend;
    aim_chip (*chip)(void);
    enum ranges ranges;
    const char *input_range;
    int text; /* the first takes several chunks */
} probe_cases[] = {
    {"int8", NULL, NO_RANGES, "none", 0},
    {"int4", digital_chip, TIGHT_RANGES, "calibrated", 0},
    {"analog", plain_chip, NO_RANGES, "dynamic", 0},
    {"analog", plain_chip, TIGHT_RANGES, "calibrated", 0},
    {"analog", noisy_chip, NO_RANGES, "dynamic", 0},
    {"analog-exact", plain_chip, TIGHT_RANGES, "calibrated", 1}, /* slow */
};
enum {
    ALL_CASES = sizeof probe_cases / sizeof probe_cases[0],
    QUICK_CASES = ALL_CASES - 1,
};

static aim_model *open_case(const struct probe_case *c)
{
    if (!c->chip)
        return open_model(c->backend, NULL, NULL);
    aim_chip chip = c->chip();
    aim_model *m = open_model(c->backend, &chip, NULL);
    if (c->ranges == NO_RANGES)
        return m;
    aim_token_list text = tokens_of(m, texts[c->text]);
    aim_input_ranges_set *set = tight_ranges(m, text);
    free_tokens(text);
    aim_model_close(m);
    chip.profile.tile.input_range = AIM_RANGE_STATIC;
    chip.ranges = set;
    m = open_model(c->backend, &chip, NULL);
    aim_input_ranges_free(set);
    return m;
}

START_TEST(a_probe_equals_a_plain_computation)
{
    const struct probe_case *c = &probe_cases[_i];
    aim_model *m = open_case(c);
    aim_token_list text = tokens_of(m, texts[c->text]);
    ck_assert_int_eq(text.n > 64, c->text == 0);
    aim_probe *p = probe(m, text, &one_thread);
    static recording r;
    run_plainly(m, text, &r);
    ck_assert_int_eq(p->n_tokens, text.n);
    ck_assert_uint_eq(p->n_layers, 6 * 7 + 1);
    double clipped = 0;
    size_t layer = 0;
    for (int i = 0; i < r.n; i++)
        for (int part = 0, first = 0; part < r.calls[i].n_parts; layer++) {
            const aim_layer_probe *got = &p->layers[layer];
            compare_part(m, &r.calls[i], part, first, got);
            first += r.calls[i].part_out[part++];
            int tiles = c->chip ? aim_tile_count(got->inputs, 128) : 0;
            ck_assert_int_eq(got->tiles, tiles);
            ck_assert_str_eq(got->input_range, c->input_range);
            clipped += got->dac_clipped;
        }
    ck_assert_uint_eq(layer, p->n_layers);
    if (c->ranges == TIGHT_RANGES) /* those of the same text */
        ck_assert_double_eq_tol(clipped / (double)layer, 0.05, 0.01);
    else
        ck_assert_double_eq(clipped, 0);
    free_recording(&r);
    aim_probe_free(p);
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

/* Readings of channel w [in] beyond the full scale, tile by tile, in double: of inputs
 * rounded by a DAC of 254 steps with a dynamic range. */
static uint64_t plain_saturation(const call *c, const float *w, double out_bound)
{
    uint64_t n = 0;
    for (int t = 0; t < aim_tile_count(c->in, 128); t++) {
        aim_tile_span span = aim_tile_span_of(c->in, 128, t);
        float largest = aim_max_abs(w + span.first, span.width);
        for (int r = 0; r < c->rows; r++) {
            const float *x = c->x + r * c->in + span.first;
            float range = aim_max_abs(x, span.width), step = 2 * range / 254;
            double sum = 0;
            for (int k = 0; k < span.width; k++)
                sum += (double)rintf(x[k] / step) * step * w[span.first + k];
            /* What rounds to the largest code is not beyond it. */
            n += fabs(sum) > range * out_bound * largest * (127.5 / 127);
        }
    }
    return n;
}

START_TEST(saturation_equals_a_plain_computation)
{
    const double out_bound = 2; /* so that there is much of it */
    aim_chip chip = plain_chip();
    chip.profile.tile.out_bound = out_bound;
    aim_model *m = open_model("analog", &chip, NULL);
    aim_token_list text = tokens_of(m, texts[1]);
    aim_probe *p = probe(m, text, &one_thread);
    static recording r;
    run_plainly(m, text, &r);
    const aim_layer_probe *layer = p->layers;
    for (int i = 0; i < r.n; i++)
        for (int part = 0; part < r.calls[i].n_parts; part++, layer++) {
            const aim_tensor *weight = weight_of(m, layer->name);
            uint64_t want = 0;
            float w[WIDEST];
            for (int o = 0; o < layer->outputs; o++) {
                aim_tensor_read(weight, (size_t)(o * layer->inputs), (size_t)layer->inputs, w);
                want += plain_saturation(&r.calls[i], w, out_bound);
            }
            /* Of the 16 bits of the weights a few sums are moved over the edge. */
            double all = (double)layer->tiles * layer->outputs * text.n;
            ck_assert_msg(want > 10 && fabs(layer->adc_saturated - (double)want / all) < 1e-3,
                          "%s: %g, not %g", layer->name, layer->adc_saturated, (double)want / all);
        }
    free_recording(&r);
    aim_probe_free(p);
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

static void same_probes(const aim_probe *a, const aim_probe *b)
{
    ck_assert_uint_eq(a->n_layers, b->n_layers);
    for (size_t i = 0; i < a->n_layers; i++) {
        ck_assert_double_eq(a->layers[i].dac_clipped, b->layers[i].dac_clipped);
        ck_assert_double_eq(a->layers[i].adc_saturated, b->layers[i].adc_saturated);
        ck_assert_double_eq(a->layers[i].rms_error, b->layers[i].rms_error);
    }
}

START_TEST(threads_do_not_matter_to_a_probe)
{
    const aim_measure_options three = {.threads = 3};
    aim_model *m = open_case(&probe_cases[_i]);
    aim_token_list text = tokens_of(m, texts[1]);
    aim_probe *one = probe(m, text, &one_thread), *many = probe(m, text, &three);
    same_probes(one, many);
    aim_probe_free(one);
    aim_probe_free(many);
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

START_TEST(a_probe_refuses)
{
    static int32_t tokens[600];
    static const struct {
        int n;
        int32_t first;
        enum aim_code code;
    } bad[] = {
        {0, 0, AIM_EINVAL}, {3, 512, AIM_EINVAL}, {3, -1, AIM_EINVAL}, {513, 0, AIM_ECONTEXT}};
    aim_model *m = open_model("int8", NULL, NULL);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        aim_error err = {0};
        tokens[0] = bad[i].first;
        ck_assert_ptr_null(
            aim_model_probe(m, (aim_token_list){tokens, bad[i].n}, &one_thread, &err));
        ck_assert_int_eq(err.code, bad[i].code);
        ck_assert(err.text[0] != '\0');
    }
    aim_model_close(m);
}
END_TEST

/* ---- progress, cancelling, failing ----------------------------------------------------- */

typedef struct watcher {
    double last, stop_at; /* cancels there */
    atomic_bool cancelled;
} watcher;

static void on_progress(void *arg, double done)
{
    watcher *w = arg;
    ck_assert_double_ge(done, w->last);
    w->last = done;
    if (done >= w->stop_at)
        atomic_store(&w->cancelled, true);
}

START_TEST(progress_ends_at_one_and_cancelling_ends_it)
{
    aim_model *m = open_case(&probe_cases[_i]);
    aim_token_list text = tokens_of(m, texts[0]);
    for (int stop = 0; stop < 2; stop++) {
        aim_error err = {0};
        watcher w = {.stop_at = stop ? 0.4 : 2};
        aim_measure_options o = {1, &w.cancelled, on_progress, &w};
        aim_probe *p = aim_model_probe(m, text, &o, &err);
        ck_assert_int_eq(p != NULL, !stop);
        ck_assert_int_eq(err.code, stop ? AIM_ECANCELED : AIM_OK);
        if (!stop)
            ck_assert_double_eq(w.last, 1);
        else
            ck_assert_double_lt(w.last, 0.5);
        aim_probe_free(p);
    }
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

START_TEST(a_probe_survives_every_failed_allocation)
{
    aim_model *m = open_case(&probe_cases[_i]);
    aim_token_list text = tokens_of(m, texts[2]);
    aim_probe *p = NULL;
    for (long n = 0; !p; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        p = aim_model_probe(m, text, &one_thread, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, p ? AIM_OK : AIM_ENOMEM);
    }
    aim_probe_free(p);
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

static int never(void *arg, const aim_linear_view *v, const aim_compute *c, aim_error *err)
{
    (void)arg, (void)v, (void)c, (void)err;
    ck_abort_msg("it ran");
    return AIM_OK;
}

START_TEST(what_does_not_fit_is_refused_with_figures)
{
    aim_model *m = open_model("int8", NULL, NULL);
    aim_token_list text = tokens_of(m, texts[2]);
    aim_measure_observer huge = {.layer = never, .bytes = (size_t)1 << 50};
    aim_error err = {0};
    ck_assert_int_eq(aim__measure_run(m, &text, 1, &one_thread, &huge, &err), AIM_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "1073741"));
    ck_assert_ptr_nonnull(strstr(err.text, "available"));
    free_tokens(text);
    aim_model_close(m);
}
END_TEST

/* ---- calibration -------------------------------------------------------------------------- */

static const struct calibration_case {
    const char *what;
    aim_calibration how;
} calibration_cases[] = {
    {"the largest", {AIM_CALIBRATE_MAX, 0}},
    {"six deviations", {AIM_CALIBRATE_STD, 6}},
    {"nearly all", {AIM_CALIBRATE_QUANTILE, 0.999}},
    {"half", {AIM_CALIBRATE_QUANTILE, 0.5}},
    {"all", {AIM_CALIBRATE_QUANTILE, 1}},
};

/* The inputs of one tile in all texts, text by text. */
typedef struct tile_inputs {
    float *x;
    size_t n, text_end[N_TEXTS];
} tile_inputs;

static tile_inputs gather(const recording r[N_TEXTS], int call_index, aim_tile_span span)
{
    tile_inputs t = {0};
    for (int i = 0; i < N_TEXTS; i++) {
        const call *c = &r[i].calls[call_index];
        t.x = realloc(t.x, (t.n + (size_t)c->rows * (size_t)span.width) * sizeof *t.x);
        for (int row = 0; row < c->rows; row++, t.n += (size_t)span.width)
            memcpy(t.x + t.n, c->x + row * c->in + span.first, (size_t)span.width * sizeof *t.x);
        t.text_end[i] = t.n;
    }
    return t;
}

static double mean_deviation(const tile_inputs *t)
{
    double all = 0;
    size_t i = 0;
    for (int text = 0; text < N_TEXTS; text++) {
        size_t first = i, n = t->text_end[text] - first;
        double mean = 0, squares = 0;
        for (i = first; i < first + n; i++)
            mean += (double)t->x[i] / (double)n;
        for (i = first; i < first + n; i++)
            squares += (t->x[i] - mean) * (t->x[i] - mean);
        all += sqrt(squares / (double)(n - 1)) / N_TEXTS;
    }
    return all;
}

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static void compare_range(float range, tile_inputs *t, const struct calibration_case *c)
{
    double deviation = mean_deviation(t);
    for (size_t i = 0; i < t->n; i++)
        t->x[i] = fabsf(t->x[i]);
    qsort(t->x, t->n, sizeof *t->x, by_value);
    float largest = t->x[t->n - 1];
    if (c->how.method == AIM_CALIBRATE_MAX) {
        ck_assert_float_eq(range, largest);
    } else if (c->how.method == AIM_CALIBRATE_STD) {
        ck_assert_double_eq_tol(range, c->how.value * deviation, 1e-6 * range);
    } else {
        float exact = t->x[(size_t)ceil(c->how.value * (double)t->n) - 1];
        ck_assert_msg(range >= exact && range <= largest && range <= exact * (1 + 1.0f / 128),
                      "%s: %g, but exactly it is %g", c->what, (double)range, (double)exact);
    }
}

START_TEST(ranges_equal_those_of_all_inputs)
{
    const struct calibration_case *c = &calibration_cases[_i];
    const aim_measure_options two = {.threads = 2};
    aim_chip chip = plain_chip();
    aim_error err = {0};
    aim_model *m = open_model("analog", &chip, NULL);
    static recording r[N_TEXTS];
    aim_token_list lists[N_TEXTS];
    for (int i = 0; i < N_TEXTS; i++) {
        lists[i] = tokens_of(m, texts[i]);
        run_plainly(m, lists[i], &r[i]);
    }
    aim_input_ranges_set *set = aim_model_calibrate(m, lists, N_TEXTS, &c->how, &two, &err);
    ck_assert_msg(set != NULL, "%s", err.text);
    ck_assert_uint_eq(set->n_layers, 6 * 7 + 1);
    for (int i = 0; i < r[0].n; i++) {
        const call *first = &r[0].calls[i];
        int tiles = aim_tile_count(first->in, 128);
        for (int part = 0; part < first->n_parts; part++) {
            const aim_layer_ranges *found = aim_input_ranges_find(set, first->layer + part);
            const float *ranges = found && found->tiles == tiles ? found->range : NULL;
            ck_assert_ptr_nonnull(ranges);
            for (int t = 0; t < tiles; t++) {
                tile_inputs all = gather(r, i, aim_tile_span_of(first->in, 128, t));
                compare_range(ranges[t], &all, c);
                free(all.x);
            }
        }
    }
    for (int i = 0; i < N_TEXTS; i++) {
        free_tokens(lists[i]);
        free_recording(&r[i]);
    }
    aim_input_ranges_free(set);
    aim_model_close(m);
}
END_TEST

/* Longer than the context: in pieces. */
START_TEST(a_long_text_goes_in_pieces)
{
    static int32_t tokens[700];
    aim_chip chip = plain_chip();
    aim_calibration how = {AIM_CALIBRATE_STD, 1};
    aim_model *m = open_model("analog", &chip, NULL);
    for (int i = 0; i < 700; i++)
        tokens[i] = i % 97;
    const aim_token_list whole = {tokens, 700}, pieces[] = {{tokens, 512}, {tokens + 512, 188}};
    aim_input_ranges_set *a = aim_model_calibrate(m, &whole, 1, &how, &one_thread, NULL);
    aim_input_ranges_set *b = aim_model_calibrate(m, pieces, 2, &how, &one_thread, NULL);
    ck_assert(a && b && a->n_layers == b->n_layers);
    for (size_t i = 0; i < a->n_layers; i++)
        ck_assert_int_eq(memcmp(a->layers[i].range, b->layers[i].range,
                                (size_t)a->layers[i].tiles * sizeof(float)),
                         0);
    aim_input_ranges_free(a);
    aim_input_ranges_free(b);
    aim_model_close(m);
}
END_TEST

static const struct refusal {
    const char *backend;
    enum aim_input_range input_range;
    int n_texts, n_tokens;
    aim_calibration how;
    enum aim_code code;
    const char *param;
} refusals[] = {
    {"int8", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_MAX, 0}, AIM_EUNSUPPORTED, ""},
    {"analog", AIM_RANGE_DYNAMIC, 0, 3, {AIM_CALIBRATE_MAX, 0}, AIM_EINVAL, ""},
    {"analog", AIM_RANGE_DYNAMIC, 1, 0, {AIM_CALIBRATE_MAX, 0}, AIM_EINVAL, ""},
    {"analog", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_QUANTILE, 0}, AIM_EINVAL, "value"},
    {"analog", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_QUANTILE, 1.5}, AIM_EINVAL, "value"},
    {"analog", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_QUANTILE, NAN}, AIM_EINVAL, "value"},
    {"analog", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_STD, -1}, AIM_EINVAL, "value"},
    {"analog", AIM_RANGE_DYNAMIC, 1, 3, {AIM_CALIBRATE_STD, INFINITY}, AIM_EINVAL, "value"},
};

START_TEST(calibration_refuses)
{
    const struct refusal *c = &refusals[_i];
    static const int32_t tokens[3] = {1, 2, 3};
    aim_token_list text = {tokens, c->n_tokens};
    aim_chip chip = plain_chip();
    aim_error err = {0};
    chip.profile.tile.input_range = c->input_range;
    aim_model *m = open_model(c->backend, &chip, NULL);
    ck_assert_ptr_null(
        aim_model_calibrate(m, &text, (size_t)c->n_texts, &c->how, &one_thread, &err));
    ck_assert_int_eq(err.code, c->code);
    ck_assert_str_eq(err.param, c->param);
    aim_model_close(m);
}
END_TEST

START_TEST(methods_by_name)
{
    aim_calibration c;
    aim_error err = {0};
    ck_assert_int_eq(aim_calibration_find("max", &c, NULL), AIM_OK);
    ck_assert_int_eq(c.method, AIM_CALIBRATE_MAX);
    ck_assert_int_eq(aim_calibration_find("std", &c, NULL), AIM_OK);
    ck_assert_int_eq(c.method, AIM_CALIBRATE_STD);
    ck_assert_int_eq(aim_calibration_check(&c, NULL), AIM_OK);
    ck_assert_int_eq(aim_calibration_find(NULL, &c, NULL), AIM_OK);
    ck_assert_int_eq(aim_calibration_check(&c, NULL), AIM_OK);
    ck_assert_int_eq(aim_calibration_find("mean", &c, &err), AIM_EINVAL);
    ck_assert_str_eq(err.param, "method");
    ck_assert_ptr_nonnull(strstr(err.text, "quantile, max, std"));
}
END_TEST

/* ---- beside the engine ----------------------------------------------------------------- */

typedef struct beside {
    const aim_model *model;
    aim_token_list text;
    aim_probe *probe;
    aim_input_ranges_set *ranges;
} beside;

static void *measure_beside(void *arg)
{
    beside *b = arg;
    const aim_measure_options two = {.threads = 2};
    const aim_calibration how = {AIM_CALIBRATE_QUANTILE, 0.99};
    b->probe = aim_model_probe(b->model, b->text, &two, NULL);
    b->ranges = aim_model_calibrate(b->model, &b->text, 1, &how, &two, NULL);
    return NULL;
}

static void submit(aim_model *m, aim_token_list prompt, int tokens)
{
    aim_request *r = aim_request_new();
    r->tokens = (int32_t *)prompt.tokens;
    r->n_tokens = prompt.n;
    r->max_tokens = tokens;
    r->sampling.ignore_eos = true;
    ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, NULL), AIM_OK);
}

/* What is measured beside an engine at work is what is measured alone. */
START_TEST(measuring_beside_the_engine)
{
    enum { REQUESTS = 4, MEASURERS = 2 };
    aim_chip chip = noisy_chip();
    _Atomic int ended = 0;
    aim_model *m = open_model("analog", &chip, &ended);
    beside alone = {.model = m, .text = tokens_of(m, texts[1])}, b[MEASURERS];
    pthread_t threads[MEASURERS];
    measure_beside(&alone);
    for (int i = 0; i < REQUESTS; i++)
        submit(m, tokens_of(m, texts[i % N_TEXTS]), 60);
    for (int i = 0; i < MEASURERS; i++) {
        b[i] = alone;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, measure_beside, &b[i]), 0);
    }
    for (int i = 0; i < MEASURERS; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(b[i].probe && b[i].ranges);
        same_probes(alone.probe, b[i].probe);
        for (size_t k = 0; k < alone.ranges->n_layers; k++)
            ck_assert_float_eq(alone.ranges->layers[k].range[0], b[i].ranges->layers[k].range[0]);
        aim_probe_free(b[i].probe);
        aim_input_ranges_free(b[i].ranges);
    }
    aim_probe_free(alone.probe);
    aim_input_ranges_free(alone.ranges);
    free_tokens(alone.text);
    aim_model_close(m);
    ck_assert_int_eq(atomic_load(&ended), REQUESTS);
}
END_TEST

static void add_tests_of_one_thread(TCase *tc)
{
    enum {
        CALIBRATIONS = sizeof calibration_cases / sizeof calibration_cases[0],
        REFUSALS = sizeof refusals / sizeof refusals[0],
    };
    tcase_add_loop_test(tc, a_probe_equals_a_plain_computation, 0, ALL_CASES);
    tcase_add_test(tc, saturation_equals_a_plain_computation);
    tcase_add_test(tc, a_probe_refuses);
    tcase_add_loop_test(tc, progress_ends_at_one_and_cancelling_ends_it, 0, QUICK_CASES);
    tcase_add_loop_test(tc, a_probe_survives_every_failed_allocation, 0, QUICK_CASES);
    tcase_add_test(tc, what_does_not_fit_is_refused_with_figures);
    tcase_add_loop_test(tc, ranges_equal_those_of_all_inputs, 0, CALIBRATIONS);
    tcase_add_test(tc, a_long_text_goes_in_pieces);
    tcase_add_loop_test(tc, calibration_refuses, 0, REFUSALS);
    tcase_add_test(tc, methods_by_name);
}

int main(void)
{
    const char *top = getenv("top_srcdir");
    snprintf(model_dir, sizeof model_dir, "%s/models/wordmath-2m", top ? top : ".");
    aim_json_init();
    Suite *s = suite_create("probe");
    TCase *tc = tcase_create("probe");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, measuring_beside_the_engine);
    tcase_add_loop_test(tc, threads_do_not_matter_to_a_probe, 0, QUICK_CASES);
    if (!TSAN)
        add_tests_of_one_thread(tc);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
