/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_pretokenizer.c - the pre_tokenizer of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <string.h>

#define PRE_TOKENIZER AIM__TOKENIZER_JSON ": pre_tokenizer"

/* A word of the file and what it stands for. */
struct choice {
    const char *name;
    int value;
};

/* The field key, one of the choices, which end with a row of NULL; *out stays
 * as it is if there is none and it is not required. */
static int read_choice(const json_t *obj, const char *key, const struct choice *choices,
                       bool required, const char *where, int *out, aim_error *err)
{
    const char *name = NULL;
    int code = aim_json_string(obj, key, required, where, &name, err);
    if (code || !name)
        return code;
    while (choices->name && strcmp(choices->name, name) != 0)
        choices++;
    if (!choices->name)
        return aim__refuse(json_object_get(obj, key), where, key, err);
    *out = choices->value;
    return AIM_OK;
}

/* A new step; NULL (AIM_ETOOLARGE) where there is no room for more. */
static struct aim__step *add_step(struct aim__pretokenizer *p, const char *where, aim_error *err)
{
    if (p->n < AIM__MAX_STEPS)
        return &p->step[p->n++];
    aim_fail_param(err, AIM_ETOOLARGE, "pre_tokenizer", "%s: at most %d steps are allowed", where,
                   AIM__MAX_STEPS);
    return NULL;
}

static int add_scan(struct aim__pretokenizer *p, aim__scan_fn *scan, bool drop_space,
                    const char *where, aim_error *err)
{
    struct aim__step *step = add_step(p, where, err);
    if (!step)
        return AIM_ETOOLARGE;
    *step = (struct aim__step){.kind = AIM__STEP_SCAN, .drop_space = drop_space, .scan = scan};
    return AIM_OK;
}

/* Cut at every occurrence of text. */
static int add_split_at(struct aim__pretokenizer *p, const char *text,
                        enum aim__split_behavior behavior, bool invert, const char *where,
                        aim_error *err)
{
    struct aim__step *step = add_step(p, where, err);
    if (!step)
        return AIM_ETOOLARGE;
    *step = (struct aim__step){
        .kind = AIM__STEP_SPLIT,
        .split = {.text = aim_strdup(text), .behavior = behavior, .invert = invert}};
    return step->split.text ? AIM_OK : aim_fail_nomem(err, where);
}

/* ---- the steps --------------------------------------------------------------- */

typedef int reader_fn(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                      aim_error *err);

static int read_byte_level(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                           aim_error *err)
{
    bool use_regex = true, prefix_space = true;
    int code = aim_json_bool(obj, "use_regex", false, where, &use_regex, err);
    if (!code)
        code = aim_json_bool(obj, "add_prefix_space", true, where, &prefix_space, err);
    if (code)
        return code;
    p->byte_level = true;
    if (prefix_space) {
        struct aim__step *step = add_step(p, where, err);
        if (!step)
            return AIM_ETOOLARGE;
        step->kind = AIM__STEP_PREFIX_SPACE;
    }
    return use_regex ? add_scan(p, aim__scan_gpt2, false, where, err) : AIM_OK;
}

static int read_digits(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                       aim_error *err)
{
    bool individual = false;
    int code = aim_json_bool(obj, "individual_digits", true, where, &individual, err);
    if (code)
        return code;
    return add_scan(p, individual ? aim__scan_digits : aim__scan_numbers, false, where, err);
}

static int read_whitespace(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                           aim_error *err)
{
    (void)obj;
    return add_scan(p, aim__scan_words, true, where, err);
}

static int read_whitespace_split(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                                 aim_error *err)
{
    (void)obj;
    return add_scan(p, aim__scan_white_space, true, where, err);
}

/* The published patterns match all of a text, so that nothing is lost where
 * what lies between matches is removed, and scanners can do both. */
static int add_pattern(struct aim__pretokenizer *p, const char *regex, struct aim__split split,
                       const char *where, aim_error *err)
{
    bool keeps_matches =
        split.behavior == AIM__ISOLATED || (split.behavior == AIM__REMOVED && split.invert);
    aim__scan_fn *scan = aim__scan_for(regex);
    if (scan && keeps_matches)
        return add_scan(p, scan, false, where, err);
    struct aim__step *step = add_step(p, where, err);
    if (!step)
        return AIM_ETOOLARGE;
    *step = (struct aim__step){.kind = AIM__STEP_SPLIT, .split = split};
    return aim__pattern_compile(regex, where, &step->split.pattern, err);
}

static int read_split(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                      aim_error *err)
{
    static const struct choice behaviors[] = {
        {"Isolated", AIM__ISOLATED},
        {"Removed", AIM__REMOVED},
        {"MergedWithPrevious", AIM__MERGED_WITH_PREVIOUS},
        {"MergedWithNext", AIM__MERGED_WITH_NEXT},
        {"Contiguous", AIM__CONTIGUOUS},
        {NULL, 0},
    };
    const char *regex, *text;
    int behavior = AIM__ISOLATED;
    bool invert = false;
    int code = read_choice(obj, "behavior", behaviors, true, where, &behavior, err);
    if (!code)
        code = aim_json_bool(obj, "invert", false, where, &invert, err);
    if (!code)
        code = aim__read_pattern(obj, where, &text, &regex, err);
    if (code)
        return code;
    struct aim__split split = {.behavior = (enum aim__split_behavior)behavior, .invert = invert};
    if (regex)
        return add_pattern(p, regex, split, where, err);
    return add_split_at(p, text, split.behavior, invert, where, err);
}

/* prepend_scheme, or add_prefix_space as older files have it: false stands for
 * "never", true says nothing. */
static int read_prepend(const json_t *obj, const char *where, enum aim__prepend_scheme *out,
                        aim_error *err)
{
    static const struct choice schemes[] = {{"always", AIM__PREPEND_ALWAYS},
                                            {"first", AIM__PREPEND_FIRST},
                                            {"never", AIM__PREPEND_NEVER},
                                            {NULL, 0}};
    bool prefix = true;
    int code = aim_json_bool(obj, "add_prefix_space", false, where, &prefix, err), scheme;
    if (code)
        return code;
    scheme = prefix ? AIM__PREPEND_ALWAYS : AIM__PREPEND_NEVER;
    code = read_choice(obj, "prepend_scheme", schemes, false, where, &scheme, err);
    if (!code && !prefix && scheme != AIM__PREPEND_NEVER)
        return aim_fail_param(err, AIM_EFORMAT, "add_prefix_space",
                              "%s: \"add_prefix_space\" is false, but \"prepend_scheme\" is not "
                              "\"never\"",
                              where);
    *out = (enum aim__prepend_scheme)scheme;
    return code;
}

int aim__read_metaspace(const json_t *obj, const char *where, struct aim__metaspace *m, bool *split,
                        aim_error *err)
{
    *split = true;
    int code = aim__read_character(obj, "replacement", where, m->replacement, err);
    if (!code)
        code = read_prepend(obj, where, &m->prepend, err);
    return code ? code : aim_json_bool(obj, "split", false, where, split, err);
}

static int read_metaspace(struct aim__pretokenizer *p, const json_t *obj, const char *where,
                          aim_error *err)
{
    struct aim__metaspace m;
    bool split;
    int code = aim__read_metaspace(obj, where, &m, &split, err);
    if (code)
        return code;
    struct aim__step *step = add_step(p, where, err);
    if (!step)
        return AIM_ETOOLARGE;
    *step = (struct aim__step){.kind = AIM__STEP_METASPACE, .metaspace = m};
    return split ? add_split_at(p, m.replacement, AIM__MERGED_WITH_NEXT, false, where, err)
                 : AIM_OK;
}

/* ---- all of them --------------------------------------------------------------- */

static int read_step(void *arg, const json_t *obj, const char *type, const char *where,
                     aim_error *err)
{
    static const struct {
        const char *type;
        reader_fn *read;
    } known[] = {
        {"ByteLevel", read_byte_level},  {"Split", read_split},
        {"Digits", read_digits},         {"Metaspace", read_metaspace},
        {"Whitespace", read_whitespace}, {"WhitespaceSplit", read_whitespace_split},
    };
    struct aim__pretokenizer *p = arg;
    if (p->byte_level)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "type",
                              "%s: \"type\" is \"%s\" after ByteLevel, which is not supported",
                              where, type);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].type, type) == 0)
            return known[i].read(p, obj, where, err);
    return aim__refuse(json_object_get(obj, "type"), where, "type", err);
}

int aim__read_pretokenizer(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "pre_tokenizer");
    if (!obj || json_is_null(obj))
        return AIM_OK;
    return aim__read_steps(obj, "pretokenizers", PRE_TOKENIZER, read_step, &t->pretokenizer, err);
}
