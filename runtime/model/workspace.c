/* SPDX-License-Identifier: Apache-2.0 */
#include "model/decoder_impl.h"

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

/* The largest scratch any linear layer asks for; layers are alike. */
static size_t linear_scratch(const aim_decoder *d, int max_rows, int max_logits)
{
    const aim_backend *b = d->backend;
    const aim_layer *l = &d->layers[0];
    size_t most = b->scratch(d->lm_head, max_logits);
    most = larger(most, b->scratch(l->qkv, max_rows));
    most = larger(most, b->scratch(l->o, max_rows));
    most = larger(most, b->scratch(l->gate_up, max_rows));
    return larger(most, b->scratch(l->down, max_rows));
}

static void carve_all(struct carver *c, aim_workspace *w, const aim_decoder *d, int threads)
{
    const aim_hf_config *f = &d->config;
    size_t rows = (size_t)w->max_rows, hidden = (size_t)f->hidden, ffn = (size_t)f->ffn;
    size_t q = (size_t)f->heads * (size_t)f->head_dim;
    size_t kv = (size_t)f->kv_heads * (size_t)f->head_dim;
    size_t half = (size_t)f->head_dim / 2;
    w->x = carve(c, rows, hidden * sizeof(float));
    w->h = carve(c, larger(rows, (size_t)w->max_logits), larger(hidden, q) * sizeof(float));
    w->y = carve(c, rows, hidden * sizeof(float));
    w->qkv = carve(c, rows, (q + 2 * kv) * sizeof(float));
    w->gate_up = carve(c, rows, 2 * ffn * sizeof(float));
    w->act = carve(c, rows, ffn * sizeof(float));
    w->cos = carve(c, rows, half * sizeof(float));
    w->sin = carve(c, rows, half * sizeof(float));
    w->logits = carve(c, (size_t)w->max_logits, (size_t)f->vocab * sizeof(float));
    w->attend = carve(c, (size_t)threads, w->attend_room * sizeof(float));
    w->linear = carve(c, 1, linear_scratch(d, w->max_rows, w->max_logits));
}

aim_workspace *aim_workspace_new(const aim_decoder *d, int max_rows, int max_logits,
                                 const aim_compute *compute, aim_error *err)
{
    aim_workspace *w = aim_calloc(1, sizeof *w);
    if (!w) {
        aim_fail_nomem(err, "workspace");
        return NULL;
    }
    w->max_rows = max_rows;
    w->max_logits = max_logits;
    /* Whole cache lines for each thread. */
    w->attend_room = (aim_attention_scratch(d->config.max_positions) + 15) / 16 * 16;
    int threads = aim_pool_threads(compute->pool);
    struct carver size = {0};
    carve_all(&size, w, d, threads);
    w->memory = size.overflow ? NULL : aim_big_alloc(size.used);
    if (!w->memory) {
        aim_fail(err, AIM_ENOMEM, "out of memory: workspace for %d rows, %zu bytes", max_rows,
                 size.used);
        aim_free(w);
        return NULL;
    }
    w->bytes = size.used;
    struct carver place = {.base = w->memory};
    carve_all(&place, w, d, threads);
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
