/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_steps.c - normalizer and decoder of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include <string.h>

#define NORMALIZER AIM__TOKENIZER_JSON ": normalizer"
#define DECODER AIM__TOKENIZER_JSON ": decoder"

int aim__refuse(const json_t *value, const char *where, const char *key, aim_error *err)
{
    char shown[96] = "";
    size_t n = json_dumpb(value, shown, sizeof shown - 1, JSON_ENCODE_ANY | JSON_COMPACT);
    return aim_fail_param(err, AIM_EUNSUPPORTED, key, "%s: \"%s\" is %s%s, which is not supported",
                          where, key, shown, n > sizeof shown - 1 ? "..." : "");
}

int aim__refuse_if_set(const json_t *obj, const char *key, const char *where, aim_error *err)
{
    const json_t *v = json_object_get(obj, key);
    if (!v || json_is_null(v) || json_is_false(v) || (json_is_string(v) && !json_string_length(v)))
        return AIM_OK;
    return aim__refuse(v, where, key, err);
}

int aim__read_type(const json_t *obj, const char *where, const char **type, aim_error *err)
{
    if (!json_is_object(obj))
        return aim_fail_param(err, AIM_EFORMAT, "type", "%s: must be an object", where);
    return aim_json_string(obj, "type", true, where, type, err);
}

static bool is_absent(const json_t *v)
{
    return !v || json_is_null(v);
}

int aim__read_normalizer(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "normalizer");
    const char *type;
    if (is_absent(obj))
        return AIM_OK;
    int code = aim__read_type(obj, NORMALIZER, &type, err);
    if (code)
        return code;
    t->nfc = strcmp(type, "NFC") == 0;
    return t->nfc ? AIM_OK : aim__refuse(json_object_get(obj, "type"), NORMALIZER, "type", err);
}

int aim__read_decoder(const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "decoder");
    const char *type;
    if (is_absent(obj))
        return AIM_OK;
    int code = aim__read_type(obj, DECODER, &type, err);
    if (!code && strcmp(type, "ByteLevel") != 0)
        code = aim__refuse(json_object_get(obj, "type"), DECODER, "type", err);
    return code;
}
