/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decoder_impl.h"

#include "model/attention.h"

#include "base/alloc.h"

enum { ALIGN = 64 };

/* Hands out aligned pieces of one block. With base NULL it only adds up, so that
 * the same list of pieces sizes the block and then divides it. */
struct carver {
    unsigned char *base;
    size_t used;
    bool overflow;
};

static void *carve(struct carver *c, size_t rows, size_t row_bytes)
{
    size_t bytes, end;
    if (!aim_mul(rows, row_bytes, &bytes) || !aim_add(bytes, ALIGN - 1, &bytes) ||
        !aim_add(c->used, bytes / ALIGN * ALIGN, &end)) {
        c->overflow = true;
        return NULL;
    }
    void *piece = c->base ? c->base + c->used : NULL;
    c->used = end;
    return piece;
}

static size_t larger(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* What a workspace is made for. */
struct purpose {
    const aim_hf_config *config;
    const aim_backend *backend;
    const aim_chip *chip;
    int threads;
};

/* The largest scratch any linear layer asks for. */
static size_t linear_scratch(const aim_workspace *w, const struct purpose *p)
{
    aim_linear_shape shapes[AIM_LINEARS];
    size_t most = 0;
    aim__linear_shapes(p->config, shapes);
    for (int i = 0; i < aim__linears(p->config); i++) {
        int rows = i == AIM_LM_HEAD ? w->max_logits : w->max_rows;
        const aim_backend *b = aim__linear_backend(p->backend, p->chip, i);
        most = larger(most, b->scratch(p->chip, &shapes[i], rows, p->threads));
    }
    return most;
}

static void carve_all(struct carver *c, aim_workspace *w, const struct purpose *p)
{
    const aim_hf_config *f = p->config;
    size_t rows = (size_t)w->max_rows, logits = (size_t)w->max_logits;
    size_t hidden = (size_t)f->hidden, ffn = (size_t)f->ffn;
    size_t q = (size_t)f->heads * (size_t)f->head_dim;
    size_t kv = (size_t)f->kv_heads * (size_t)f->head_dim;
    size_t half = (size_t)f->rope.dim / 2;
    w->x = carve(c, rows, hidden * sizeof(float));
    w->h = carve(c, larger(rows, logits), larger(hidden, q) * sizeof(float));
    w->y = carve(c, rows, hidden * sizeof(float));
    w->qkv = carve(c, rows, (q + 2 * kv) * sizeof(float));
    w->gate_up = carve(c, rows, 2 * ffn * sizeof(float));
    w->act = carve(c, rows, ffn * sizeof(float));
    w->cos = carve(c, rows, half * sizeof(float));
    w->sin = carve(c, rows, half * sizeof(float));
    w->logits = carve(c, logits, (size_t)aim_hf_config_outputs(f) * sizeof(float));
    w->score = carve(c, f->head == AIM_HEAD_MLP ? logits : 0, hidden * sizeof(float));
    w->logit_noise = carve(c, logits, sizeof *w->logit_noise);
    w->attend = carve(c, (size_t)p->threads, w->attend_room * sizeof(float));
    w->attend_plan = carve(c, rows, AIM__ATTENTION_PLAN_BYTES);
    w->linear = carve(c, 1, linear_scratch(w, p));
}

/* The sizes that carve_all starts from. */
static aim_workspace outline(const aim_hf_config *f, int max_rows, int max_logits)
{
    /* Whole cache lines for each thread. */
    size_t attend_room =
        (aim__attention_room(f->heads, f->kv_heads, f->head_dim, f->max_positions) + 15) / 16 * 16;
    return (aim_workspace){
        .max_rows = max_rows, .max_logits = max_logits, .attend_room = attend_room};
}

/* The bytes that carve_all hands out, SIZE_MAX if they cannot be counted. */
static size_t need(aim_workspace w, const struct purpose *p)
{
    struct carver size = {0};
    carve_all(&size, &w, p);
    return size.overflow ? SIZE_MAX : size.used;
}

size_t aim_workspace_need(const aim_hf_config *config, const aim_backend *backend,
                          const aim_chip *chip, int max_rows, int max_logits, int threads)
{
    struct purpose purpose = {config, backend, aim_backend_chip(backend, chip), threads};
    return need(outline(config, max_rows, max_logits), &purpose);
}

aim_workspace *aim_workspace_new(const aim_decoder *d, int max_rows, int max_logits,
                                 const aim_compute *compute, aim_error *err)
{
    aim_workspace *w = aim_calloc(1, sizeof *w);
    if (!w) {
        aim_fail_nomem(err, "workspace");
        return NULL;
    }
    struct purpose purpose = {&d->config, d->backend, d->chip, aim_pool_threads(compute->pool)};
    *w = outline(&d->config, max_rows, max_logits);
    w->bytes = need(*w, &purpose);
    w->memory = aim_big_alloc(w->bytes);
    if (!w->memory) {
        aim_fail(err, AIM_ENOMEM, "out of memory: workspace for %d rows, %zu bytes", max_rows,
                 w->bytes);
        aim_free(w);
        return NULL;
    }
    struct carver place = {.base = w->memory};
    carve_all(&place, w, &purpose);
    return w;
}

void aim_workspace_free(aim_workspace *w)
{
    if (!w)
        return;
    aim_big_free(w->memory, w->bytes);
    aim_free(w);
}

size_t aim_workspace_bytes(const aim_workspace *w)
{
    return w->bytes;
}
