/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_fields.c - fields of tokenizer.json that several parts have, and
 * refusing those that are not supported. */
#include "text/tokenizer_internal.h"

#include "text/utf8.h"

#include <stdio.h>
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

/* ---- steps ----------------------------------------------------------------- */

enum { MAX_NESTED = 4 }; /* Sequences in one another */

struct walk {
    const char *key;
    aim__step_fn *fn;
    void *arg;
};

/* A step, or a Sequence within depth others. Recursion ends at MAX_NESTED. */
static int walk_steps(const struct walk *w, const json_t *obj, const char *where, int depth,
                      aim_error *err)
{
    const char *type;
    int code = aim__read_type(obj, where, &type, err);
    if (code || strcmp(type, "Sequence") != 0)
        return code ? code : w->fn(w->arg, obj, type, where, err);
    const json_t *list = json_object_get(obj, w->key);
    if (!json_is_array(list))
        return aim_fail_param(err, AIM_EFORMAT, w->key, "%s: \"%s\" must be an array", where,
                              w->key);
    if (depth == MAX_NESTED)
        return aim_fail_param(err, AIM_ETOOLARGE, w->key,
                              "%s: a Sequence within %d others is not supported", where,
                              MAX_NESTED);
    for (size_t i = 0; i < json_array_size(list) && !code; i++) {
        char inner[256];
        snprintf(inner, sizeof inner, "%s.%s[%zu]", where, w->key, i);
        code = walk_steps(w, json_array_get(list, i), inner, depth + 1, err);
    }
    return code;
}

int aim__read_steps(const json_t *obj, const char *key, const char *where, aim__step_fn *fn,
                    void *arg, aim_error *err)
{
    struct walk w = {key, fn, arg};
    return walk_steps(&w, obj, where, 0, err);
}

/* ---- fields ---------------------------------------------------------------- */

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
