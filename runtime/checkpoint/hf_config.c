/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/hf_config.h"

#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#define CONFIG "config.json"
#define GENERATION "generation_config.json"

enum {
    MAX_CONFIG_BYTES = 4 << 20,
    /* Ranges: wide enough for published models; sums over a row of MAX_WIDTH
     * int8 products stay within int32, positions within aim_sin's range. */
    MAX_WIDTH = 131072,
    MAX_HEADS = 1024,
    MAX_VOCAB = 1 << 20,
    MAX_POSITIONS = 1 << 20,
};

/* ---- settings that must be neutral --------------------------------------- */

enum neutral_kind { ONLY_NULL, ONLY_FALSE, ONLY_NUMBER, ONLY_STRING };

/* A setting that changes results and is not implemented: it may be absent, null
 * or have the one value that does nothing. */
struct neutral {
    const char *key;
    enum neutral_kind kind;
    double number;
    const char *string;
};

static const struct neutral config_neutral[] = {
    {"attention_bias", ONLY_FALSE, 0, NULL},         {"mlp_bias", ONLY_FALSE, 0, NULL},
    {"hidden_act", ONLY_STRING, 0, "silu"},          {"pretraining_tp", ONLY_NUMBER, 1, NULL},
    {"partial_rotary_factor", ONLY_NUMBER, 1, NULL}, {"quantization_config", ONLY_NULL, 0, NULL},
    {"sliding_window", ONLY_NULL, 0, NULL},          {"attn_logit_softcapping", ONLY_NULL, 0, NULL},
    {"final_logit_softcapping", ONLY_NULL, 0, NULL}, {"add_cross_attention", ONLY_FALSE, 0, NULL},
};

static const struct neutral generation_neutral[] = {
    {"num_beams", ONLY_NUMBER, 1, NULL},
    {"repetition_penalty", ONLY_NUMBER, 1, NULL},
    {"encoder_repetition_penalty", ONLY_NUMBER, 1, NULL},
    {"no_repeat_ngram_size", ONLY_NUMBER, 0, NULL},
    {"min_p", ONLY_NUMBER, 0, NULL},
    {"typical_p", ONLY_NUMBER, 1, NULL},
    {"epsilon_cutoff", ONLY_NUMBER, 0, NULL},
    {"eta_cutoff", ONLY_NUMBER, 0, NULL},
    {"guidance_scale", ONLY_NUMBER, 1, NULL},
    {"penalty_alpha", ONLY_NUMBER, 0, NULL},
    {"min_length", ONLY_NUMBER, 0, NULL},
    {"min_new_tokens", ONLY_NUMBER, 0, NULL},
    {"bad_words_ids", ONLY_NULL, 0, NULL},
    {"suppress_tokens", ONLY_NULL, 0, NULL},
    {"begin_suppress_tokens", ONLY_NULL, 0, NULL},
    {"forced_bos_token_id", ONLY_NULL, 0, NULL},
    {"forced_eos_token_id", ONLY_NULL, 0, NULL},
    {"sequence_bias", ONLY_NULL, 0, NULL},
};

static bool is_neutral(const struct neutral *n, const json_t *v)
{
    if (!v || json_is_null(v))
        return true;
    switch (n->kind) {
    case ONLY_FALSE:
        return json_is_false(v);
    case ONLY_NUMBER:
        return json_is_number(v) && json_number_value(v) == n->number;
    case ONLY_STRING:
        return json_is_string(v) && strcmp(json_string_value(v), n->string) == 0;
    case ONLY_NULL:
        break;
    }
    return false;
}

/* The value as JSON text, cut to fit. */
static void value_text(char *text, size_t room, const json_t *v)
{
    size_t n = json_dumpb(v, text, room - 1, JSON_ENCODE_ANY | JSON_COMPACT);
    text[n < room ? n : room - 1] = '\0';
}

static int not_implemented(const char *what, const char *key, const json_t *v, aim_error *err)
{
    char text[64] = "";
    value_text(text, sizeof text, v);
    return aim_fail_param(err, AIM_EUNSUPPORTED, key, "%s: \"%s\": %s is not implemented", what,
                          key, text);
}

static int check_neutral(const json_t *obj, const struct neutral *table, size_t n, const char *what,
                         aim_error *err)
{
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(obj, table[i].key);
        if (!is_neutral(&table[i], v))
            return not_implemented(what, table[i].key, v, err);
    }
    return AIM_OK;
}

/* ---- config.json ---------------------------------------------------------- */

static const char *const architectures[] = {"LlamaForCausalLM"};

static int read_architecture(const json_t *config, aim_hf_config *out, aim_error *err)
{
    const json_t *list = json_object_get(config, "architectures");
    const char *name = json_string_value(json_array_get(list, 0));
    if (!name || json_array_size(list) != 1)
        return aim_fail_param(err, AIM_EFORMAT, "architectures",
                              CONFIG ": \"architectures\" must be a list of one name");
    char known[256] = "";
    size_t used = 0;
    for (size_t i = 0; i < sizeof architectures / sizeof architectures[0]; i++) {
        if (strcmp(name, architectures[i]) == 0) {
            snprintf(out->architecture, sizeof out->architecture, "%s", name);
            return AIM_OK;
        }
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", used ? ", " : "",
                                 architectures[i]);
    }
    return aim_fail_param(err, AIM_EUNSUPPORTED, "architectures",
                          CONFIG ": architecture \"%.100s\" is not supported; supported: %s", name,
                          known);
}

/* The integer fields. A field that is absent keeps its default. */
static int read_dimensions(const json_t *config, aim_hf_config *out, aim_error *err)
{
    const struct {
        const char *key;
        int64_t hi;
        bool required;
        int *to;
    } fields[] = {
        {"hidden_size", MAX_WIDTH, true, &out->hidden},
        {"intermediate_size", MAX_WIDTH, true, &out->ffn},
        {"num_hidden_layers", AIM_MAX_LAYERS, true, &out->layers},
        {"num_attention_heads", MAX_HEADS, true, &out->heads},
        {"num_key_value_heads", MAX_HEADS, false, &out->kv_heads},
        {"head_dim", AIM_MAX_HEAD_DIM, false, &out->head_dim},
        {"vocab_size", MAX_VOCAB, true, &out->vocab},
        {"max_position_embeddings", MAX_POSITIONS, true, &out->max_positions},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        int64_t v = 0;
        int code = aim_json_int(config, fields[i].key, 1, fields[i].hi, fields[i].required, CONFIG,
                                &v, err);
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
                              CONFIG ": %d heads cannot share %d key-value heads evenly",
                              out->heads, out->kv_heads);
    if (out->head_dim == 0) {
        if (out->hidden % out->heads != 0)
            return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                                  CONFIG ": no \"head_dim\", and hidden_size %d is not a multiple "
                                         "of %d heads",
                                  out->hidden, out->heads);
        out->head_dim = out->hidden / out->heads;
    }
    if (out->head_dim % 2 != 0 || out->head_dim > AIM_MAX_HEAD_DIM)
        return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                              CONFIG ": head_dim %d must be even and at most %d", out->head_dim,
                              AIM_MAX_HEAD_DIM);
    if (out->heads * out->head_dim > MAX_WIDTH)
        return aim_fail_param(err, AIM_EFORMAT, "head_dim",
                              CONFIG ": %d heads of %d are wider than %d", out->heads,
                              out->head_dim, MAX_WIDTH);
    return AIM_OK;
}

/* One of the two spellings of rotary settings: "rope_scaling" and, in newer
 * files, "rope_parameters" (which holds rope_theta too). */
static int read_rope_object(const json_t *config, const char *key, double *theta, aim_error *err)
{
    static const struct neutral inside[] = {
        {"rope_type", ONLY_STRING, 0, "default"},
        {"type", ONLY_STRING, 0, "default"},
        {"partial_rotary_factor", ONLY_NUMBER, 1, NULL},
        {"factor", ONLY_NUMBER, 1, NULL},
    };
    const json_t *v = json_object_get(config, key);
    if (!v || json_is_null(v))
        return AIM_OK;
    /* Without a type the meaning of the rest is unknown. */
    if (!json_object_get(v, "rope_type") && !json_object_get(v, "type"))
        return not_implemented(CONFIG, key, v, err);
    int code = check_neutral(v, inside, sizeof inside / sizeof inside[0], CONFIG, err);
    return code ? code : aim_json_number(v, "rope_theta", 1, 1e12, false, CONFIG, theta, err);
}

static int read_rope(const json_t *config, aim_hf_config *out, aim_error *err)
{
    double theta = 0, newer = 0;
    int code = aim_json_number(config, "rope_theta", 1, 1e12, false, CONFIG, &theta, err);
    if (!code)
        code = read_rope_object(config, "rope_scaling", &newer, err);
    if (!code)
        code = read_rope_object(config, "rope_parameters", &newer, err);
    if (code)
        return code;
    if (theta != 0 && newer != 0 && theta != newer)
        return aim_fail_param(err, AIM_EFORMAT, "rope_theta",
                              CONFIG ": \"rope_theta\" is both %g and %g", theta, newer);
    out->rope.theta = newer != 0 ? newer : theta != 0 ? theta : 10000.0;
    out->rope.dim = out->head_dim;
    out->rope.attention_factor = 1;
    return AIM_OK;
}

/* A number or a list of numbers; absent or null leaves *out as it is. */
static int read_eos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err)
{
    const char *key = "eos_token_id";
    const json_t *v = json_object_get(obj, key);
    if (!v || json_is_null(v))
        return AIM_OK;
    size_t n = json_is_array(v) ? json_array_size(v) : 1;
    if (n > AIM_MAX_EOS)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: more than %d \"%s\"", what, AIM_MAX_EOS,
                              key);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_is_array(v) ? json_array_get(v, i) : v;
        json_int_t number = json_integer_value(id);
        if (!json_is_integer(id) || number < 0 || number >= out->vocab)
            return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be integers from 0 to %d",
                                  what, key, out->vocab - 1);
        out->eos[i] = (int32_t)number;
    }
    out->n_eos = (int)n;
    return AIM_OK;
}

static int read_bos(const json_t *obj, const char *what, aim_hf_config *out, aim_error *err)
{
    int64_t bos = out->bos;
    int code = aim_json_int(obj, "bos_token_id", 0, out->vocab - 1, false, what, &bos, err);
    out->bos = (int32_t)bos;
    return code;
}

static int read_config(const json_t *config, aim_hf_config *out, aim_error *err)
{
    if (!json_is_object(config))
        return aim_fail(err, AIM_EFORMAT, CONFIG ": not a JSON object");
    double eps = 1e-6;
    int code = read_architecture(config, out, err);
    if (!code)
        code = check_neutral(config, config_neutral,
                             sizeof config_neutral / sizeof config_neutral[0], CONFIG, err);
    if (!code)
        code = read_dimensions(config, out, err);
    if (!code)
        code = settle_heads(out, err);
    if (!code)
        code = aim_json_number(config, "rms_norm_eps", 1e-12, 1, false, CONFIG, &eps, err);
    out->rms_eps = (float)eps;
    if (!code)
        code = read_rope(config, out, err);
    if (!code)
        code =
            aim_json_bool(config, "tie_word_embeddings", false, CONFIG, &out->tied_embeddings, err);
    if (!code)
        code = read_bos(config, CONFIG, out, err);
    return code ? code : read_eos(config, CONFIG, out, err);
}

/* ---- generation_config.json ----------------------------------------------- */

static int read_generation(const json_t *generation, aim_hf_config *out, aim_error *err)
{
    if (!json_is_object(generation))
        return aim_fail(err, AIM_EFORMAT, GENERATION ": not a JSON object");
    bool sample = true;
    int64_t top_k = -1;
    int code =
        check_neutral(generation, generation_neutral,
                      sizeof generation_neutral / sizeof generation_neutral[0], GENERATION, err);
    if (!code)
        code = aim_json_bool(generation, "do_sample", false, GENERATION, &sample, err);
    if (!code)
        code = aim_json_number(generation, "temperature", 0, 100, false, GENERATION,
                               &out->default_temperature, err);
    if (!code)
        code =
            aim_json_number(generation, "top_p", 0, 1, false, GENERATION, &out->default_top_p, err);
    if (!code)
        code = aim_json_int(generation, "top_k", 0, INT_MAX, false, GENERATION, &top_k, err);
    out->default_top_k = (int)top_k;
    if (!sample)
        out->default_temperature = 0;
    if (!code)
        code = read_bos(generation, GENERATION, out, err);
    return code ? code : read_eos(generation, GENERATION, out, err);
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
        .bos = -1, .default_temperature = -1, .default_top_p = -1, .default_top_k = -1};
    int code = parse_with(config, config_len, CONFIG, read_config, out, err);
    if (!code && generation)
        code = parse_with(generation, generation_len, GENERATION, read_generation, out, err);
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
    *code = (int)cause.code;
    if (cause.code)
        aim_fail(err, cause.code, "%s", cause.text);
    return text;
}

int aim_hf_config_load(const char *dir, aim_hf_config *out, aim_error *err)
{
    int code;
    size_t config_len = 0, generation_len = 0;
    char *config = read_in(dir, CONFIG, &config_len, &code, err);
    if (!config)
        return code;
    aim_error cause = {0};
    char *generation = read_in(dir, GENERATION, &generation_len, &code, &cause);
    if (generation || code == AIM_ENOTFOUND)
        code = aim_hf_config_parse(config, config_len, generation, generation_len, out, err);
    else
        aim_fail(err, cause.code, "%s", cause.text);
    aim_free(generation);
    aim_free(config);
    return code;
}
