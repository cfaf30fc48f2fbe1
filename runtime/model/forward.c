/* SPDX-License-Identifier: Apache-2.0 */
/* The forward pass of the Llama family (Touvron et al. 2023): pre-normalised
 * residual blocks of grouped-query attention with rotary positions, and SwiGLU.
 * Its relatives add biases, norms of query and key heads, and sliding windows.
 *
 * A batch is flat: every row is one token of some sequence, and all but the
 * attention treats rows alone. Steps are split over the pool by rows, which
 * cannot change a result. */
#include "model/decoder_impl.h"

#include "model/attention.h"
#include "model/rope.h"

#include <assert.h>
#include <math.h>
#include <stdatomic.h>
#include <string.h>

/* One call of aim_decoder_forward, as its steps and their tasks see it. */
struct pass {
    const aim_decoder *d;
    aim_workspace *w;
    aim_kv_cache *kv;
    const aim_compute *c;
    const aim_batch *b;
    int layer;
    const float *norm; /* the weights of the RMSNorm being computed */
    const float *bias; /* of the linear layer whose output a step reads; NULL: none */
    aim_attention attention;
};

typedef void row_fn(const struct pass *p, int row);

/* Below this many elements waking the pool costs more than it brings. */
enum { SMALL_STEP = 1 << 14 };

/* ---- running a step over all rows ------------------------------------------ */

struct row_step {
    const struct pass *p;
    row_fn *fn;
    int rows, rows_a_task;
};

static void run_rows(void *arg, int task, int worker)
{
    (void)worker;
    const struct row_step *s = arg;
    int end = (task + 1) * s->rows_a_task;
    for (int r = task * s->rows_a_task; r < end && r < s->rows; r++)
        s->fn(s->p, r);
}

/* fn for every row in [0, rows); each touches about `width` elements. */
static void for_rows(const struct pass *p, row_fn *fn, int rows, int width)
{
    int per_task = SMALL_STEP / width + 1;
    struct row_step s = {p, fn, rows, per_task};
    aim_pool_run(p->c->pool, run_rows, &s, (rows + per_task - 1) / per_task);
}

static float *row_of(float *m, int row, int width)
{
    return m + (size_t)row * (size_t)width;
}

static void observe(const struct pass *p, const aim_projection *l, const float *x, int rows,
                    const aim_row_noise *noise, const float *y)
{
    aim_linear_view view = {
        .backend = l->backend,
        .linear = l->linear,
        .shape = &l->source.shape,
        .parts = l->source.parts,
        .layer = l->source.layer,
        .rows = rows,
        .x = x,
        .y = y,
        .noise = noise,
    };
    p->c->observe(p->c->observe_arg, &view);
}

/* y [rows, out] = x [rows, in] W^T; the step that reads y adds the bias. noise [rows]
 * or NULL. */
static void noisy_linear(struct pass *p, const aim_projection *l, const float *x, int rows,
                         const aim_row_noise *noise, float *y)
{
    p->bias = l->bias;
    if (rows == 0)
        return;
    l->backend->forward(l->linear, p->c, x, rows, noise, y, p->w->linear);
    if (p->c->observe)
        observe(p, l, x, rows, noise, y);
}

/* The same for all rows of the batch. */
static void linear(struct pass *p, const aim_projection *l, const float *x, float *y)
{
    noisy_linear(p, l, x, p->b->n_rows, p->b->noise, y);
}

/* The logits of the rows that they are wanted of. */
static void head(struct pass *p)
{
    const aim_batch *b = p->b;
    for (int i = 0; b->noise && i < b->n_logits; i++)
        p->w->logit_noise[i] = b->noise[b->logit_rows[i]];
    noisy_linear(p, &p->d->lm_head, p->w->h, b->n_logits, b->noise ? p->w->logit_noise : NULL,
                 p->w->logits);
}

/* row [n] += bias */
static void add_bias(const struct pass *p, float *row, int n)
{
    if (p->bias)
        p->c->kernels->add(row, p->bias, n);
}

/* ---- the steps, a row at a time -------------------------------------------- */

/* x = E[token], and the angles of the row's position. */
static void embed_row(const struct pass *p, int r)
{
    const aim_hf_config *f = &p->d->config;
    int half = f->rope.dim / 2;
    bool is_long = p->b->long_rope && p->b->long_rope[r];
    assert(p->b->token[r] >= 0 && p->b->token[r] < f->vocab);
    assert(p->b->position[r] >= 0 && p->b->position[r] < f->max_positions);
    aim__weight_row(&p->d->embedding, p->b->token[r], row_of(p->w->x, r, f->hidden));
    aim__rope_angles(&f->rope, p->d->inv_freq[is_long], p->b->position[r],
                     row_of(p->w->cos, r, half), row_of(p->w->sin, r, half));
}

/* h = RMSNorm(x) */
static void norm_row(const struct pass *p, int r)
{
    const aim_hf_config *f = &p->d->config;
    p->c->kernels->rmsnorm(row_of(p->w->h, r, f->hidden), row_of(p->w->x, r, f->hidden), p->norm,
                           f->hidden, f->rms_eps);
}

/* The same for the rows whose logits are wanted. */
static void norm_logit_row(const struct pass *p, int i)
{
    const aim_hf_config *f = &p->d->config;
    p->c->kernels->rmsnorm(row_of(p->w->h, i, f->hidden),
                           row_of(p->w->x, p->b->logit_rows[i], f->hidden), p->norm, f->hidden,
                           f->rms_eps);
}

/* n values into the cache, in its element type. */
static void store(const struct pass *p, unsigned char *to, const float *from, int n)
{
    if (aim_kv_is_bf16(p->kv))
        p->c->kernels->f32_to_bf16((uint16_t *)(void *)to, from, n);
    else
        memcpy(to, from, (size_t)n * sizeof *from);
}

/* Normalise each of the heads x [heads, head_dim] if there are weights for it, and
 * turn it by the position of row r. */
static void rotate(const struct pass *p, int r, float *x, int heads, const float *norm)
{
    const aim_hf_config *f = &p->d->config;
    int dim = f->head_dim, half = f->rope.dim / 2;
    for (int h = 0; norm && h < heads; h++)
        p->c->kernels->rmsnorm(row_of(x, h, dim), row_of(x, h, dim), norm, dim, f->rms_eps);
    p->c->kernels->rope(x, heads, dim, f->rope.dim, row_of(p->w->cos, r, half),
                        row_of(p->w->sin, r, half));
}

/* Turn queries and keys by their position; keys and values go to the cache. */
static void rotate_and_store_row(const struct pass *p, int r)
{
    const aim_hf_config *f = &p->d->config;
    const aim_layer *l = &p->d->layers[p->layer];
    int dim = f->head_dim, width = (f->heads + 2 * f->kv_heads) * dim;
    float *q = row_of(p->w->qkv, r, width);           /* [heads, dim] */
    float *k = q + (size_t)f->heads * (size_t)dim;    /* [kv_heads, dim] */
    float *v = k + (size_t)f->kv_heads * (size_t)dim; /* [kv_heads, dim] */
    add_bias(p, q, width);
    rotate(p, r, q, f->heads, l->q_norm);
    rotate(p, r, k, f->kv_heads, l->k_norm);
    int32_t block = p->b->blocks[r][p->b->position[r] / AIM_KV_BLOCK];
    size_t value_offset = aim_kv_value_offset(p->kv);
    for (int head = 0; head < f->kv_heads; head++) {
        unsigned char *to =
            aim_kv_key(p->kv, p->layer, block, head, p->b->position[r] % AIM_KV_BLOCK);
        store(p, to, row_of(k, head, dim), dim);
        store(p, to + value_offset, row_of(v, head, dim), dim);
    }
}

/* x += y */
static void residual_row(const struct pass *p, int r)
{
    int hidden = p->d->config.hidden;
    add_bias(p, row_of(p->w->y, r, hidden), hidden);
    p->c->kernels->add(row_of(p->w->x, r, hidden), row_of(p->w->y, r, hidden), hidden);
}

/* act = silu(gate) * up */
static void swiglu_row(const struct pass *p, int r)
{
    int ffn = p->d->config.ffn;
    float *gate = row_of(p->w->gate_up, r, 2 * ffn), *up = gate + ffn;
    add_bias(p, gate, 2 * ffn);
    p->c->kernels->silu_mul(row_of(p->w->act, r, ffn), gate, up, ffn);
}

/* ---- attention --------------------------------------------------------------- */

/* h [heads, dim] = softmax(q K^T / sqrt(dim)) V of every row. */
static void attention(const struct pass *p)
{
    const aim_hf_config *f = &p->d->config;
    size_t dim = (size_t)f->head_dim;
    const aim_attention_call call = {
        .geometry = &p->attention,
        .compute = p->c,
        .batch = p->b,
        .window = p->d->layers[p->layer].window,
        .q = p->w->qkv,
        .ldq = (size_t)(f->heads + 2 * f->kv_heads) * dim,
        .out = p->w->h,
        .ldout = (size_t)f->heads * dim,
        .scratch = p->w->attend,
        .scratch_room = p->w->attend_room,
    };
    aim__attention(&call);
}

/* ---- the pass ------------------------------------------------------------------ */

static void rmsnorm(struct pass *p, const float *weights)
{
    p->norm = weights;
    for_rows(p, norm_row, p->b->n_rows, p->d->config.hidden);
}

static void run_layer(struct pass *p, int index)
{
    const aim_layer *l = &p->d->layers[index];
    const aim_hf_config *f = &p->d->config;
    aim_workspace *w = p->w;
    int rows = p->b->n_rows, q = f->heads * f->head_dim, kv = f->kv_heads * f->head_dim;
    p->layer = index;
    aim_kv_layer(p->kv, index, &p->attention);

    rmsnorm(p, l->attention_norm);    /* h [rows, hidden] */
    linear(p, &l->qkv, w->h, w->qkv); /* qkv [rows, q + 2 kv] */
    for_rows(p, rotate_and_store_row, rows, q + 2 * kv);
    attention(p);                               /* h [rows, q] */
    linear(p, &l->o, w->h, w->y);               /* y [rows, hidden] */
    for_rows(p, residual_row, rows, f->hidden); /* x [rows, hidden] */

    rmsnorm(p, l->ffn_norm);                    /* h [rows, hidden] */
    linear(p, &l->gate_up, w->h, w->gate_up);   /* gate_up [rows, 2 ffn] */
    for_rows(p, swiglu_row, rows, 8 * f->ffn);  /* act [rows, ffn] */
    linear(p, &l->down, w->act, w->y);          /* y [rows, hidden] */
    for_rows(p, residual_row, rows, f->hidden); /* x [rows, hidden] */
}

const float *aim_decoder_forward(const aim_decoder *d, aim_workspace *w, aim_kv_cache *kv,
                                 const aim_compute *c, const aim_batch *batch,
                                 _Atomic uint64_t *heartbeat)
{
    const aim_hf_config *f = &d->config;
    assert(batch->n_rows <= w->max_rows && batch->n_logits <= w->max_logits);
    struct pass p = {.d = d, .w = w, .kv = kv, .c = c, .b = batch};
    p.attention.heads = f->heads;
    p.attention.scale = (float)(1.0 / sqrt((double)f->head_dim));

    for_rows(&p, embed_row, batch->n_rows, f->hidden + 32 * f->head_dim); /* x [rows, hidden] */
    for (int i = 0; i < f->layers; i++) {
        run_layer(&p, i);
        if (heartbeat)
            atomic_fetch_add(heartbeat, 1);
    }
    p.norm = d->final_norm;
    for_rows(&p, norm_logit_row, batch->n_logits, f->hidden); /* h [n_logits, hidden] */
    head(&p);                                                 /* logits [n_logits, vocab] */
    return w->logits;
}
