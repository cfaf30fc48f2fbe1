/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and describing a decoder; forward.c runs it. */
#include "model/decoder_impl.h"

#include "base/alloc.h"
#include "model/rope.h"
#include "model/weight_names.h"

#include <math.h>

/* Where weights come from: a checkpoint's tensors, or a seed. */
struct source {
    const aim_compute *compute;
    const aim_llama_weights *weights; /* NULL: random */
    uint64_t seed;                    /* of the next random layer */
    aim_error *err;
};

/* Sizes of the linear layers. */
static int q_width(const aim_hf_config *c)
{
    return c->heads * c->head_dim;
}

static int qkv_width(const aim_hf_config *c)
{
    return (c->heads + 2 * c->kv_heads) * c->head_dim;
}

/* A linear layer [out, in] of n_parts consecutive tensors of table t, stacked;
 * random if t is NULL. */
static aim_linear *load_linear(const aim_decoder *d, struct source *s, const aim_tensor *const *t,
                               int first, int n_parts, int out, int in)
{
    return d->backend->load(s->compute, t ? t + first : NULL, n_parts, out, in, s->seed++, s->err);
}

/* RMSNorm weights [hidden] from table t; all 1 if t is NULL. */
static float *load_norm(const aim_decoder *d, const aim_tensor *const *t, int index, aim_error *err)
{
    int n = d->config.hidden;
    float *w = aim_array((size_t)n, sizeof *w);
    if (!w) {
        aim_fail_nomem(err, "norm weights");
        return NULL;
    }
    for (int i = 0; i < n; i++)
        w[i] = 1.0f;
    if (t)
        aim_tensor_read(t[index], 0, (size_t)n, w);
    for (int i = 0; i < n; i++)
        if (!isfinite(w[i])) {
            aim_fail(err, AIM_EFORMAT, "tensor \"%s\" holds NaN or infinity", t[index]->name);
            aim_free(w);
            return NULL;
        }
    return w;
}

static bool load_layer(const aim_decoder *d, struct source *s, int index)
{
    const aim_hf_config *c = &d->config;
    aim_layer *l = &d->layers[index];
    const aim_tensor *const *t = s->weights ? s->weights->layers[index] : NULL;
    return (l->attention_norm = load_norm(d, t, AIM_W_ATTENTION_NORM, s->err)) &&
           (l->qkv = load_linear(d, s, t, AIM_W_Q, 3, qkv_width(c), c->hidden)) &&
           (l->o = load_linear(d, s, t, AIM_W_O, 1, c->hidden, q_width(c))) &&
           (l->ffn_norm = load_norm(d, t, AIM_W_FFN_NORM, s->err)) &&
           (l->gate_up = load_linear(d, s, t, AIM_W_GATE, 2, 2 * c->ffn, c->hidden)) &&
           (l->down = load_linear(d, s, t, AIM_W_DOWN, 1, c->hidden, c->ffn));
}

static bool load_ends(aim_decoder *d, struct source *s)
{
    const aim_hf_config *c = &d->config;
    const aim_llama_weights *w = s->weights;
    d->embedding_part = w ? w->embedding : NULL;
    d->embedding =
        (aim_weight_rows){w ? &d->embedding_part : NULL, 1, c->vocab, c->hidden, s->seed};
    /* A tied random head uses the embedding's seed. */
    s->seed += c->tied_embeddings ? 0 : 1;
    d->lm_head = load_linear(d, s, w ? &w->lm_head : NULL, 0, 1, c->vocab, c->hidden);
    return d->lm_head && (d->final_norm = load_norm(d, w ? &w->final_norm : NULL, 0, s->err));
}

static void report(aim_progress_fn *progress, void *arg, int done, int all)
{
    if (progress)
        progress(arg, (double)done / all);
}

static bool load_all(aim_decoder *d, struct source *s, aim_progress_fn *progress, void *arg)
{
    int layers = d->config.layers;
    report(progress, arg, 0, layers + 1);
    for (int i = 0; i < layers; i++) {
        if (!load_layer(d, s, i))
            return false;
        report(progress, arg, i + 1, layers + 1);
    }
    if (!load_ends(d, s))
        return false;
    report(progress, arg, 1, 1);
    return true;
}

static aim_decoder *build(const aim_hf_config *config, const aim_backend *backend, struct source *s,
                          aim_progress_fn *progress, void *arg)
{
    aim_decoder *d = aim_calloc(1, sizeof *d);
    if (!d) {
        aim_fail_nomem(s->err, "decoder");
        return NULL;
    }
    d->config = *config;
    d->backend = backend;
    d->layers = aim_calloc((size_t)config->layers, sizeof *d->layers);
    d->inv_freq = aim_array((size_t)config->head_dim / 2, sizeof *d->inv_freq);
    if (!d->layers || !d->inv_freq) {
        aim_fail_nomem(s->err, "decoder");
        aim_decoder_free(d);
        return NULL;
    }
    aim__rope_frequencies(d->inv_freq, config->head_dim, config->rope.theta);
    if (!load_all(d, s, progress, arg)) {
        aim_decoder_free(d);
        return NULL;
    }
    return d;
}

aim_decoder *aim_decoder_load(const aim_hf_config *config, const aim_checkpoint *c,
                              const aim_backend *backend, const aim_compute *compute,
                              aim_progress_fn *progress, void *arg, aim_error *err)
{
    aim_llama_weights weights;
    if (aim__llama_weights_find(config, c, &weights, err) != AIM_OK)
        return NULL;
    struct source s = {.compute = compute, .weights = &weights, .err = err};
    aim_decoder *d = build(config, backend, &s, progress, arg);
    aim__llama_weights_fini(&weights);
    return d;
}

aim_decoder *aim_decoder_random(const aim_hf_config *config, const aim_backend *backend,
                                const aim_compute *compute, uint64_t seed, aim_error *err)
{
    /* Layers draw from seed, seed + 1, ...: keep neighbouring seeds apart. */
    struct source s = {.compute = compute, .seed = seed << 16, .err = err};
    return build(config, backend, &s, NULL, NULL);
}

void aim_decoder_free(aim_decoder *d)
{
    if (!d)
        return;
    for (int i = 0; d->layers && i < d->config.layers; i++) {
        aim_layer *l = &d->layers[i];
        aim_free(l->attention_norm);
        aim_free(l->ffn_norm);
        d->backend->free(l->qkv);
        d->backend->free(l->o);
        d->backend->free(l->gate_up);
        d->backend->free(l->down);
    }
    d->backend->free(d->lm_head);
    aim_free(d->final_norm);
    aim_free(d->inv_freq);
    aim_free(d->layers);
    aim_free(d);
}

const aim_hf_config *aim_decoder_config(const aim_decoder *d)
{
    return &d->config;
}

const aim_backend *aim_decoder_backend(const aim_decoder *d)
{
    return d->backend;
}

aim_kv_shape aim_decoder_kv_shape(const aim_decoder *d)
{
    return aim_hf_config_kv_shape(&d->config, d->backend);
}

size_t aim_decoder_weight_bytes(const aim_decoder *d)
{
    const aim_backend *b = d->backend;
    size_t total = b->bytes(d->lm_head);
    for (int i = 0; i < d->config.layers; i++) {
        const aim_layer *l = &d->layers[i];
        total += b->bytes(l->qkv) + b->bytes(l->o) + b->bytes(l->gate_up) + b->bytes(l->down);
    }
    return total;
}

size_t aim_decoder_macs(const aim_decoder *d, bool with_lm_head)
{
    const aim_hf_config *c = &d->config;
    size_t hidden = (size_t)c->hidden;
    size_t per_input = (size_t)qkv_width(c) + (size_t)q_width(c) + 3 * (size_t)c->ffn;
    size_t total = (size_t)c->layers * per_input * hidden;
    return with_lm_head ? total + hidden * (size_t)c->vocab : total;
}
