/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - text to ids: added tokens are found, what lies between them is
 * normalised and cut into words, each word becomes tokens. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "text/utf8.h"

/* What is allowed for a text: its normal form of one step or two, and an id for
 * each byte of that; more for a short one. */
enum {
    ALLOWED_PER_BYTE = 8,
    LEAST_ALLOWANCE = 16 << 20,
};

struct encoder {
    const aim_tokenizer *t;
    bool at_start; /* the text in work is the start of the whole */
    struct aim__allowance allowance;
    struct aim__bpe_work work;
    aim_ids *out;
    aim_error *err;
};

static int fail_nomem(const struct encoder *e)
{
    return aim_fail_nomem(e->err, "the tokens of the text");
}

static int push(struct encoder *e, int32_t id)
{
    int code = aim__allowance_take(&e->allowance, sizeof id);
    if (!code && !aim_ids_push(e->out, id))
        code = fail_nomem(e);
    return code;
}

/* A word is at most one id a byte, and merging takes room in proportion. */
static int on_word(void *arg, const char *word, size_t n)
{
    struct encoder *e = arg;
    const aim_tokenizer *t = e->t;
    int code = aim__allowance_take(&e->allowance, n * sizeof *e->out->v);
    if (!code && !aim__bpe_encode(&t->bpe, &t->vocab, word, n, &e->work, e->out))
        code = fail_nomem(e);
    return code;
}

/* A stretch of text between added tokens; base is its place in the whole
 * text, rule tells where special tokens count in it. */
typedef int stretch_fn(struct encoder *e, const struct aim__special_rule *rule, const char *text,
                       size_t len, size_t base);

/* Find the added tokens of one set; the stretches between them go on to fn. */
static int encode_added(struct encoder *e, int set, const struct aim__special_rule *rule,
                        const char *text, size_t len, size_t base, stretch_fn *fn)
{
    struct aim__added_match m = {0};
    size_t done = 0;
    int code = AIM_OK;
    while (!code && aim__added_next(&e->t->added[set], rule, text, len, base, &m)) {
        if (m.start > done)
            code = fn(e, rule, text + done, m.start - done, base + done);
        if (!code)
            code = push(e, m.id);
        done = m.stop;
    }
    if (!code && done < len)
        code = fn(e, rule, text + done, len - done, base + done);
    return code;
}

/* The last stretches: nothing but words. */
static int encode_words(struct encoder *e, const struct aim__special_rule *rule, const char *text,
                        size_t len, size_t base)
{
    (void)rule;
    bool at_start = e->at_start && base == 0;
    return aim__pretokenizer_run(&e->t->pretokenizer, text, len, at_start, &e->allowance, on_word,
                                 e, e->err);
}

/* Let out->plain be what the stretch text[0, len) at base has of the rule's
 * spans, if a special token could be found in it once it is normalised. */
static int clip_spans(const struct encoder *e, const struct aim__special_rule *rule, size_t len,
                      size_t base, struct aim__normal_text *out)
{
    if (!rule->parse || !e->t->added[1].any_special)
        return AIM_OK;
    size_t i = aim__first_span(rule->plain, rule->n_plain, base);
    for (; i < rule->n_plain && rule->plain[i].start < base + len; i++) {
        const aim_span *s = &rule->plain[i];
        if (!aim_grow(&out->plain, &out->room_plain, out->n_plain + 1, sizeof *out->plain))
            return fail_nomem(e);
        out->plain[out->n_plain++] = (aim_span){s->start > base ? s->start - base : 0,
                                                s->end < base + len ? s->end - base : len};
    }
    return AIM_OK;
}

static int normalize(struct encoder *e, const struct aim__special_rule *rule, const char *text,
                     size_t len, size_t base)
{
    if (e->t->normalizer.n == 0)
        return encode_added(e, 1, rule, text, len, base, encode_words);
    struct aim__normal_text normal = {0};
    int code = clip_spans(e, rule, len, base, &normal);
    if (!code)
        code = aim__normalize(&e->t->normalizer, text, len, &e->allowance, &normal, e->err);
    if (!code) {
        struct aim__special_rule inner = {rule->parse, normal.plain, normal.n_plain};
        e->at_start = base == 0 && normal.at_start;
        code = encode_added(e, 1, &inner, normal.bytes.data, normal.bytes.len, 0, encode_words);
    }
    aim__normal_text_free(&normal);
    return code;
}

static int push_all(struct encoder *e, const aim_ids *ids)
{
    int code = AIM_OK;
    for (size_t i = 0; i < ids->n && !code; i++)
        code = push(e, ids->v[i]);
    return code;
}

int aim_tokenizer_encode(const aim_tokenizer *t, const char *text, size_t len, unsigned flags,
                         const aim_span *plain, size_t n_plain, aim_ids *out, aim_error *err)
{
    const size_t most = LEAST_ALLOWANCE + ALLOWED_PER_BYTE * len;
    struct encoder e = {
        .t = t,
        .at_start = true,
        .allowance = {most, aim__pattern_deadline()},
        .out = out,
        .err = err,
    };
    const struct aim__special_rule rule = {flags & AIM_PARSE_SPECIAL, plain, n_plain};
    size_t had = out->n, valid = aim__utf8_check(text, len);
    if (valid < len)
        return aim_fail(err, AIM_EINVAL, "the text is not valid UTF-8 at byte %zu", valid);
    int code = flags & AIM_ADD_SPECIAL ? push_all(&e, &t->before) : AIM_OK;
    if (!code)
        code = encode_added(&e, 0, &rule, text, len, 0, normalize);
    if (!code && flags & AIM_ADD_SPECIAL)
        code = push_all(&e, &t->after);
    aim__bpe_work_fini(&e.work);
    if (code)
        out->n = had;
    if (code == AIM_ETOOLARGE)
        return aim_fail(err, code, "the text grows to more than %zu bytes on its way to tokens",
                        most);
    return code;
}
