/* SPDX-License-Identifier: Apache-2.0 */
/* Loading and describing a decoder; forward.c runs it. */
#include "model/decoder_impl.h"

#include "base/alloc.h"
#include "model/rope.h"
#include "model/tile_ranges.h"
#include "model/weight_names.h"

/* Where weights come from: a checkpoint's tensors, or a seed. */
struct source {
    const aim_compute *compute;
    const aim_decoder_weights *weights; /* NULL: random */
    int block;                          /* that is being loaded */
    uint64_t seed;                      /* of the next random layer */
    aim_progress_fn *progress;
    void *progress_arg;
    size_t done, all; /* weights */
    aim_error *err;
};

static void on_weights_read(void *arg, size_t n)
{
    struct source *s = arg;
    s->done += n;
    s->progress(s->progress_arg, (double)s->done / (double)s->all);
}

static bool is_cancelled(const struct source *s)
{
    const atomic_bool *cancelled = s->compute->cancelled;
    return cancelled && atomic_load(cancelled) &&
           aim_fail(s->err, AIM_ECANCELED, "loading was cancelled");
}

/* The entry of a linear layer's first part in the table of its block, or of the head. */
static int first_entry(const aim_hf_config *c, int which)
{
    const int first[] = {[AIM_QKV] = c->fused_qkv ? AIM_W_QKV : AIM_W_Q,
                         [AIM_O] = AIM_W_O,
                         [AIM_GATE_UP] = c->fused_gate_up ? AIM_W_GATE_UP : AIM_W_GATE,
                         [AIM_DOWN] = AIM_W_DOWN,
                         [AIM_LM_HEAD] = 0};
    return first[which];
}

/* The linear layer `which` of a block or the head, from consecutive entries of table
 * t; random if t is NULL. */
static aim_linear_source describe_linear(const aim_hf_config *c, const aim_chip *chip, int which,
                                         int block, const aim_linear_part *t)
{
    aim_linear_shape shapes[AIM_LINEARS];
    aim__linear_shapes(c, shapes);
    return (aim_linear_source){
        .shape = shapes[which],
        .parts = t ? t + first_entry(c, which) : NULL,
        .layer = aim__linear_number(c, which, block),
        .chip = chip,
    };
}

static bool load_linear(const aim_decoder *d, struct source *s, aim_projection *p, int which,
                        const aim_linear_part *t)
{
    if (is_cancelled(s))
        return false;
    aim_linear_source source = describe_linear(&d->config, d->chip, which, s->block, t);
    source.random_seed = s->seed++;
    return aim__projection_load(p, aim__linear_backend(d->backend, d->chip, which), s->compute,
                                &source, s->err);
}

/* RMSNorm weights [n] from table t; all 1 if t is NULL. */
static float *load_norm(const aim_linear_part *t, int index, int n, aim_error *err)
{
    if (t)
        return aim__load_vector(t[index].weight, n, err);
    float *w = aim_array((size_t)n, sizeof *w);
    if (!w)
        aim_fail_nomem(err, "norm weights");
    for (int i = 0; w && i < n; i++)
        w[i] = 1.0f;
    return w;
}

static bool load_head_norms(const aim_decoder *d, struct source *s, aim_layer *l,
                            const aim_linear_part *t)
{
    int n = d->config.head_dim;
    return !d->config.qk_norm || ((l->q_norm = load_norm(t, AIM_W_Q_NORM, n, s->err)) &&
                                  (l->k_norm = load_norm(t, AIM_W_K_NORM, n, s->err)));
}

static bool load_layer(const aim_decoder *d, struct source *s, int index)
{
    const aim_hf_config *c = &d->config;
    aim_layer *l = &d->layers[index];
    const aim_linear_part *t = s->weights ? s->weights->layers[index] : NULL;
    s->block = index;
    l->window = c->window_layer[index] ? c->sliding_window : 0;
    return (l->attention_norm = load_norm(t, AIM_W_ATTENTION_NORM, c->hidden, s->err)) &&
           load_linear(d, s, &l->qkv, AIM_QKV, t) && load_head_norms(d, s, l, t) &&
           load_linear(d, s, &l->o, AIM_O, t) &&
           (l->ffn_norm = load_norm(t, AIM_W_FFN_NORM, c->hidden, s->err)) &&
           load_linear(d, s, &l->gate_up, AIM_GATE_UP, t) &&
           load_linear(d, s, &l->down, AIM_DOWN, t);
}

static bool has_own_embedding(const struct source *s)
{
    return s->weights && s->weights->lm_head.weight != s->weights->embedding.weight;
}

/* The table stays in its file, and steps read the rows they need: too late to find
 * NaN in one. Loading the head checks a table that it shares. */
static bool check_embedding(const aim_decoder *d, const struct source *s)
{
    const aim_row_store nowhere = {0};
    return !has_own_embedding(s) ||
           aim__weight_rows_load(&d->embedding, s->compute, &nowhere, s->err) == AIM_OK;
}

static bool load_head(aim_decoder *d, struct source *s)
{
    const aim_decoder_weights *w = s->weights;
    if (d->config.head == AIM_HEAD_LANGUAGE)
        return load_linear(d, s, &d->lm_head, AIM_LM_HEAD, w ? &w->lm_head : NULL);
    return aim__score_head_load(&d->score, &d->config, w ? w->score : NULL, s->seed, s->compute,
                                s->err);
}

static bool load_ends(aim_decoder *d, struct source *s)
{
    const aim_hf_config *c = &d->config;
    const aim_decoder_weights *w = s->weights;
    if (w)
        d->embedding_part = w->embedding;
    d->embedding =
        (aim_weight_rows){w ? &d->embedding_part : NULL, 1, c->vocab, c->hidden, s->seed};
    /* A tied random head uses the embedding's seed. */
    s->seed += c->tied_embeddings ? 0 : 1;
    return check_embedding(d, s) && load_head(d, s) &&
           (d->final_norm = load_norm(w ? &w->final_norm : NULL, 0, c->hidden, s->err));
}

static bool load_all(aim_decoder *d, struct source *s)
{
    const aim_hf_config *c = &d->config;
    s->all = aim_decoder_macs(d, true);
    s->all += has_own_embedding(s) ? (size_t)c->vocab * (size_t)c->hidden : 0;
    for (int i = 0; i < c->layers; i++)
        if (!load_layer(d, s, i))
            return false;
    return load_ends(d, s);
}

/* Those of long sequences differ from the others in one kind of rotation only. */
static bool make_frequencies(aim_decoder *d)
{
    for (int is_long = 0; is_long < 2; is_long++) {
        float *f = aim_array((size_t)d->config.rope.dim / 2, sizeof *f);
        if (f)
            aim__rope_frequencies(f, &d->config.rope, is_long);
        d->inv_freq[is_long] = f;
    }
    return d->inv_freq[0] && d->inv_freq[1];
}

static aim_decoder *build(const aim_hf_config *config, const aim_backend *backend,
                          const aim_chip *chip, struct source *s)
{
    chip = aim_backend_chip(backend, chip);
    if (backend->on_tiles && !chip) {
        aim_fail_param(s->err, AIM_EINVAL, "profile", "backend \"%s\" needs a profile",
                       backend->name);
        return NULL;
    }
    aim_decoder *d = aim_calloc(1, sizeof *d);
    if (!d) {
        aim_fail_nomem(s->err, "decoder");
        return NULL;
    }
    d->config = *config;
    d->backend = backend;
    d->layers = aim_calloc((size_t)config->layers, sizeof *d->layers);
    if (d->layers && make_frequencies(d) && aim__decoder_take_chip(d, chip)) {
        if (load_all(d, s))
            return d;
    } else {
        aim_fail_nomem(s->err, "decoder");
    }
    aim_decoder_free(d);
    return NULL;
}

static int check_ranges(const aim_linear_source *source, aim_error *err)
{
    int code = AIM_OK;
    for (int part = 0; !code && part < source->shape.n_parts; part++) {
        aim_tiling tiling;
        code = aim__tiling_init(&tiling, source, part, err);
        aim__tiling_fini(&tiling);
    }
    return code;
}

/* The input ranges of one linear layer in all blocks, or of the head. */
static int check_linear(const aim_hf_config *config, const aim_chip *chip, int which,
                        const aim_decoder_weights *w, aim_error *err)
{
    int code = AIM_OK, n = which == AIM_LM_HEAD ? 1 : config->layers;
    for (int block = 0; !code && block < n; block++) {
        const aim_linear_part *t = which == AIM_LM_HEAD ? &w->lm_head : w->layers[block];
        aim_linear_source source = describe_linear(config, chip, which, block, t);
        code = check_ranges(&source, err);
    }
    return code;
}

int aim_decoder_check(const aim_hf_config *config, const aim_checkpoint *c,
                      const aim_backend *backend, const aim_chip *chip, aim_error *err)
{
    aim_decoder_weights weights;
    int code = aim__decoder_weights_find(config, c, &weights, err);
    if (code)
        return code;
    chip = aim_backend_chip(backend, chip);
    for (int which = 0; !code && which < aim__linears(config); which++)
        if (aim__linear_backend(backend, chip, which)->on_tiles)
            code = check_linear(config, chip, which, &weights, err);
    aim__decoder_weights_fini(&weights);
    return code;
}

aim_decoder *aim_decoder_load(const aim_hf_config *config, const aim_checkpoint *c,
                              const aim_backend *backend, const aim_chip *chip,
                              const aim_compute *compute, aim_progress_fn *progress, void *arg,
                              aim_error *err)
{
    aim_decoder_weights weights;
    if (aim__decoder_weights_find(config, c, &weights, err) != AIM_OK)
        return NULL;
    aim_compute counting = *compute;
    struct source s = {.compute = &counting,
                       .weights = &weights,
                       .progress = progress,
                       .progress_arg = arg,
                       .err = err};
    if (progress) {
        counting.weights_read = on_weights_read;
        counting.weights_read_arg = &s;
    }
    aim_decoder *d = build(config, backend, chip, &s);
    aim__decoder_weights_fini(&weights);
    return d;
}

aim_decoder *aim_decoder_random(const aim_hf_config *config, const aim_backend *backend,
                                const aim_chip *chip, const aim_compute *compute, uint64_t seed,
                                aim_error *err)
{
    /* Layers draw from seed, seed + 1, ...: keep neighbouring seeds apart. */
    struct source s = {.compute = compute, .seed = seed << 16, .err = err};
    return build(config, backend, chip, &s);
}

void aim_decoder_free(aim_decoder *d)
{
    if (!d)
        return;
    for (int i = 0; d->layers && i < d->config.layers; i++) {
        aim_layer *l = &d->layers[i];
        aim_free(l->attention_norm);
        aim_free(l->ffn_norm);
        aim_free(l->q_norm);
        aim_free(l->k_norm);
        aim__projection_free(&l->qkv);
        aim__projection_free(&l->o);
        aim__projection_free(&l->gate_up);
        aim__projection_free(&l->down);
    }
    aim__projection_free(&d->lm_head);
    aim__score_head_free(&d->score);
    aim__decoder_free_chip(d);
    aim_free(d->final_norm);
    aim_free(d->inv_freq[0]);
    aim_free(d->inv_freq[1]);
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

int aim__decoder_projections(const aim_decoder *d)
{
    return d->config.layers * AIM_LM_HEAD + (d->config.head == AIM_HEAD_LANGUAGE);
}

const aim_projection *aim__decoder_projection(const aim_decoder *d, int index)
{
    if (index == d->config.layers * AIM_LM_HEAD)
        return &d->lm_head;
    const aim_layer *l = &d->layers[index / AIM_LM_HEAD];
    const aim_projection *block[] = {
        [AIM_QKV] = &l->qkv, [AIM_O] = &l->o, [AIM_GATE_UP] = &l->gate_up, [AIM_DOWN] = &l->down};
    return block[index % AIM_LM_HEAD];
}

size_t aim_decoder_weight_bytes(const aim_decoder *d)
{
    size_t total = 0;
    for (int i = 0; i < aim__decoder_projections(d); i++) {
        const aim_projection *p = aim__decoder_projection(d, i);
        total += p->backend->bytes(p->linear);
    }
    return total + aim__score_head_weights(&d->config) * sizeof(float);
}

int aim_decoder_outputs(const aim_decoder *d)
{
    return aim_hf_config_outputs(&d->config);
}

size_t aim_decoder_macs(const aim_decoder *d, bool with_head)
{
    aim_linear_shape shapes[AIM_LINEARS];
    aim__linear_shapes(&d->config, shapes);
    size_t total = with_head ? aim__score_head_weights(&d->config) : 0;
    for (int i = 0; i < aim__linears(&d->config); i++) {
        size_t count = i == AIM_LM_HEAD ? with_head : (size_t)d->config.layers;
        total += count * (size_t)shapes[i].out * (size_t)shapes[i].in;
    }
    return total;
}

int aim_decoder_learned_ranges(const aim_decoder *d)
{
    int n = 0;
    for (int i = 0; i < aim__decoder_projections(d); i++)
        n += aim__decoder_projection(d, i)->n_trained;
    return n;
}

bool aim_decoder_long_rope(const aim_hf_config *config, int n_tokens)
{
    return config->rope.kind == AIM_ROPE_LONGROPE && n_tokens > config->rope.original_positions;
}
