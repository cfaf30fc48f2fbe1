/* SPDX-License-Identifier: Apache-2.0 */
#include "model/weight_names.h"

#include "base/alloc.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

/* ---- the table ---------------------------------------------------------------- */

enum size { ONE_ROW, HEAD, HIDDEN, QUERY, KEY_VALUE, QUERY_KEY_VALUE, FFN, TWO_FFN };
enum when { ALWAYS, SPLIT_QKV, FUSED_QKV, QK_NORM, SPLIT_GATE_UP, FUSED_GATE_UP };
enum bias { NO_BIAS, QKV_BIAS, O_BIAS, MLP_BIAS };

/* A norm [rows], or a linear layer [rows, cols]. */
struct entry {
    const char *name; /* behind "model.layers.N." */
    enum size rows, cols;
    enum when when;
    enum bias bias;
};

static const struct entry layer_table[AIM_W_PER_LAYER] = {
    [AIM_W_ATTENTION_NORM] = {"input_layernorm", HIDDEN, ONE_ROW, ALWAYS, NO_BIAS},
    [AIM_W_Q] = {"self_attn.q_proj", QUERY, HIDDEN, SPLIT_QKV, QKV_BIAS},
    [AIM_W_K] = {"self_attn.k_proj", KEY_VALUE, HIDDEN, SPLIT_QKV, QKV_BIAS},
    [AIM_W_V] = {"self_attn.v_proj", KEY_VALUE, HIDDEN, SPLIT_QKV, QKV_BIAS},
    [AIM_W_QKV] = {"self_attn.qkv_proj", QUERY_KEY_VALUE, HIDDEN, FUSED_QKV, QKV_BIAS},
    [AIM_W_Q_NORM] = {"self_attn.q_norm", HEAD, ONE_ROW, QK_NORM, NO_BIAS},
    [AIM_W_K_NORM] = {"self_attn.k_norm", HEAD, ONE_ROW, QK_NORM, NO_BIAS},
    [AIM_W_O] = {"self_attn.o_proj", HIDDEN, QUERY, ALWAYS, O_BIAS},
    [AIM_W_FFN_NORM] = {"post_attention_layernorm", HIDDEN, ONE_ROW, ALWAYS, NO_BIAS},
    [AIM_W_GATE] = {"mlp.gate_proj", FFN, HIDDEN, SPLIT_GATE_UP, MLP_BIAS},
    [AIM_W_UP] = {"mlp.up_proj", FFN, HIDDEN, SPLIT_GATE_UP, MLP_BIAS},
    [AIM_W_GATE_UP] = {"mlp.gate_up_proj", TWO_FFN, HIDDEN, FUSED_GATE_UP, MLP_BIAS},
    [AIM_W_DOWN] = {"mlp.down_proj", HIDDEN, FFN, ALWAYS, MLP_BIAS},
};

/* -1 stands for a missing dimension, as in aim_checkpoint_require. */
static int size_of(const aim_hf_config *c, enum size s)
{
    const int sizes[] = {
        [ONE_ROW] = -1,
        [HEAD] = c->head_dim,
        [HIDDEN] = c->hidden,
        [QUERY] = c->heads * c->head_dim,
        [KEY_VALUE] = c->kv_heads * c->head_dim,
        [QUERY_KEY_VALUE] = (c->heads + 2 * c->kv_heads) * c->head_dim,
        [FFN] = c->ffn,
        [TWO_FFN] = 2 * c->ffn,
    };
    return sizes[s];
}

static bool is_present(const aim_hf_config *c, enum when when)
{
    const bool present[] = {
        [ALWAYS] = true,
        [SPLIT_QKV] = !c->fused_qkv,
        [FUSED_QKV] = c->fused_qkv,
        [QK_NORM] = c->qk_norm,
        [SPLIT_GATE_UP] = !c->fused_gate_up,
        [FUSED_GATE_UP] = c->fused_gate_up,
    };
    return present[when];
}

static bool has_bias(const aim_hf_config *c, enum bias bias)
{
    const bool has[] = {
        [NO_BIAS] = false,
        [QKV_BIAS] = c->qkv_bias,
        [O_BIAS] = c->o_bias,
        [MLP_BIAS] = c->mlp_bias,
    };
    return has[bias];
}

/* ---- finding -------------------------------------------------------------------- */

/* A search that remembers what it found. */
struct finder {
    const aim_hf_config *config;
    const aim_checkpoint *checkpoint;
    bool *used; /* [tensors of the checkpoint] */
    aim_error *err;
    bool failed;
};

static void mark(struct finder *f, const aim_tensor *t)
{
    f->used[t - aim_checkpoint_at(f->checkpoint, 0)] = true;
}

static const aim_tensor *require(struct finder *f, const char *layer, const char *suffix, int rows,
                                 int cols)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", layer, suffix);
    const aim_tensor *t =
        f->failed ? NULL : aim_checkpoint_require(f->checkpoint, name, rows, cols, f->err);
    if (t)
        mark(f, t);
    else
        f->failed = true;
    return t;
}

/* A tensor that a layer may have: NULL if it is absent. Its shape is its own. */
static const aim_tensor *optional(struct finder *f, const char *layer, const char *suffix)
{
    char name[128];
    snprintf(name, sizeof name, "%s.%s", layer, suffix);
    const aim_tensor *t = aim_checkpoint_find(f->checkpoint, name);
    if (t)
        mark(f, t);
    return t;
}

/* Ranges of a layer: one for each tile its inputs are cut into. A tensor of any
 * other shape than [n], n >= 1, asks for the usual number, which it has not. */
static int range_count(const aim_tensor *t)
{
    return t->rank == 1 && t->shape[0] >= 1 && t->shape[0] <= INT_MAX ? (int)t->shape[0] : 1;
}

/* aihwkit-lightning clips at learned bounds each time it computes, not the weights it
 * saves: without the bounds the layer is another one. */
static void refuse_learned_clip(struct finder *f, const char *layer)
{
    const aim_tensor *t = optional(f, layer, "learnable_weight_clip");
    if (!t || f->failed)
        return;
    aim_fail(f->err, AIM_EFORMAT,
             "tensor \"%s\": learned weight clips are not supported; clip the weights at them "
             "when exporting the checkpoint, and leave them out",
             t->name);
    f->failed = true;
}

/* What aihwkit-lightning saves beside the weights of an analog layer. The input
 * range is part of the model. The rest is of use in training alone: counters and
 * running extremes from which ranges were started. */
static const aim_tensor *find_input_range(struct finder *f, const char *layer)
{
    static const char *const training[] = {"input_range_update_idx", "x_min", "x_max"};
    for (size_t i = 0; i < sizeof training / sizeof training[0]; i++)
        optional(f, layer, training[i]);
    refuse_learned_clip(f, layer);
    const aim_tensor *t = optional(f, layer, "input_range");
    return t ? require(f, layer, "input_range", range_count(t), -1) : NULL;
}

static aim_linear_part find_linear(struct finder *f, const char *layer, int rows, int cols,
                                   bool bias)
{
    aim_linear_part part = {.weight = require(f, layer, "weight", rows, cols)};
    if (bias)
        part.bias = require(f, layer, "bias", rows, -1);
    part.input_range = find_input_range(f, layer);
    return part;
}

static void find_layer(struct finder *f, int layer, aim_linear_part *out)
{
    const aim_hf_config *c = f->config;
    for (int i = 0; i < AIM_W_PER_LAYER && !f->failed; i++) {
        const struct entry *e = &layer_table[i];
        char name[96];
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, e->name);
        if (!is_present(c, e->when))
            continue;
        int rows = size_of(c, e->rows), cols = size_of(c, e->cols);
        if (e->cols == ONE_ROW)
            out[i].weight = require(f, name, "weight", rows, cols);
        else
            out[i] = find_linear(f, name, rows, cols, has_bias(c, e->bias));
    }
}

/* A tied head is the embedding table, whatever else the file holds under its name
 * (older exporters wrote it twice). But a head that was converted to analog has an
 * input range, and weights of its own. */
static void find_lm_head(struct finder *f, aim_decoder_weights *out)
{
    const aim_hf_config *c = f->config;
    bool converted = aim_checkpoint_find(f->checkpoint, "lm_head.input_range");
    const aim_tensor *own = optional(f, "lm_head", "weight");
    out->lm_head = out->embedding;
    if (!c->tied_embeddings || (converted && own))
        out->lm_head = find_linear(f, "lm_head", c->vocab, c->hidden, false);
    else if (converted)
        out->lm_head.input_range = find_input_range(f, "lm_head");
}

/* Layer i of the head of a reward model. */
static aim_linear_part find_score_layer(struct finder *f, int i)
{
    static const char *const mlp[AIM_SCORE_LAYERS] = {"score.0", "score.2"}; /* 1: the ReLU */
    const aim_hf_config *c = f->config;
    int rows, cols;
    aim__score_head_shape(c, i, &rows, &cols);
    const char *name = c->value_head ? "v_head.summary" : "score";
    if (c->head == AIM_HEAD_MLP)
        name = mlp[i];
    aim_linear_part part = {.weight = require(f, name, "weight", rows, cols)};
    if (aim__score_head_biases(c) > 0)
        part.bias = require(f, name, "bias", rows, -1);
    return part;
}

static void find_head(struct finder *f, aim_decoder_weights *out)
{
    if (f->config->head == AIM_HEAD_LANGUAGE)
        find_lm_head(f, out);
    for (int i = 0; i < aim__score_head_layers(f->config); i++)
        out->score[i] = find_score_layer(f, i);
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Older exporters wrote the rotary frequencies, which follow from the
 * configuration. Reward models may still have the lm_head of the language model that
 * they were trained from (trl saves both): nothing of it is used. */
static bool may_be_ignored(const struct finder *f, const char *name)
{
    static const char lm_head[] = "lm_head.";
    bool is_reward = f->config->head != AIM_HEAD_LANGUAGE;
    return ends_with(name, "rotary_emb.inv_freq") ||
           (is_reward && strncmp(name, lm_head, strlen(lm_head)) == 0);
}

static int check_all_used(const struct finder *f)
{
    for (int i = 0; i < aim_checkpoint_count(f->checkpoint); i++) {
        const char *name = aim_checkpoint_at(f->checkpoint, i)->name;
        if (!f->used[i] && !may_be_ignored(f, name))
            return aim_fail(f->err, AIM_EFORMAT,
                            "tensor \"%.200s\" has no place in a %s of %d layers", name,
                            f->config->architecture, f->config->layers);
    }
    return AIM_OK;
}

static int find_all(struct finder *f, aim_decoder_weights *out)
{
    const aim_hf_config *c = f->config;
    out->embedding.weight = require(f, "model.embed_tokens", "weight", c->vocab, c->hidden);
    for (int l = 0; l < c->layers && !f->failed; l++)
        find_layer(f, l, out->layers[l]);
    out->final_norm.weight = require(f, "model.norm", "weight", c->hidden, -1);
    if (!f->failed)
        find_head(f, out);
    return f->failed ? AIM_EFORMAT : check_all_used(f);
}

int aim__decoder_weights_find(const aim_hf_config *config, const aim_checkpoint *c,
                              aim_decoder_weights *out, aim_error *err)
{
    *out = (aim_decoder_weights){0};
    struct finder f = {.config = config, .checkpoint = c, .err = err};
    f.used = aim_calloc((size_t)aim_checkpoint_count(c), sizeof *f.used);
    out->layers = aim_calloc((size_t)config->layers, sizeof *out->layers);
    int code = f.used && out->layers ? find_all(&f, out) : aim_fail_nomem(err, "table of weights");
    aim_free(f.used);
    if (code)
        aim__decoder_weights_fini(out);
    return code;
}

void aim__decoder_weights_fini(aim_decoder_weights *w)
{
    aim_free(w->layers);
    *w = (aim_decoder_weights){0};
}
