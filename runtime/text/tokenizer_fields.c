/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_fields.c - fields of tokenizer.json that several parts have, and
 * refusing those that are not supported. */
#include "text/tokenizer_internal.h"

#include "text/utf8.h"

#include <string.h>

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

int aim__read_pattern(const json_t *obj, const char *where, const char **text, const char **regex,
                      aim_error *err)
{
    const json_t *pattern = json_object_get(obj, "pattern");
    *text = *regex = NULL;
    int code = aim_json_string(pattern, "String", false, where, text, err);
    if (!code && !*text)
        code = aim_json_string(pattern, "Regex", true, where, regex, err);
    if (!code && !*(*text ? *text : *regex))
        code = aim__refuse(pattern, where, "pattern", err);
    return code;
}

int aim__read_character(const json_t *obj, const char *key, const char *where, char out[5],
                        aim_error *err)
{
    const char *text;
    int code = aim_json_string(obj, key, true, where, &text, err);
    if (code)
        return code;
    size_t n = strlen(text);
    if (n == 0 || n != aim_utf8_length((unsigned char)text[0]))
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be one character", where,
                              key);
    memcpy(out, text, n + 1);
    return AIM_OK;
}
