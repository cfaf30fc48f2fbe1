/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer_decoder.c - the decoder of tokenizer.json. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

#define DECODER AIM__TOKENIZER_JSON ": decoder"

/* How far along the list of decoders is. */
enum stage {
    START,
    EACH,     /* something was done to each token alone */
    BYTES,    /* some tokens are bytes */
    FUSED,    /* all tokens are joined */
    STRIPPED, /* and the start of them is cut off */
};

struct reader {
    struct aim__decoder *d;
    enum stage stage;
};

typedef int reader_fn(struct reader *r, const json_t *obj, const char *where, aim_error *err);

/* A new step; NULL (AIM_ETOOLARGE) where there is no room for more. */
static struct aim__decoder_step *add_step(struct reader *r, const char *where, aim_error *err)
{
    if (r->d->n < AIM__MAX_DECODERS)
        return &r->d->step[r->d->n++];
    aim_fail_param(err, AIM_ETOOLARGE, "decoder", "%s: at most %d steps are allowed", where,
                   AIM__MAX_DECODERS);
    return NULL;
}

static int add_replace(struct reader *r, const char *wanted, const char *content,
                       bool lost_in_first, const char *where, aim_error *err)
{
    struct aim__decoder_step *s = add_step(r, where, err);
    if (!s)
        return AIM_ETOOLARGE;
    s->lost_in_first = lost_in_first;
    s->wanted = aim_strdup(wanted);
    s->content = aim_strdup(content);
    return s->wanted && s->content ? AIM_OK : aim_fail_nomem(err, where);
}

static int read_replace(struct reader *r, const json_t *obj, const char *where, aim_error *err)
{
    const char *text, *regex, *content;
    int code = aim__read_pattern(obj, where, &text, &regex, err);
    if (!code && regex)
        code = aim__refuse(json_object_get(obj, "pattern"), where, "pattern", err);
    if (!code)
        code = aim_json_string(obj, "content", true, where, &content, err);
    return code ? code : add_replace(r, text, content, false, where, err);
}

static int read_metaspace(struct reader *r, const json_t *obj, const char *where, aim_error *err)
{
    struct aim__metaspace m;
    bool split;
    int code = aim__read_metaspace(obj, where, &m, &split, err);
    if (code)
        return code;
    return add_replace(r, m.replacement, " ", m.prepend != AIM__PREPEND_NEVER, where, err);
}

static int read_strip(const json_t *obj, const char *where, struct aim__decoder_step *s,
                      aim_error *err)
{
    int64_t start = 0, stop = 0;
    int code = aim__read_character(obj, "content", where, s->character, err);
    if (!code)
        code = aim_json_int(obj, "start", 0, UINT32_MAX, true, where, &start, err);
    if (!code)
        code = aim_json_int(obj, "stop", 0, UINT32_MAX, true, where, &stop, err);
    s->start = (uint32_t)start;
    s->stop = (uint32_t)stop;
    return code;
}

static int read_strip_each(struct reader *r, const json_t *obj, const char *where, aim_error *err)
{
    struct aim__decoder_step *s = add_step(r, where, err);
    return s ? read_strip(obj, where, s, err) : AIM_ETOOLARGE;
}

/* The end of the whole text would have to be waited for. */
static int read_strip_text(struct reader *r, const json_t *obj, const char *where, aim_error *err)
{
    int code = read_strip(obj, where, &r->d->of_text, err);
    if (!code && r->d->of_text.stop > 0)
        code = aim__refuse(json_object_get(obj, "stop"), where, "stop", err);
    return code;
}

static const struct {
    const char *type;
    unsigned after; /* the stages in which it may stand */
    enum stage next;
    reader_fn *read; /* NULL if the type says all */
} known[] = {
    {"ByteLevel", 1 << START, FUSED, NULL},
    {"Metaspace", 1 << START | 1 << EACH, EACH, read_metaspace},
    {"Replace", 1 << START | 1 << EACH, EACH, read_replace},
    {"Strip", 1 << START | 1 << EACH, EACH, read_strip_each},
    {"ByteFallback", 1 << START | 1 << EACH, BYTES, NULL},
    {"Fuse", 1 << START | 1 << EACH | 1 << BYTES | 1 << FUSED, FUSED, NULL},
    {"Strip", 1 << FUSED, STRIPPED, read_strip_text},
};

static int read_step(struct reader *r, const json_t *obj, const char *where, aim_error *err)
{
    const char *type;
    bool misplaced = false;
    int code = aim__read_type(obj, where, &type, err);
    for (size_t i = 0; i < sizeof known / sizeof *known && !code; i++) {
        bool same = strcmp(known[i].type, type) == 0;
        misplaced |= same;
        if (!same || !(known[i].after & 1u << r->stage))
            continue;
        r->stage = known[i].next;
        r->d->byte_level |= strcmp(type, "ByteLevel") == 0;
        r->d->byte_fallback |= strcmp(type, "ByteFallback") == 0;
        return known[i].read ? known[i].read(r, obj, where, err) : AIM_OK;
    }
    if (!code && misplaced)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "type",
                              "%s: \"type\" is \"%s\" in a place where that is not supported",
                              where, type);
    return code ? code : aim__refuse(json_object_get(obj, "type"), where, "type", err);
}

static int read_list(struct reader *r, const json_t *list, aim_error *err)
{
    int code = AIM_OK;
    if (!json_is_array(list))
        return aim_fail_param(err, AIM_EFORMAT, "decoders",
                              DECODER ": \"decoders\" must be an array");
    for (size_t i = 0; i < json_array_size(list) && !code; i++) {
        char where[80];
        snprintf(where, sizeof where, DECODER ".decoders[%zu]", i);
        code = read_step(r, json_array_get(list, i), where, err);
    }
    return code;
}

int aim__read_decoder(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    const json_t *obj = json_object_get(root, "decoder");
    struct reader r = {.d = &t->decoder};
    const char *type;
    if (!obj || json_is_null(obj)) {
        /* Without a decoder the reference puts spaces between the tokens as the
         * file writes them. For bytes nobody wants that. */
        t->decoder.byte_level = t->pretokenizer.byte_level;
        t->decoder.spaced = !t->pretokenizer.byte_level;
        return AIM_OK;
    }
    int code = aim__read_type(obj, DECODER, &type, err);
    if (!code && strcmp(type, "Sequence") == 0)
        code = read_list(&r, json_object_get(obj, "decoders"), err);
    else if (!code)
        code = read_step(&r, obj, DECODER, err);
    if (!code && t->pretokenizer.byte_level && !t->decoder.byte_level)
        code = aim_fail_param(err, AIM_EUNSUPPORTED, "decoder",
                              DECODER ": another than ByteLevel is not supported where the "
                                      "pre_tokenizer is ByteLevel");
    return code;
}
