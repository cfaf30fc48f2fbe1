/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_normalizer.c - the normalizer of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <string.h>

#define NORMALIZER AIM__TOKENIZER_JSON ": normalizer"

static int keep(const char *text, char **out, const char *where, aim_error *err)
{
    *out = aim_strdup(text);
    return *out ? AIM_OK : aim_fail_nomem(err, where);
}

static int read_prepend(struct aim__normalizer_step *s, const json_t *obj, const char *where,
                        aim_error *err)
{
    const char *text;
    s->kind = AIM__PREPEND;
    int code = aim_json_string(obj, "prepend", true, where, &text, err);
    return code ? code : keep(text, &s->content, where, err);
}

static int read_replace(struct aim__normalizer_step *s, const json_t *obj, const char *where,
                        aim_error *err)
{
    const char *text, *regex, *content;
    s->kind = AIM__REPLACE;
    int code = aim__read_pattern(obj, where, &text, &regex, err);
    if (!code)
        code = aim_json_string(obj, "content", true, where, &content, err);
    if (!code)
        code = keep(content, &s->content, where, err);
    if (!code && regex)
        code = aim__pattern_compile(regex, where, &s->pattern, err);
    else if (!code)
        code = keep(text, &s->wanted, where, err);
    return code;
}

static int read_strip(struct aim__normalizer_step *s, const json_t *obj, const char *where,
                      aim_error *err)
{
    s->kind = AIM__STRIP;
    int code = aim_json_bool(obj, "strip_left", true, where, &s->left, err);
    return code ? code : aim_json_bool(obj, "strip_right", true, where, &s->right, err);
}

/* One of Unicode's forms? */
static bool read_form(struct aim__normalizer_step *s, const char *type)
{
    static const struct {
        const char *type;
        enum aim__normal_form form;
    } forms[] = {{"NFC", AIM__NFC}, {"NFD", AIM__NFD}, {"NFKC", AIM__NFKC}, {"NFKD", AIM__NFKD}};
    s->kind = AIM__NORMAL_FORM;
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        s->form = forms[i].form;
        if (strcmp(forms[i].type, type) == 0)
            return true;
    }
    return false;
}

static int read_step(void *arg, const json_t *obj, const char *type, const char *where,
                     aim_error *err)
{
    struct aim__normalizer *n = arg;
    if (n->n == AIM__MAX_NORMALIZERS)
        return aim_fail_param(err, AIM_ETOOLARGE, "normalizer", "%s: at most %d steps are allowed",
                              where, AIM__MAX_NORMALIZERS);
    struct aim__normalizer_step *s = &n->step[n->n++];
    if (read_form(s, type))
        return AIM_OK;
    if (strcmp(type, "Prepend") == 0)
        return read_prepend(s, obj, where, err);
    if (strcmp(type, "Replace") == 0)
        return read_replace(s, obj, where, err);
    if (strcmp(type, "Strip") == 0)
        return read_strip(s, obj, where, err);
    return aim__refuse(json_object_get(obj, "type"), where, "type", err);
}

int aim__read_normalizer(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "normalizer");
    if (!obj || json_is_null(obj))
        return AIM_OK;
    return aim__read_steps(obj, "normalizers", NORMALIZER, read_step, &t->normalizer, err);
}
