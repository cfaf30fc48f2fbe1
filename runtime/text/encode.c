/* SPDX-License-Identifier: Apache-2.0 */
/* encode.c - text to ids: added tokens are found, what lies between them is
 * normalised and cut into words, each word becomes tokens. */
#include "text/tokenizer_internal.h"

#include "base/alloc.h"
#include "text/nfc.h"
#include "text/utf8.h"

struct encoder {
    const aim_tokenizer *t;
    struct aim__special_rule rule;
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
    return aim_ids_push(e->out, id) ? AIM_OK : fail_nomem(e);
}

static int on_word(void *arg, const char *word, size_t n)
{
    struct encoder *e = arg;
    const aim_tokenizer *t = e->t;
    return aim__bpe_encode(&t->bpe, &t->vocab, word, n, &e->work, e->out) ? AIM_OK : fail_nomem(e);
}

static int encode_words(struct encoder *e, const char *text, size_t len, bool at_start)
{
    return aim__pretokenizer_run(&e->t->pretokenizer, text, len, at_start, on_word, e, e->err);
}

/* Text without added tokens of the first set; base is its place in the whole
 * text. */
typedef int stretch_fn(struct encoder *e, const char *text, size_t len, size_t base);

static int encode_stretch(struct encoder *e, const char *text, size_t len, size_t base);
static int normalize(struct encoder *e, const char *text, size_t len, size_t base);

/* Find the added tokens of one set; the stretches between them go on. */
static int encode_added(struct encoder *e, int set, const char *text, size_t len, size_t base)
{
    stretch_fn *next = set == 0 ? normalize : encode_stretch;
    struct aim__added_match m;
    size_t done = 0;
    int code = AIM_OK;
    while (!code && aim__added_next(&e->t->added[set], &e->rule, text, len, base, done, &m)) {
        code = next(e, text + done, m.start - done, base + done);
        if (!code)
            code = push(e, m.id);
        done = m.stop;
    }
    return code ? code : next(e, text + done, len - done, base + done);
}

static int encode_stretch(struct encoder *e, const char *text, size_t len, size_t base)
{
    return encode_words(e, text, len, base == 0);
}

/* Special tokens are not searched in text that was changed, so that base may
 * be wrong from here on. */
static int normalize(struct encoder *e, const char *text, size_t len, size_t base)
{
    if (!e->t->nfc)
        return encode_added(e, 1, text, len, base);
    size_t n;
    char *normal = aim__nfc(text, len, &n);
    if (!normal)
        return fail_nomem(e);
    int code = encode_added(e, 1, normal, n, base);
    aim_free(normal);
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
    struct encoder e = {
        .t = t,
        .rule = {flags & AIM_PARSE_SPECIAL, plain, n_plain},
        .out = out,
        .err = err,
    };
    size_t had = out->n, valid = aim__utf8_check(text, len);
    if (valid < len)
        return aim_fail(err, AIM_EINVAL, "the text is not valid UTF-8 at byte %zu", valid);
    int code = flags & AIM_ADD_SPECIAL ? push_all(&e, &t->before) : AIM_OK;
    if (!code)
        code = encode_added(&e, 0, text, len, 0);
    if (!code && flags & AIM_ADD_SPECIAL)
        code = push_all(&e, &t->after);
    aim__bpe_work_fini(&e.work);
    if (code)
        out->n = had;
    return code;
}
