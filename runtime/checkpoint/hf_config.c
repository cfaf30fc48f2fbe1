/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/hf_config_internal.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdio.h>

enum {
    MAX_CONFIG_BYTES = 4 << 20,
    /* Ranges: wide enough for published models; sums over a row of MAX_WIDTH
     * int8 products stay within int32. */
    MAX_WIDTH = 131072,
    MAX_HEADS = 1024,
    MAX_VOCAB = 1 << 20,
};

/* ---- config.json ---------------------------------------------------------- */

static int read_architecture(const json_t *config, const aim__family **family, aim_hf_config *out,
                             aim_error *err)
{
    const aim__head_class *head = NULL;
    const json_t *list = json_object_get(config, "architectures");
    const char *name = json_string_value(json_array_get(list, 0));
    if (!name || json_array_size(list) != 1)
        return aim_fail_param(err, AIM_EFORMAT, "architectures",
                              AIM__CONFIG ": \"architectures\" must be a list of one name");
    snprintf(out->architecture, sizeof out->architecture, "%s", name);
    *family = aim__family_find(name, &head, err);
    return *family ? aim__read_head(config, head, out, err) : AIM_EUNSUPPORTED;
}

/* The integer fields. Null is as good as absent, but for the two that families
 * have their own defaults for: there null means "derive it". */
static int read_dimensions(const json_t *config, const aim__family *f, aim_hf_config *out,
                           aim_error *err)
{
    const struct {
        const char *key;
        int64_t hi;
        bool required;
        int absent;
        int *to;
    } fields[] = {
        {"hidden_size", MAX_WIDTH, true, 0, &out->hidden},
        {"intermediate_size", MAX_WIDTH, true, 0, &out->ffn},
        {"num_hidden_layers", AIM_MAX_LAYERS, true, 0, &out->layers},
        {"num_attention_heads", MAX_HEADS, true, 0, &out->heads},
        {"num_key_value_heads", MAX_HEADS, false, f->kv_heads, &out->kv_heads},
        {"head_dim", AIM_MAX_HEAD_DIM, false, f->head_dim, &out->head_dim},
        {"vocab_size", MAX_VOCAB, true, 0, &out->vocab},
        {"max_position_embeddings", AIM__MAX_POSITIONS, true, 0, &out->max_positions},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t v = json_object_get(config, fields[i].key) ? 0 : fields[i].absent;
        int code = aim_json_int(config, fields[i].key, 1, fields[i].hi, fields[i].required,
                                AIM__CONFIG, &v, err);
        if (code)
            return code;
        *fields[i].to = (int)v;
    }
    return AIM_OK;
}

/* Fill in and check the shape of the attention. */
static int settle_heads(aim_hf_config *out, aim_error *err)
{
    if (out->kv_heads == 0)
        out->kv_heads = out->heads;
    if (out->heads % out->kv_heads != 0)
        return aim_fail_param(err, AIM_EFORMAT, "num_key_value_heads",
                              AIM__CONFIG ": %d heads cannot share %d key-value heads evenly",
                              out->heads, out->kv_heads);
    if (out->head_dim == 0) {
        if (out->hidden % out->heads != 0)
            return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                                  AIM__CONFIG ": no \"head_dim\", and hidden_size %d is not a "
                                              "multiple of %d heads",
                                  out->hidden, out->heads);
        out->head_dim = out->hidden / out->heads;
    }
    if (out->head_dim % 2 != 0 || out->head_dim > AIM_MAX_HEAD_DIM)
        return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                              AIM__CONFIG ": head_dim %d must be even and at most %d",
                              out->head_dim, AIM_MAX_HEAD_DIM);
    if (out->heads * out->head_dim > MAX_WIDTH)
        return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                              AIM__CONFIG ": %d heads of %d are wider than %d", out->heads,
                              out->head_dim, MAX_WIDTH);
    return AIM_OK;
}

/* A switch that only some families read: to the others it must be off. */
static int read_switch(const json_t *config, const char *key, bool is_read, bool *out,
                       aim_error *err)
{
    *out = false;
    const json_t *v = json_object_get(config, key);
    if (!is_read && v && !json_is_null(v) && !json_is_false(v))
        return aim__not_implemented(AIM__CONFIG, key, v, " for this architecture", err);
    return aim_json_bool(config, key, false, AIM__CONFIG, out, err);
}

static int read_switches(const json_t *config, const aim__family *f, aim_hf_config *out,
                         aim_error *err)
{
    bool attention_bias = false;
    int code = read_switch(config, "attention_bias", f->attention_bias, &attention_bias, err);
    if (!code)
        code = read_switch(config, "mlp_bias", f->mlp_bias, &out->mlp_bias, err);
    out->fused_qkv = out->fused_gate_up = f->fused;
    out->qkv_bias = f->qkv_bias || attention_bias;
    out->o_bias = attention_bias;
    out->qk_norm = f->qk_norm;
    if (code)
        return code;
    code = aim_json_bool(config, "tie_word_embeddings", false, AIM__CONFIG, &out->tied_embeddings,
                         err);
    out->tied_embeddings &= out->head == AIM_HEAD_LANGUAGE;
    return code;
}

/* Ids that a file without the fields means, if the vocabulary has them. */
static void default_special_ids(const json_t *config, const aim__family *f, aim_hf_config *out)
{
    if (!json_object_get(config, "bos_token_id") && f->bos < out->vocab)
        out->bos = f->bos;
    if (!json_object_get(config, "eos_token_id") && f->eos >= 0 && f->eos < out->vocab)
        out->eos[out->n_eos++] = f->eos;
}

static int read_fields(const json_t *config, const aim__family *f, aim_hf_config *out,
                       aim_error *err)
{
    double eps = f->rms_eps;
    int code = read_dimensions(config, f, out, err);
    if (!code)
        code = settle_heads(out, err);
    if (!code)
        code = aim_json_number(config, "rms_norm_eps", 1e-12, 1, false, AIM__CONFIG, &eps, err);
    out->rms_eps = (float)eps;
    if (!code)
        code = read_switches(config, f, out, err);
    if (!code)
        code = aim__read_rope(config, f, out, err);
    if (!code)
        code = aim__read_window(config, f, out, err);
    if (code)
        return code;
    default_special_ids(config, f, out);
    code = aim__read_bos(config, AIM__CONFIG, out, err);
    return code ? code : aim__read_eos(config, AIM__CONFIG, out, err);
}

static int read_config(const json_t *config, aim_hf_config *out, aim_error *err)
{
    if (!json_is_object(config))
        return aim_fail(err, AIM_EFORMAT, AIM__CONFIG ": not a JSON object");
    const aim__family *f = NULL;
    int code = read_architecture(config, &f, out, err);
    if (!code)
        code = aim__check_config_keys(config, out, err);
    return code ? code : read_fields(config, f, out, err);
}

/* ---- public --------------------------------------------------------------- */

typedef int read_fn(const json_t *doc, aim_hf_config *out, aim_error *err);

static int parse_with(const char *text, size_t len, const char *what, read_fn *read,
                      aim_hf_config *out, aim_error *err)
{
    aim_error cause = {0};
    json_t *doc = aim_json_parse(text, len, 0, what, &cause);
    if (!doc)
        return aim_fail(err, cause.code, "%s", cause.text);
    int code = read(doc, out, err);
    json_decref(doc);
    return code;
}

int aim_hf_config_parse(const char *config, size_t config_len, const char *generation,
                        size_t generation_len, aim_hf_config *out, aim_error *err)
{
    *out = (aim_hf_config){
        .bos = -1,
        .default_temperature = -1,
        .default_top_p = -1,
        .default_min_p = -1,
        .default_repetition_penalty = -1,
        .default_top_k = -1,
    };
    int code = parse_with(config, config_len, AIM__CONFIG, read_config, out, err);
    if (!code && generation)
        code =
            parse_with(generation, generation_len, AIM__GENERATION, aim__read_generation, out, err);
    return code;
}

/* dir/name in memory, NULL if it is absent or on failure (*code). */
static char *read_in(const char *dir, const char *name, size_t *len, int *code, aim_error *err)
{
    aim_error cause = {0};
    char *text = NULL, *path = aim_path_join(dir, name);
    if (path)
        text = aim_read_file(path, MAX_CONFIG_BYTES, len, &cause);
    else
        aim_fail_nomem(&cause, name);
    aim_free(path);
    if (text && aim_check_content(text, *len, name, &cause)) {
        aim_free(text);
        text = NULL;
    }
    *code = (int)cause.code;
    if (cause.code)
        aim_fail(err, cause.code, "%s", cause.text);
    return text;
}

int aim_hf_config_load(const char *dir, aim_hf_config *out, aim_error *err)
{
    int code;
    size_t config_len = 0, generation_len = 0;
    char *config = read_in(dir, AIM__CONFIG, &config_len, &code, err);
    if (!config)
        return code;
    aim_error cause = {0};
    char *generation = read_in(dir, AIM__GENERATION, &generation_len, &code, &cause);
    if (generation || code == AIM_ENOTFOUND)
        code = aim_hf_config_parse(config, config_len, generation, generation_len, out, err);
    else
        aim_fail(err, cause.code, "%s", cause.text);
    aim_free(generation);
    aim_free(config);
    return code ? code : aim__find_value_head(dir, out, err);
}
