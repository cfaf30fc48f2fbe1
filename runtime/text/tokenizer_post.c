/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_post.c - the post_processor of tokenizer.json: the special tokens
 * that stand before and after a text. */
#include "text/tokenizer_internal.h"

#include <string.h>

#define POST_PROCESSOR AIM__TOKENIZER_JSON ": post_processor"
#define SINGLE POST_PROCESSOR ": single"

enum { MAX_TEMPLATE = 64, MAX_PROCESSORS = 8 };

/* Append the ids that the template's special token stands for. */
static int add_special(aim_tokenizer *t, const json_t *obj, const char *name, aim_ids *out,
                       aim_error *err)
{
    const json_t *known = json_object_get(json_object_get(obj, "special_tokens"), name);
    const json_t *ids = json_object_get(known, "ids");
    size_t n = json_array_size(ids);
    if (n == 0 || n > MAX_TEMPLATE)
        return aim_fail_param(err, AIM_EFORMAT, "special_tokens",
                              POST_PROCESSOR ": \"special_tokens\" has no ids for \"%.64s\"", name);
    for (size_t i = 0; i < n; i++) {
        const json_t *id = json_array_get(ids, i);
        json_int_t value = json_is_integer(id) ? json_integer_value(id) : -1;
        if (value < 0 || value >= t->vocab.size || !(t->vocab.v[value].flags & AIM__TOKEN_PRESENT))
            return aim_fail_param(err, AIM_EFORMAT, "special_tokens",
                                  POST_PROCESSOR ": an id of \"%.64s\" is not in the vocabulary",
                                  name);
        if (!aim_ids_push(out, (int32_t)value))
            return aim_fail_nomem(err, POST_PROCESSOR);
    }
    return AIM_OK;
}

/* A piece is {"SpecialToken": {"id": name}} or {"Sequence": {"id": "A"}}. */
static int read_piece(aim_tokenizer *t, const json_t *obj, const json_t *piece, bool *in_text,
                      aim_error *err)
{
    const char *name;
    const json_t *special = json_object_get(piece, "SpecialToken");
    const json_t *text = json_object_get(piece, "Sequence");
    if (!special == !text)
        return aim_fail_param(err, AIM_EFORMAT, "single",
                              SINGLE ": each piece must be a SpecialToken or a Sequence");
    int code = aim_json_string(special ? special : text, "id", true, SINGLE, &name, err);
    if (code)
        return code;
    if (special)
        return add_special(t, obj, name, *in_text ? &t->after : &t->before, err);
    if (strcmp(name, "A") != 0 || *in_text)
        return aim_fail_param(err, AIM_EFORMAT, "single", SINGLE ": must hold sequence A once");
    *in_text = true;
    return AIM_OK;
}

static int read_template(aim_tokenizer *t, const json_t *obj, aim_error *err)
{
    const json_t *single = json_object_get(obj, "single");
    size_t n = json_array_size(single);
    bool in_text = false;
    int code = AIM_OK;
    if (t->before.n + t->after.n > 0)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "processors",
                              POST_PROCESSOR ": more than one TemplateProcessing is not supported");
    if (n > MAX_TEMPLATE)
        return aim_fail_param(err, AIM_ETOOLARGE, "single",
                              SINGLE ": has %zu pieces, at most %d are allowed", n, MAX_TEMPLATE);
    for (size_t i = 0; i < n && !code; i++)
        code = read_piece(t, obj, json_array_get(single, i), &in_text, err);
    if (!code && !in_text)
        code = aim_fail_param(err, AIM_EFORMAT, "single", SINGLE ": must hold sequence A once");
    return code;
}

/* ByteLevel only trims offsets, which nobody here asks for. */
static int read_processor(aim_tokenizer *t, const json_t *obj, aim_error *err)
{
    const char *type;
    int code = aim__read_type(obj, POST_PROCESSOR, &type, err);
    if (code || strcmp(type, "ByteLevel") == 0)
        return code;
    if (strcmp(type, "TemplateProcessing") == 0)
        return read_template(t, obj, err);
    return aim__refuse(json_object_get(obj, "type"), POST_PROCESSOR, "type", err);
}

int aim__read_post_processor(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "post_processor");
    const char *type;
    if (!obj || json_is_null(obj))
        return AIM_OK;
    int code = aim__read_type(obj, POST_PROCESSOR, &type, err);
    if (code || strcmp(type, "Sequence") != 0)
        return code ? code : read_processor(t, obj, err);
    const json_t *list = json_object_get(obj, "processors");
    if (!json_is_array(list) || json_array_size(list) > MAX_PROCESSORS)
        return aim_fail_param(err, AIM_EFORMAT, "processors",
                              POST_PROCESSOR ": \"processors\" must be an array of at most %d",
                              MAX_PROCESSORS);
    for (size_t i = 0; i < json_array_size(list) && !code; i++)
        code = read_processor(t, json_array_get(list, i), err);
    return code;
}
