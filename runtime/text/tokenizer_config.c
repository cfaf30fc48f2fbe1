/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_config.c - what tokenizer_config.json adds: the names of the
 * special tokens, whether they are put around a text, the chat template. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <string.h>

#define CONFIG AIM__TOKENIZER_CONFIG

static int keep(const char *text, char **out, aim_error *err)
{
    *out = aim_strdup(text);
    return *out ? AIM_OK : aim_fail_nomem(err, CONFIG);
}

/* A special token is a string or {"content": string, ...}. */
static int read_token(const json_t *config, const char *key, char **out, aim_error *err)
{
    const json_t *v = json_object_get(config, key);
    const char *text = NULL;
    int code = AIM_OK;
    if (json_is_object(v))
        code = aim_json_string(v, "content", true, CONFIG, &text, err);
    else
        code = aim_json_string(config, key, false, CONFIG, &text, err);
    return code || !text ? code : keep(text, out, err);
}

/* The template called "default" of a list of {name, template}. */
static int read_template_list(aim_tokenizer *t, const json_t *list, aim_error *err)
{
    int code = AIM_OK;
    for (size_t i = 0; i < json_array_size(list) && !code && !t->chat_template; i++) {
        const json_t *row = json_array_get(list, i);
        const char *name, *text;
        code = aim_json_string(row, "name", true, CONFIG ": chat_template", &name, err);
        if (!code)
            code = aim_json_string(row, "template", true, CONFIG ": chat_template", &text, err);
        if (!code && strcmp(name, "default") == 0)
            code = keep(text, &t->chat_template, err);
    }
    return code;
}

static int read_template(aim_tokenizer *t, const json_t *config, aim_error *err)
{
    const json_t *v = json_object_get(config, "chat_template");
    const char *text = NULL;
    if (json_is_array(v))
        return read_template_list(t, v, err);
    int code = aim_json_string(config, "chat_template", false, CONFIG, &text, err);
    return code || !text ? code : keep(text, &t->chat_template, err);
}

/* The field key says whether to put a token at one end of the text; true does
 * so unless it stands there already, false takes nothing away from what the
 * post-processor says. */
static int read_add(aim_tokenizer *t, const json_t *config, const char *key, const char *token,
                    aim_ids *ids, bool first, aim_error *err)
{
    bool add = false;
    int code = aim_json_bool(config, key, false, CONFIG, &add, err);
    int32_t id = token ? aim_tokenizer_find(t, token) : -1;
    if (code || !add)
        return code;
    if (id < 0)
        return aim_fail_param(err, AIM_EFORMAT, key,
                              CONFIG ": \"%s\" is true, but \"%s\" is not a token", key,
                              first ? "bos_token" : "eos_token");
    if (ids->n > 0 && ids->v[first ? 0 : ids->n - 1] == id)
        return AIM_OK;
    if (!aim_ids_push(ids, id))
        return aim_fail_nomem(err, CONFIG);
    if (first) {
        memmove(ids->v + 1, ids->v, (ids->n - 1) * sizeof *ids->v);
        ids->v[0] = id;
    }
    return AIM_OK;
}

static int read_fields(aim_tokenizer *t, const json_t *config, aim_error *err)
{
    if (!json_is_object(config))
        return aim_fail(err, AIM_EFORMAT, CONFIG ": must be an object");
    int code = read_token(config, "bos_token", &t->bos, err);
    if (!code)
        code = read_token(config, "eos_token", &t->eos, err);
    if (!code)
        code = read_token(config, "pad_token", &t->pad, err);
    if (!code)
        code = read_template(t, config, err);
    if (code)
        return code;
    t->bos_id = t->bos ? aim_tokenizer_find(t, t->bos) : -1;
    code = read_add(t, config, "add_bos_token", t->bos, &t->before, true, err);
    return code ? code : read_add(t, config, "add_eos_token", t->eos, &t->after, false, err);
}

int aim__read_config(aim_tokenizer *t, const char *config, size_t len, aim_error *err)
{
    /* "model_max_length" is 10^30 in files whose tokenizer knows no limit. */
    json_t *doc = aim_json_parse_as_reals(config, len, CONFIG, err);
    if (!doc)
        return err && err->code ? (int)err->code : AIM_EFORMAT;
    int code = read_fields(t, doc, err);
    json_decref(doc);
    return code;
}
