/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_pretokenizer.c - the pre_tokenizer of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include <stdio.h>
#include <string.h>

#define PRE_TOKENIZER AIM__TOKENIZER_JSON ": pre_tokenizer"

/* Reading a list of steps: byte_level ends it, and must come. */
struct steps {
    struct aim__pretokenizer *p;
    bool byte_level;
};

/* The caller has made sure there is room. */
static struct aim__step *add_step(struct steps *s)
{
    return &s->p->step[s->p->n++];
}

static int read_byte_level(struct steps *s, const json_t *obj, const char *where, aim_error *err)
{
    bool use_regex = true, prefix_space = true;
    int code = aim_json_bool(obj, "use_regex", false, where, &use_regex, err);
    if (!code)
        code = aim_json_bool(obj, "add_prefix_space", true, where, &prefix_space, err);
    if (code)
        return code;
    s->byte_level = true;
    if (prefix_space)
        add_step(s)->prefix_space = true;
    if (use_regex)
        add_step(s)->scan = aim__scan_gpt2;
    return AIM_OK;
}

static int read_split(struct steps *s, const json_t *obj, const char *where, aim_error *err)
{
    const char *behavior, *regex = NULL;
    const json_t *pattern = json_object_get(obj, "pattern");
    int code = aim_json_string(obj, "behavior", true, where, &behavior, err);
    if (!code && strcmp(behavior, "Isolated") != 0)
        code = aim__refuse(json_object_get(obj, "behavior"), where, "behavior", err);
    if (!code)
        code = aim__refuse_if_set(obj, "invert", where, err);
    if (!code && json_object_get(pattern, "String"))
        code = aim__refuse(pattern, where, "pattern", err);
    if (!code)
        code = aim_json_string(pattern, "Regex", true, where, &regex, err);
    if (code)
        return code;
    struct aim__step *step = add_step(s);
    step->scan = aim__scan_for(regex);
    if (!step->scan)
        step->pattern = aim__pattern_compile(regex, where, err);
    if (step->scan || step->pattern)
        return AIM_OK;
    return err && err->code ? (int)err->code : AIM_EFORMAT;
}

/* One step that is no Sequence. */
static int read_step(struct steps *s, const json_t *obj, const char *where, aim_error *err)
{
    const char *type;
    int code = aim__read_type(obj, where, &type, err);
    if (code)
        return code;
    if (s->byte_level)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "type",
                              "%s: \"type\" is \"%s\" after ByteLevel, which is not supported",
                              where, type);
    if (strcmp(type, "ByteLevel") == 0)
        return read_byte_level(s, obj, where, err);
    if (strcmp(type, "Split") == 0)
        return read_split(s, obj, where, err);
    return aim__refuse(json_object_get(obj, "type"), where, "type", err);
}

static int read_steps(struct steps *s, const json_t *list, aim_error *err)
{
    size_t n = json_array_size(list);
    int code = AIM_OK;
    if (!json_is_array(list))
        return aim_fail_param(err, AIM_EFORMAT, "pretokenizers",
                              PRE_TOKENIZER ": \"pretokenizers\" must be an array");
    /* ByteLevel makes up to two steps. */
    if (n > AIM__MAX_STEPS - 1)
        return aim_fail_param(err, AIM_ETOOLARGE, "pretokenizers",
                              PRE_TOKENIZER ": \"pretokenizers\" has %zu entries, at most %d are "
                                            "allowed",
                              n, AIM__MAX_STEPS - 1);
    for (size_t i = 0; i < n && !code; i++) {
        char where[80];
        snprintf(where, sizeof where, PRE_TOKENIZER ".pretokenizers[%zu]", i);
        code = read_step(s, json_array_get(list, i), where, err);
    }
    return code;
}

int aim__read_pretokenizer(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "pre_tokenizer");
    struct steps s = {.p = &t->pretokenizer};
    const char *type;
    if (!obj || json_is_null(obj))
        return aim_fail_param(err, AIM_EUNSUPPORTED, "pre_tokenizer",
                              PRE_TOKENIZER ": is null, which is not supported");
    int code = aim__read_type(obj, PRE_TOKENIZER, &type, err);
    if (code)
        return code;
    if (strcmp(type, "Sequence") == 0)
        code = read_steps(&s, json_object_get(obj, "pretokenizers"), err);
    else
        code = read_step(&s, obj, PRE_TOKENIZER, err);
    if (!code && !s.byte_level)
        code = aim_fail_param(err, AIM_EUNSUPPORTED, "pre_tokenizer",
                              PRE_TOKENIZER ": without ByteLevel at its end is not supported");
    t->pretokenizer.byte_level = s.byte_level;
    return code;
}
