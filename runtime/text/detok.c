/* SPDX-License-Identifier: Apache-2.0 */
/* detok.c - ids to text. What is certain of the text goes out at once.
 *
 * The tokens of a byte-level vocabulary are bytes: an unfinished character
 * waits, and a maximal part of a character that cannot go on becomes one U+FFFD
 * (Unicode 3.9, "U+FFFD substitution of maximal subparts"), which is what Python
 * does.
 *
 * The tokens of other vocabularies are text, but for byte tokens: these in a row
 * are text only if all of them together are UTF-8, so that they wait for the
 * first token of another kind. */
#include "text/tokenizer_internal.h"

#include "text/utf8.h"

#include <string.h>

/* Text that is certain, but for what is cut off the start. */
static void put(aim_detok *d, const void *bytes, size_t len, aim_buf *out)
{
    const char *text = bytes, *cut = d->t->decoder.of_text.character;
    size_t n = strlen(cut);
    while (d->to_strip > 0 && len > 0) {
        bool same = len >= n && memcmp(text, cut, n) == 0;
        d->to_strip = same ? d->to_strip - 1 : 0;
        text += same ? n : 0;
        len -= same ? n : 0;
    }
    aim_buf_append(out, text, len);
}

static void put_replacements(aim_detok *d, size_t n, aim_buf *out)
{
    for (size_t i = 0; i < n; i++)
        put(d, "\xEF\xBF\xBD", 3, out);
}

enum progress { UNFINISHED, WHOLE, BROKEN };

/* Add a byte to the pending character, unless it cannot follow there. */
static enum progress add_pending(aim_detok *d, unsigned char b)
{
    bool fits = d->n_pending > 0 ? aim_utf8_follows(d->pending[0], d->n_pending, b)
                                 : aim_utf8_length(b) > 0;
    if (!fits)
        return BROKEN;
    d->pending[d->n_pending++] = b;
    return d->n_pending < aim_utf8_length(d->pending[0]) ? UNFINISHED : WHOLE;
}

/* ---- byte-level vocabularies --------------------------------------------------- */

static void add_byte(aim_detok *d, unsigned char b, aim_buf *out)
{
    enum progress progress = add_pending(d, b);
    if (progress == BROKEN && d->n_pending > 0) {
        /* b may start a character of its own. */
        put_replacements(d, 1, out);
        d->n_pending = 0;
        progress = add_pending(d, b);
    }
    if (progress == BROKEN)
        put_replacements(d, 1, out);
    if (progress == WHOLE) {
        put(d, d->pending, d->n_pending, out);
        d->n_pending = 0;
    }
}

static void push_bytes(aim_detok *d, const char *bytes, size_t len, aim_buf *out)
{
    size_t valid = 0;
    /* Most tokens are whole characters. */
    if (d->n_pending == 0) {
        valid = aim__utf8_check(bytes, len);
        put(d, bytes, valid, out);
    }
    for (size_t i = valid; i < len; i++)
        add_byte(d, (unsigned char)bytes[i], out);
}

/* ---- byte tokens ----------------------------------------------------------------- */

static void end_run(aim_detok *d, aim_buf *out)
{
    if (d->n_pending > 0)
        put_replacements(d, d->run.len, out);
    else
        put(d, d->run.data, d->run.len, out);
    aim_buf_clear(&d->run);
    d->n_pending = 0;
    d->broken = false;
}

static void add_to_run(aim_detok *d, unsigned char b, aim_buf *out)
{
    enum progress progress = d->broken ? BROKEN : add_pending(d, b);
    aim_buf_append(&d->run, &b, 1);
    if (progress != UNFINISHED)
        d->n_pending = 0;
    if (progress == BROKEN) {
        put_replacements(d, d->run.len, out);
        aim_buf_clear(&d->run);
        d->broken = true;
    }
    out->failed |= d->run.failed;
}

/* ---- tokens ------------------------------------------------------------------------ */

void aim_detok_init(aim_detok *d, const aim_tokenizer *t, bool skip_special)
{
    *d = (aim_detok){.t = t, .skip_special = skip_special, .to_strip = t->decoder.of_text.start};
}

void aim_detok_continue(aim_detok *d)
{
    d->started = true;
    d->to_strip = 0;
}

void aim_detok_push(aim_detok *d, int32_t id, aim_buf *out)
{
    const aim_tokenizer *t = d->t;
    const struct aim__token *token = id >= 0 && id < t->vocab.size ? &t->vocab.v[id] : NULL;
    if (!token || !(token->flags & AIM__TOKEN_PRESENT) ||
        (d->skip_special && token->flags & AIM__TOKEN_SPECIAL))
        return;
    bool first = !d->started;
    const struct aim__reading *reading = &token->reading[first];
    const char *text = aim__vocab_read(&t->vocab, reading);
    d->started = true;
    if (t->decoder.byte_level) {
        push_bytes(d, text, reading->len, out);
    } else if (reading->byte) {
        add_to_run(d, (unsigned char)text[0], out);
    } else {
        end_run(d, out);
        if (!first && t->decoder.spaced)
            put(d, " ", 1, out);
        put(d, text, reading->len, out);
    }
}

void aim_detok_flush(aim_detok *d, aim_buf *out)
{
    if (d->t->decoder.byte_level && d->n_pending > 0)
        put_replacements(d, 1, out);
    else if (!d->t->decoder.byte_level)
        end_run(d, out);
    d->n_pending = 0;
}

void aim_detok_free(aim_detok *d)
{
    aim_buf_free(&d->run);
}

int aim_tokenizer_decode(const aim_tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                         aim_buf *out, aim_error *err)
{
    aim_detok d;
    aim_detok_init(&d, t, skip_special);
    for (size_t i = 0; i < n; i++)
        aim_detok_push(&d, ids[i], out);
    aim_detok_flush(&d, out);
    aim_detok_free(&d);
    return out->failed ? aim_fail_nomem(err, "the text of the tokens") : AIM_OK;
}
