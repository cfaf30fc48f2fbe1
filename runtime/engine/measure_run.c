/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/measure_run.h"

#include "base/alloc.h"
#include "base/memory.h"
#include "engine/engine_impl.h"

enum { CHUNK = 64 }; /* rows of one forward, at most */

typedef struct run {
    const aim_model *model;
    const aim_measure_options *options;
    const aim_measure_observer *observer;
    aim_error *err;
    int code; /* other than AIM_OK: nothing more is looked at */
    aim_compute compute;
    aim_workspace *workspace;
    aim_kv_cache *kv;
    int chunk;
    int32_t *table; /* [n_blocks] taken from kv */
    int n_blocks;
    size_t rows_done, rows_all;
    int layers_seen, layers_all; /* linear layers of the forward under way */
} run;

int aim__measure_threads(const aim_measure_options *options)
{
    aim_engine_config c = {.threads = options->threads};
    return aim__engine_threads(&c);
}

/* ---- what it takes ---------------------------------------------------------------- */

static int check_texts(const aim_model *m, const aim_token_list *texts, size_t n, aim_error *err)
{
    if (n == 0)
        return aim_fail(err, AIM_EINVAL, "there is no text");
    for (size_t i = 0; i < n; i++) {
        if (texts[i].n < 1)
            return aim_fail(err, AIM_EINVAL, "text %zu is empty", i);
        int code = aim__check_tokens(texts[i].tokens, texts[i].n, m->config.vocab, err);
        if (code)
            return code;
    }
    return AIM_OK;
}

static int longest_text(const aim_token_list *texts, size_t n)
{
    int most = 0;
    for (size_t i = 0; i < n; i++)
        most = texts[i].n > most ? texts[i].n : most;
    return most;
}

static size_t count_tokens(const aim_token_list *texts, size_t n)
{
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += (size_t)texts[i].n;
    return all;
}

static int chunk_rows(const aim_model *m)
{
    aim_engine_config c = {.prefill_chunk = CHUNK};
    return aim__engine_score_rows(&c, aim_hf_config_outputs(&m->config));
}

static int check_memory(const run *r, aim_error *err)
{
    const aim_model *m = r->model;
    aim_kv_shape shape = aim_decoder_kv_shape(m->decoder);
    size_t need = aim_workspace_need(&m->config, m->backend, aim_decoder_chip(m->decoder), r->chunk,
                                     r->chunk, aim__measure_threads(r->options));
    need = aim_add_saturating(need, aim_kv_bytes(&shape, r->n_blocks));
    need = aim_add_saturating(need, r->observer->bytes);
    uint64_t available = aim_memory_read("").available;
    if (need <= available)
        return AIM_OK;
    return aim_fail(err, AIM_ENOMEM,
                    "a measurement of %d tokens needs %zu MiB beside the model, but %zu MiB are "
                    "available",
                    r->n_blocks * AIM_KV_BLOCK, need >> 20, (size_t)(available >> 20));
}

static int set_up(run *r, aim_error *err)
{
    aim_kv_shape shape = aim_decoder_kv_shape(r->model->decoder);
    int code = check_memory(r, err);
    if (code)
        return code;
    r->compute.pool = aim_pool_new(aim__measure_threads(r->options), err);
    r->table = aim_array((size_t)r->n_blocks, sizeof *r->table);
    if (r->compute.pool && r->table)
        r->kv = aim_kv_new(&shape, r->n_blocks, false, err);
    if (r->kv)
        r->workspace = aim_workspace_new(r->model->decoder, r->chunk, r->chunk, &r->compute, err);
    if (!r->workspace)
        return aim_fail_nomem(err, "measurement");
    for (int i = 0; i < r->n_blocks; i++)
        r->table[i] = aim_kv_take(r->kv);
    return AIM_OK;
}

static void tear_down(run *r)
{
    aim_workspace_free(r->workspace);
    aim_kv_free(r->kv);
    aim_free(r->table);
    aim_pool_free(r->compute.pool);
}

/* ---- the run ------------------------------------------------------------------------ */

static bool cancelled(const aim_measure_options *o)
{
    return o->cancelled && atomic_load(o->cancelled);
}

static void report(const run *r, int rows)
{
    double in_chunk = (double)rows * r->layers_seen / r->layers_all;
    if (r->options->progress)
        r->options->progress(r->options->progress_arg,
                             ((double)r->rows_done + in_chunk) / (double)r->rows_all);
}

/* A forward cannot be broken off, but what is looked at in it costs more than it. */
static void observe(void *arg, const aim_linear_view *view)
{
    run *r = arg;
    if (r->code == AIM_OK && cancelled(r->options))
        r->code = aim_fail(r->err, AIM_ECANCELED, "the measurement was cancelled");
    if (r->code == AIM_OK)
        r->code = r->observer->layer(r->observer->arg, view, &r->compute, r->err);
    if (r->code != AIM_OK)
        return;
    r->layers_seen++;
    report(r, view->rows);
}

/* Rows [first, first + rows) of a text, rows <= CHUNK. */
static void run_chunk(run *r, const aim_token_list *text, int first, int rows)
{
    int32_t position[CHUNK];
    const int32_t *blocks[CHUNK];
    bool long_rope[CHUNK];
    int logit_rows[CHUNK];
    aim_row_noise noise[CHUNK];
    for (int i = 0; i < rows; i++) {
        position[i] = first + i;
        blocks[i] = r->table;
        long_rope[i] = aim_decoder_long_rope(&r->model->config, text->n);
        logit_rows[i] = i;
        noise[i] = (aim_row_noise){.seed = 0, .position = first + i};
    }
    aim_batch b = {.n_rows = rows,
                   .token = text->tokens + first,
                   .position = position,
                   .blocks = blocks,
                   .long_rope = long_rope,
                   .n_logits = rows,
                   .logit_rows = logit_rows};
    b.noise = aim_decoder_has_read_noise(r->model->decoder) ? noise : NULL;
    r->layers_seen = 0;
    aim_decoder_forward(r->model->decoder, r->workspace, r->kv, &r->compute, &b, NULL);
    r->rows_done += (size_t)rows;
}

static void run_text(run *r, const aim_token_list *text)
{
    for (int first = 0; first < text->n && r->code == AIM_OK; first += r->chunk) {
        int left = text->n - first;
        run_chunk(r, text, first, left < r->chunk ? left : r->chunk);
    }
    if (r->code == AIM_OK && r->observer->text_end)
        r->observer->text_end(r->observer->arg);
}

int aim__measure_run(const aim_model *m, const aim_token_list *texts, size_t n_texts,
                     const aim_measure_options *options, const aim_measure_observer *observer,
                     aim_error *err)
{
    int code = check_texts(m, texts, n_texts, err);
    if (code)
        return code;
    run r = {.model = m,
             .options = options,
             .observer = observer,
             .err = err,
             .compute = {.kernels = m->compute.kernels, .observe = observe},
             .chunk = chunk_rows(m),
             .n_blocks = aim_kv_blocks_for(longest_text(texts, n_texts)),
             .rows_all = count_tokens(texts, n_texts),
             .layers_all = 4 * m->config.layers + (m->config.head == AIM_HEAD_LANGUAGE)};
    r.compute.observe_arg = &r;
    code = set_up(&r, err);
    if (!code) {
        for (size_t i = 0; i < n_texts && r.code == AIM_OK; i++)
            run_text(&r, &texts[i]);
        code = r.code;
    }
    tear_down(&r);
    return code;
}
