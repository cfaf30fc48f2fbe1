/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that follow from a configuration alone, so that memory can be counted
 * before any is taken. hf_config.c bounds every factor: widths by 2^17, layers
 * by AIM_MAX_LAYERS; no product here comes near 2^64. */
#include "analog/program.h"
#include "model/backend_impl.h"
#include "model/decoder_impl.h"

static aim_linear_shape plain_shape(int out, int in)
{
    return (aim_linear_shape){.out = out, .in = in, .n_parts = 1, .part_out = {out}};
}

void aim__linear_shapes(const aim_hf_config *c, aim_linear_shape shapes[AIM_LINEARS])
{
    int q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    shapes[AIM_QKV] = plain_shape(q + 2 * kv, c->hidden);
    shapes[AIM_O] = plain_shape(c->hidden, q);
    shapes[AIM_GATE_UP] = plain_shape(2 * c->ffn, c->hidden);
    shapes[AIM_DOWN] = plain_shape(c->hidden, c->ffn);
    shapes[AIM_LM_HEAD] = plain_shape(c->vocab, c->hidden);
    if (!c->fused_qkv)
        shapes[AIM_QKV] = (aim_linear_shape){q + 2 * kv, c->hidden, 3, {q, kv, kv}};
    if (!c->fused_gate_up)
        shapes[AIM_GATE_UP] = (aim_linear_shape){2 * c->ffn, c->hidden, 2, {c->ffn, c->ffn}};
}

int aim__linears(const aim_hf_config *c)
{
    return c->head == AIM_HEAD_LANGUAGE ? AIM_LINEARS : AIM_LM_HEAD;
}

int aim__linear_number(const aim_hf_config *c, int linear, int block)
{
    static const int layer[] = {[AIM_QKV] = AIM_LAYER_Q,
                                [AIM_O] = AIM_LAYER_O,
                                [AIM_GATE_UP] = AIM_LAYER_GATE,
                                [AIM_DOWN] = AIM_LAYER_DOWN};
    return linear == AIM_LM_HEAD ? aim_lm_head_number(c->layers)
                                 : aim_layer_number(block, layer[linear]);
}

const aim_backend *aim__linear_backend(const aim_backend *backend, const aim_chip *chip, int linear)
{
    static const unsigned group[] = {[AIM_QKV] = AIM_ON_TILES_ATTENTION,
                                     [AIM_O] = AIM_ON_TILES_ATTENTION,
                                     [AIM_GATE_UP] = AIM_ON_TILES_FEED_FORWARD,
                                     [AIM_DOWN] = AIM_ON_TILES_FEED_FORWARD,
                                     [AIM_LM_HEAD] = AIM_ON_TILES_LM_HEAD};
    bool off = backend->on_tiles && !(chip && chip->profile.on_tiles & group[linear]);
    return off ? &aim__backend_int8 : backend;
}

/* How many there are of a linear layer. */
static size_t count_of(const aim_hf_config *c, int linear)
{
    return linear == AIM_LM_HEAD ? 1 : (size_t)c->layers;
}

/* Elements of norms and biases. */
static size_t vector_elements(const aim_hf_config *c)
{
    size_t hidden = (size_t)c->hidden, ffn = (size_t)c->ffn, dim = (size_t)c->head_dim;
    size_t q = (size_t)c->heads * dim, kv = (size_t)c->kv_heads * dim;
    size_t layer = 2 * hidden;
    layer += c->qk_norm ? 2 * dim : 0;
    layer += c->qkv_bias ? q + 2 * kv : 0;
    layer += c->o_bias ? hidden : 0;
    layer += c->mlp_bias ? 2 * ffn + hidden : 0;
    return (size_t)c->layers * layer + hidden + aim__score_head_biases(c);
}

/* What programming the parts of a layer takes while it is loaded. */
static size_t program_bytes(const aim_backend *backend, const aim_chip *chip,
                            const aim_linear_shape *shape)
{
    size_t total = 0;
    for (int i = 0; backend->on_tiles && i < shape->n_parts; i++)
        total += aim_layer_program_bytes(&chip->profile, shape->part_out[i], shape->in);
    return total;
}

size_t aim_decoder_load_bytes(const aim_hf_config *config, const aim_backend *backend,
                              const aim_chip *chip)
{
    aim_linear_shape shapes[AIM_LINEARS];
    chip = aim_backend_chip(backend, chip);
    /* Input ranges, of which only the checkpoint knows, are a few numbers a layer. */
    size_t total =
        (vector_elements(config) + aim__score_head_weights(config) + (size_t)config->rope.dim) *
        sizeof(float);
    size_t most_programming = 0;
    aim__linear_shapes(config, shapes);
    for (int i = 0; i < aim__linears(config); i++) {
        const aim_backend *b = aim__linear_backend(backend, chip, i);
        size_t programming = program_bytes(b, chip, &shapes[i]);
        total += count_of(config, i) * b->load_bytes(chip, &shapes[i]);
        most_programming = programming > most_programming ? programming : most_programming;
    }
    return total + most_programming;
}

size_t aim_hf_config_parameters(const aim_hf_config *config)
{
    aim_linear_shape shapes[AIM_LINEARS];
    size_t total = vector_elements(config) + aim__score_head_weights(config);
    aim__linear_shapes(config, shapes);
    for (int i = 0; i < aim__linears(config); i++)
        total += count_of(config, i) * (size_t)shapes[i].out * (size_t)shapes[i].in;
    return config->tied_embeddings ? total : total + (size_t)config->vocab * (size_t)config->hidden;
}

int aim_hf_config_outputs(const aim_hf_config *config)
{
    return config->head == AIM_HEAD_LANGUAGE ? config->vocab : config->head_outputs;
}

aim_kv_shape aim_hf_config_kv_shape(const aim_hf_config *config, const aim_backend *backend)
{
    return (aim_kv_shape){config->layers, config->kv_heads, config->head_dim, backend->kv_bf16};
}
