/* SPDX-License-Identifier: Apache-2.0 */
/* Sizes that follow from a configuration alone, so that memory can be counted
 * before any is taken. hf_config.c bounds every factor: widths by 2^17, layers
 * by AIM_MAX_LAYERS; no product here comes near 2^64. */
#include "model/decoder_impl.h"

void aim__linear_shapes(const aim_hf_config *c, aim_linear_shape shapes[AIM_LINEARS])
{
    int q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    shapes[AIM_QKV] = (aim_linear_shape){q + 2 * kv, c->hidden};
    shapes[AIM_O] = (aim_linear_shape){c->hidden, q};
    shapes[AIM_GATE_UP] = (aim_linear_shape){2 * c->ffn, c->hidden};
    shapes[AIM_DOWN] = (aim_linear_shape){c->hidden, c->ffn};
    shapes[AIM_LM_HEAD] = (aim_linear_shape){c->vocab, c->hidden};
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
    return (size_t)c->layers * layer + hidden;
}

size_t aim_decoder_load_bytes(const aim_hf_config *config, const aim_backend *backend)
{
    aim_linear_shape shapes[AIM_LINEARS];
    /* Input ranges, of which only the checkpoint knows, are a few numbers a layer. */
    size_t total = (vector_elements(config) + (size_t)config->rope.dim) * sizeof(float);
    aim__linear_shapes(config, shapes);
    for (int i = 0; i < AIM_LINEARS; i++)
        total += count_of(config, i) * backend->load_bytes(shapes[i].out, shapes[i].in);
    return total;
}

size_t aim_hf_config_parameters(const aim_hf_config *config)
{
    aim_linear_shape shapes[AIM_LINEARS];
    size_t total = vector_elements(config);
    aim__linear_shapes(config, shapes);
    for (int i = 0; i < AIM_LINEARS; i++)
        total += count_of(config, i) * (size_t)shapes[i].out * (size_t)shapes[i].in;
    return config->tied_embeddings ? total : total + (size_t)config->vocab * (size_t)config->hidden;
}

aim_kv_shape aim_hf_config_kv_shape(const aim_hf_config *config, const aim_backend *backend)
{
    return (aim_kv_shape){config->layers, config->kv_heads, config->head_dim, backend->kv_bf16};
}
