/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/random_shapes.h"

#include <stdio.h>
#include <string.h>

/* Sources: the config.json files that Meta and Microsoft publish with
 * Llama-3.2-1B and Phi-3-mini-4k-instruct. The context of the former (131,072)
 * is cut to 8,192, so that the cache of 16 sequences fits small machines. */
static const struct {
    const char *name;
    int hidden, layers, heads, kv_heads, head_dim, ffn, vocab, positions;
    double rope_theta;
    bool tied;
} shapes[] = {
    {"llama-3.2-1b", 2048, 16, 32, 8, 64, 8192, 128256, 8192, 500000, true},
    {"phi-3-mini", 3072, 32, 32, 32, 96, 8192, 32064, 4096, 10000, false},
};

enum { N_SHAPES = sizeof shapes / sizeof shapes[0] };

static int unknown(const char *name, aim_error *err)
{
    char names[128];
    size_t used = 0;
    for (int i = 0; i < N_SHAPES; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 shapes[i].name);
    return aim_fail(err, AIM_EINVAL, "no shape is called \"%.60s\"; there are: %s", name,
                    names);
}

int aim_random_shape(const char *name, aim_hf_config *out, aim_error *err)
{
    int i = 0;
    while (i < N_SHAPES && strcmp(shapes[i].name, name) != 0)
        i++;
    if (i == N_SHAPES)
        return unknown(name, err);
    out->hidden = shapes[i].hidden;
    out->layers = shapes[i].layers;
    out->heads = shapes[i].heads;
    out->kv_heads = shapes[i].kv_heads;
    out->head_dim = shapes[i].head_dim;
    out->ffn = shapes[i].ffn;
    out->vocab = shapes[i].vocab;
    out->max_positions = shapes[i].positions;
    out->rope =
        (aim_rope){.theta = shapes[i].rope_theta, .dim = shapes[i].head_dim, .attention_factor = 1};
    out->tied_embeddings = shapes[i].tied && out->head == AIM_HEAD_LANGUAGE;
    return AIM_OK;
}
