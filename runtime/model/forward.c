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
#include "model/backend_impl.h"
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
    const float *norm;          /* the weights of the RMSNorm being computed */
    const aim_projection *next; /* the linear layer that a step makes inputs of; NULL: none */
    int next_rows;
    aim_attention attention;
};

typedef void row_fn(const struct pass *p, int row);

/* ---- running a step over all rows ------------------------------------------ */

struct row_step {
    const struct pass *p;
    row_fn *fn;
};

static void run_row(void *arg, int row, int worker)
{
    (void)worker;
    const struct row_step *s = arg;
    s->fn(s->p, row);
}

/* fn for every row in [0, rows); each touches about `width` elements. */
static void for_rows(const struct pass *p, row_fn *fn, int rows, int width)
{
    struct row_step s = {p, fn};
    aim__for_rows(p->c->pool, run_row, &s, rows, width);
}

static float *row_of(float *m, int row, int width)
{
    return m + (size_t)row * (size_t)width;
}

/* The same for every row of the batch, with the inputs x [in] of layer `next`. */
static void for_inputs(struct pass *p, row_fn *fn, const aim_projection *next, int width)
{
    p->next = next;
    p->next_rows = p->b->n_rows;
    for_rows(p, fn, p->next_rows, width);
}

/* ---- linear layers --------------------------------------------------------------- */

/* The inputs x of a row, just made and still in the cache, as the next layer wants them. */
static void convert(const struct pass *p, int row, const float *x)
{
    const aim_projection *l = p->next;
    if (l && l->backend->convert_row)
        l->backend->convert_row(l->linear, p->c, x, row, p->next_rows, p->w->linear);
}

/* The sums without bias and residual are what an observer sees. */
static void observed_product(const struct pass *p, const aim_projection *l, const float *x,
                             const aim_row_noise *noise, const aim_output *out)
{
    const aim_output sums = {.y = out->y, .ldy = out->ldy, .first = true};
    aim_linear_view view = {
        .backend = l->backend,
        .linear = l->linear,
        .shape = &l->source.shape,
        .parts = l->source.parts,
        .layer = l->source.layer,
        .rows = p->next_rows,
        .x = x,
        .y = out->y,
        .noise = noise,
    };
    l->backend->multiply(l->linear, p->c, x, p->next_rows, noise, &sums, p->w->linear);
    p->c->observe(p->c->observe_arg, &view);
    aim__finish_output(p->c, p->next_rows, l->source.shape.out, out);
}

/* y [rows, out] = x [rows, in] W^T + bias; with a residual [rows, out] that is added to
 * instead. The rows were converted for this layer before. noise [rows] or NULL. */
static void noisy_product(const struct pass *p, const aim_projection *l, const float *x,
                          const aim_row_noise *noise, float *y, float *residual)
{
    assert(l == p->next);
    size_t width = (size_t)l->source.shape.out;
    const aim_output out = {.y = y,
                            .ldy = width,
                            .first = true,
                            .bias = l->bias,
                            .residual = residual,
                            .ld_residual = width};
    if (p->next_rows == 0)
        return;
    if (p->c->observe)
        observed_product(p, l, x, noise, &out);
    else
        l->backend->multiply(l->linear, p->c, x, p->next_rows, noise, &out, p->w->linear);
}

/* The same for all rows of the batch. */
static void product(const struct pass *p, const aim_projection *l, const float *x, float *y,
                    float *residual)
{
    noisy_product(p, l, x, p->b->noise, y, residual);
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

/* h = RMSNorm(x), where row `from` of x becomes row `to` of h. */
static void norm(const struct pass *p, int from, int to)
{
    const aim_hf_config *f = &p->d->config;
    float *h = row_of(p->w->h, to, f->hidden);
    p->c->kernels->rmsnorm(h, row_of(p->w->x, from, f->hidden), p->norm, f->hidden, f->rms_eps);
    convert(p, to, h);
}

static void norm_row(const struct pass *p, int r)
{
    norm(p, r, r);
}

/* The same for the rows whose logits are wanted. */
static void norm_logit_row(const struct pass *p, int i)
{
    norm(p, p->b->logit_rows[i], i);
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

/* What attention left in h is the input of a linear layer. */
static void convert_row(const struct pass *p, int r)
{
    const aim_hf_config *f = &p->d->config;
    convert(p, r, row_of(p->w->h, r, f->heads * f->head_dim));
}

/* act = silu(gate) * up */
static void swiglu_row(const struct pass *p, int r)
{
    int ffn = p->d->config.ffn;
    float *gate = row_of(p->w->gate_up, r, 2 * ffn), *up = gate + ffn;
    float *act = row_of(p->w->act, r, ffn);
    p->c->kernels->silu_mul(act, gate, up, ffn);
    convert(p, r, act);
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
        .plan = p->w->attend_plan,
        .scratch = p->w->attend,
        .scratch_room = p->w->attend_room,
    };
    aim__attention(&call);
}

/* ---- the pass ------------------------------------------------------------------ */

/* h [rows, hidden], the inputs of a linear layer. */
static void rmsnorm(struct pass *p, const float *weights, const aim_projection *next)
{
    p->norm = weights;
    for_inputs(p, norm_row, next, p->d->config.hidden);
}

static void run_layer(struct pass *p, int index)
{
    const aim_layer *l = &p->d->layers[index];
    const aim_hf_config *f = &p->d->config;
    aim_workspace *w = p->w;
    int q = f->heads * f->head_dim, kv = f->kv_heads * f->head_dim;
    p->layer = index;
    aim_kv_layer(p->kv, index, &p->attention);

    rmsnorm(p, l->attention_norm, &l->qkv);  /* h [rows, hidden] */
    product(p, &l->qkv, w->h, w->qkv, NULL); /* qkv [rows, q + 2 kv] */
    for_rows(p, rotate_and_store_row, p->b->n_rows, q + 2 * kv);
    attention(p); /* h [rows, q] */
    for_inputs(p, convert_row, &l->o, q);
    product(p, &l->o, w->h, w->y, w->x); /* x [rows, hidden] += */

    rmsnorm(p, l->ffn_norm, &l->gate_up);            /* h [rows, hidden] */
    product(p, &l->gate_up, w->h, w->gate_up, NULL); /* gate_up [rows, 2 ffn] */
    for_inputs(p, swiglu_row, &l->down, 8 * f->ffn); /* act [rows, ffn] */
    product(p, &l->down, w->act, w->y, w->x);        /* x [rows, hidden] += */
}

/* h [n_logits, hidden], the inputs of lm_head, or of a reward head if that is NULL. */
static void norm_logit_rows(struct pass *p, const aim_projection *lm_head)
{
    p->norm = p->d->final_norm;
    p->next = lm_head;
    p->next_rows = p->b->n_logits;
    for_rows(p, norm_logit_row, p->b->n_logits, p->d->config.hidden);
}

static void language_head(struct pass *p)
{
    const aim_batch *b = p->b;
    aim_workspace *w = p->w;
    norm_logit_rows(p, &p->d->lm_head);
    for (int i = 0; b->noise && i < b->n_logits; i++)
        w->logit_noise[i] = b->noise[b->logit_rows[i]];
    noisy_product(p, &p->d->lm_head, w->h, b->noise ? w->logit_noise : NULL, w->logits, NULL);
}

static void reward_head(struct pass *p)
{
    aim_workspace *w = p->w;
    norm_logit_rows(p, NULL);
    if (p->b->n_logits > 0)
        aim__score_head_run(&p->d->score, p->c, w->h, p->b->n_logits, w->score, w->logits);
}

/* The logits [n_logits, outputs] of the rows that they are wanted of. */
static const float *head(struct pass *p)
{
    if (p->d->config.head == AIM_HEAD_LANGUAGE)
        language_head(p);
    else
        reward_head(p);
    return p->w->logits;
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
    return head(&p);
}
