/* SPDX-License-Identifier: Apache-2.0 */
#include "model/weight_names.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

static const char *const layer_names[AIM_W_PER_LAYER] = {
    [AIM_W_ATTENTION_NORM] = "input_layernorm.weight",
    [AIM_W_Q] = "self_attn.q_proj.weight",
    [AIM_W_K] = "self_attn.k_proj.weight",
    [AIM_W_V] = "self_attn.v_proj.weight",
    [AIM_W_O] = "self_attn.o_proj.weight",
    [AIM_W_FFN_NORM] = "post_attention_layernorm.weight",
    [AIM_W_GATE] = "mlp.gate_proj.weight",
    [AIM_W_UP] = "mlp.up_proj.weight",
    [AIM_W_DOWN] = "mlp.down_proj.weight",
};

/* A search that remembers what it found. */
struct finder {
    const aim_checkpoint *checkpoint;
    bool *used; /* [tensors of the checkpoint] */
    aim_error *err;
    bool failed;
};

static const aim_tensor *require(struct finder *f, const char *name, int rows, int cols)
{
    const aim_tensor *t = aim_checkpoint_require(f->checkpoint, name, rows, cols, f->err);
    if (t)
        f->used[t - aim_checkpoint_at(f->checkpoint, 0)] = true;
    else
        f->failed = true;
    return t;
}

static void find_layer(struct finder *f, const aim_hf_config *c, int layer, const aim_tensor **out)
{
    int q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    const int shapes[AIM_W_PER_LAYER][2] = {
        [AIM_W_ATTENTION_NORM] = {c->hidden, -1},
        [AIM_W_Q] = {q, c->hidden},
        [AIM_W_K] = {kv, c->hidden},
        [AIM_W_V] = {kv, c->hidden},
        [AIM_W_O] = {c->hidden, q},
        [AIM_W_FFN_NORM] = {c->hidden, -1},
        [AIM_W_GATE] = {c->ffn, c->hidden},
        [AIM_W_UP] = {c->ffn, c->hidden},
        [AIM_W_DOWN] = {c->hidden, c->ffn},
    };
    for (int i = 0; i < AIM_W_PER_LAYER && !f->failed; i++) {
        char name[96];
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, layer_names[i]);
        out[i] = require(f, name, shapes[i][0], shapes[i][1]);
    }
}

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* Older exporters wrote the rotary frequencies, which follow from the
 * configuration, and the head beside the table it is tied to. */
static bool may_be_ignored(const aim_hf_config *config, const char *name)
{
    return ends_with(name, "rotary_emb.inv_freq") ||
           (config->tied_embeddings && strcmp(name, "lm_head.weight") == 0);
}

static int check_all_used(const struct finder *f, const aim_hf_config *config)
{
    for (int i = 0; i < aim_checkpoint_count(f->checkpoint); i++) {
        const char *name = aim_checkpoint_at(f->checkpoint, i)->name;
        if (!f->used[i] && !may_be_ignored(config, name))
            return aim_fail(f->err, AIM_EFORMAT,
                            "tensor \"%.200s\" has no place in a %s of %d layers", name,
                            config->architecture, config->layers);
    }
    return AIM_OK;
}

static int find_all(struct finder *f, const aim_hf_config *config, aim_llama_weights *out)
{
    out->embedding = require(f, "model.embed_tokens.weight", config->vocab, config->hidden);
    for (int l = 0; l < config->layers && !f->failed; l++)
        find_layer(f, config, l, out->layers[l]);
    if (!f->failed)
        out->final_norm = require(f, "model.norm.weight", config->hidden, -1);
    out->lm_head = out->embedding;
    if (!f->failed && !config->tied_embeddings)
        out->lm_head = require(f, "lm_head.weight", config->vocab, config->hidden);
    return f->failed ? AIM_EFORMAT : check_all_used(f, config);
}

int aim__llama_weights_find(const aim_hf_config *config, const aim_checkpoint *c,
                            aim_llama_weights *out, aim_error *err)
{
    *out = (aim_llama_weights){0};
    struct finder f = {.checkpoint = c, .err = err};
    f.used = aim_calloc((size_t)aim_checkpoint_count(c), sizeof *f.used);
    out->layers = aim_calloc((size_t)config->layers, sizeof *out->layers);
    int code =
        f.used && out->layers ? find_all(&f, config, out) : aim_fail_nomem(err, "table of weights");
    aim_free(f.used);
    if (code)
        aim__llama_weights_fini(out);
    return code;
}

void aim__llama_weights_fini(aim_llama_weights *w)
{
    aim_free(w->layers);
    *w = (aim_llama_weights){0};
}
