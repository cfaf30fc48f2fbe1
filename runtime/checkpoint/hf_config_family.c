/* SPDX-License-Identifier: Apache-2.0 */
/* hf_config_family.c - the architectures behind the one decoder, and the layers
 * their sliding windows apply to. */
#include "checkpoint/hf_config_internal.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define PLAIN_ROPE (1u << AIM_ROPE_DEFAULT | 1u << AIM_ROPE_LINEAR | 1u << AIM_ROPE_LLAMA3)

/* Sources: configuration_*.py and modeling_*.py of transformers 5. */
static const aim__family families[] = {
    {
        .name = "Llama", /* Llama 1 to 3.x, and many others */
        .attention_bias = true,
        .mlp_bias = true,
        .rope_kinds = PLAIN_ROPE,
        .rms_eps = 1e-6,
        .bos = 1,
        .eos = 2,
    },
    {
        .name = "Mistral",
        .window = AIM__WINDOW_ALL,
        .rope_kinds = PLAIN_ROPE,
        .sliding_window = 4096,
        .kv_heads = 8,
        .rms_eps = 1e-6,
        .bos = 1,
        .eos = 2,
    },
    {
        .name = "Phi3", /* Phi-3, 3.5, 4 */
        .fused = true,
        .partial_rotary = true,
        .window = AIM__WINDOW_ALL,
        .rope_kinds = 1u << AIM_ROPE_DEFAULT | 1u << AIM_ROPE_LONGROPE,
        .original_positions = 4096,
        .rms_eps = 1e-5,
        .bos = 1,
        .eos = 32000,
    },
    {
        .name = "Qwen2", /* Qwen 1.5, 2, 2.5 */
        .qkv_bias = true,
        .window = AIM__WINDOW_BY_LAYER,
        .rope_kinds = PLAIN_ROPE,
        .sliding_window = 4096,
        .kv_heads = 32,
        .rms_eps = 1e-6,
        .bos = -1,
        .eos = -1,
    },
    {
        .name = "Qwen3",
        .attention_bias = true,
        .qk_norm = true,
        .window = AIM__WINDOW_BY_LAYER,
        .rope_kinds = PLAIN_ROPE,
        .sliding_window = 4096,
        .kv_heads = 32,
        .head_dim = 128,
        .rms_eps = 1e-6,
        .bos = -1,
        .eos = -1,
    },
};

enum { N_FAMILIES = sizeof families / sizeof families[0] };

static const aim__family *unsupported(const char *architecture, aim_error *err)
{
    char known[256] = "", others[128] = "";
    size_t used = 0;
    for (int i = 0; i < N_FAMILIES; i++)
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%sForCausalLM",
                                 i ? ", " : "", families[i].name);
    aim__head_classes_list(others, sizeof others);
    aim_fail_param(err, AIM_EUNSUPPORTED, "architectures",
                   AIM__CONFIG ": architecture \"%.100s\" is not supported; supported: %s, these "
                               "as ForSequenceClassification%s",
                   architecture, known, others);
    return NULL;
}

const aim__family *aim__family_find(const char *architecture, const aim__head_class **head,
                                    aim_error *err)
{
    static const char wrapper[] = "AnalogWrapper";
    const char *name = architecture;
    if (strncmp(name, wrapper, strlen(wrapper)) == 0)
        name += strlen(wrapper);
    for (int i = 0; i < N_FAMILIES; i++) {
        const aim__family *f = &families[i];
        size_t n = strlen(f->name);
        if (strncmp(name, f->name, n) == 0 && (*head = aim__head_class_find(f->name, name + n)))
            return f;
    }
    return unsupported(architecture, err);
}

/* ---- the sliding window ----------------------------------------------------- */

/* The width: 0 where there is none. Null and an absent field differ here. */
static int read_width(const json_t *config, const aim__family *f, aim_hf_config *out,
                      aim_error *err)
{
    const json_t *v = json_object_get(config, "sliding_window");
    int64_t width = v ? 0 : f->sliding_window;
    int code =
        aim_json_int(config, "sliding_window", 1, INT32_MAX, false, AIM__CONFIG, &width, err);
    out->sliding_window = (int)width;
    return code;
}

static int contradicts(const char *key, const aim_hf_config *out, aim_error *err)
{
    return aim_fail_param(err, AIM_EUNSUPPORTED, key,
                          AIM__CONFIG ": \"%s\" asks for something else than the sliding window of "
                                      "%d positions that %s has here (0: none)",
                          key, out->sliding_window, out->architecture);
}

/* use_sliding_window and sliding_window together: the width that counts. */
static int settle_width(const json_t *config, const aim__family *f, aim_hf_config *out,
                        aim_error *err)
{
    const char *key = "use_sliding_window";
    bool by_layer = f->window == AIM__WINDOW_BY_LAYER;
    bool given = json_is_boolean(json_object_get(config, key)), use = false;
    int code = aim_json_bool(config, key, false, AIM__CONFIG, &use, err);
    if (code || (by_layer && !use))
        return code; /* the width is then of no account */
    code = read_width(config, f, out, err);
    if (code)
        return code;
    if (f->window == AIM__WINDOW_NEVER && out->sliding_window > 0)
        return aim__not_implemented(AIM__CONFIG, "sliding_window",
                                    json_object_get(config, "sliding_window"),
                                    " for this architecture", err);
    if (!by_layer && given && use != (out->sliding_window > 0))
        return contradicts(key, out, err);
    return AIM_OK;
}

/* 1 for sliding, 0 for full attention, -1 for anything else. */
static int layer_type(const json_t *types, int layer)
{
    const char *type = json_string_value(json_array_get(types, (size_t)layer));
    if (type && strcmp(type, "sliding_attention") == 0)
        return 1;
    return type && strcmp(type, "full_attention") == 0 ? 0 : -1;
}

/* The list layer_types, which only some families go by; to the others it must
 * say what they do anyway. */
static int apply_layer_types(const json_t *types, const aim__family *f, aim_hf_config *out,
                             aim_error *err)
{
    const char *key = "layer_types";
    if (!json_is_array(types) || json_array_size(types) != (size_t)out->layers)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              AIM__CONFIG ": \"%s\" must be a list of %d names", key, out->layers);
    for (int i = 0; i < out->layers; i++) {
        int windowed = layer_type(types, i);
        if (windowed < 0)
            return aim__not_implemented(AIM__CONFIG, key, json_array_get(types, (size_t)i),
                                        "; implemented: full_attention, sliding_attention", err);
        bool may_differ = f->window == AIM__WINDOW_BY_LAYER && out->sliding_window > 0;
        if (!may_differ && windowed != out->window_layer[i])
            return contradicts(key, out, err);
        out->window_layer[i] = (unsigned char)windowed;
    }
    return AIM_OK;
}

int aim__read_window(const json_t *config, const aim__family *f, aim_hf_config *out, aim_error *err)
{
    int64_t first = f->window == AIM__WINDOW_BY_LAYER ? 28 : 0;
    int code = settle_width(config, f, out, err);
    if (!code && f->window == AIM__WINDOW_BY_LAYER)
        code =
            aim_json_int(config, "max_window_layers", 0, INT_MAX, false, AIM__CONFIG, &first, err);
    if (code)
        return code;
    for (int i = 0; i < out->layers; i++)
        out->window_layer[i] = out->sliding_window > 0 && i >= first;
    const json_t *types = json_object_get(config, "layer_types");
    return types && !json_is_null(types) ? apply_layer_types(types, f, out, err) : AIM_OK;
}
