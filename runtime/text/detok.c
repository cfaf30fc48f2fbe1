/* SPDX-License-Identifier: Apache-2.0 */
/* detok.c - ids to text. Tokens are bytes; what is certain of the text they
 * make goes out at once, an unfinished character waits. A maximal part of a
 * character that cannot go on becomes one U+FFFD (Unicode 3.9, "U+FFFD
 * substitution of maximal subparts"), which is what Python does. */
#include "text/tokenizer.h"

#include "text/utf8.h"

static void replace(aim_buf *out)
{
    aim_buf_append(out, "\xEF\xBF\xBD", 3);
}

/* b starts a character, or cannot. */
static void start(aim_detok *d, unsigned char b, aim_buf *out)
{
    size_t n = aim_utf8_length(b);
    if (n == 1) {
        aim_buf_append(out, &b, 1);
    } else if (n == 0) {
        replace(out);
    } else {
        d->pending[0] = b;
        d->n_pending = 1;
    }
}

static void add_byte(aim_detok *d, unsigned char b, aim_buf *out)
{
    if (d->n_pending == 0) {
        start(d, b, out);
    } else if (!aim_utf8_follows(d->pending[0], d->n_pending, b)) {
        replace(out);
        d->n_pending = 0;
        start(d, b, out);
    } else {
        d->pending[d->n_pending++] = b;
        if (d->n_pending < aim_utf8_length(d->pending[0]))
            return;
        aim_buf_append(out, d->pending, d->n_pending);
        d->n_pending = 0;
    }
}

void aim_detok_init(aim_detok *d, const aim_tokenizer *t, bool skip_special)
{
    *d = (aim_detok){.t = t, .skip_special = skip_special};
}

void aim_detok_push(aim_detok *d, int32_t id, aim_buf *out)
{
    size_t len, valid = 0;
    if (d->skip_special && aim_tokenizer_is_special(d->t, id))
        return;
    const char *bytes = aim_tokenizer_bytes(d->t, id, &len);
    /* Most tokens are whole characters. */
    if (d->n_pending == 0) {
        valid = aim__utf8_check(bytes, len);
        aim_buf_append(out, bytes, valid);
    }
    for (size_t i = valid; i < len; i++)
        add_byte(d, (unsigned char)bytes[i], out);
}

void aim_detok_flush(aim_detok *d, aim_buf *out)
{
    if (d->n_pending > 0)
        replace(out);
    d->n_pending = 0;
}

int aim_tokenizer_decode(const aim_tokenizer *t, const int32_t *ids, size_t n, bool skip_special,
                         aim_buf *out, aim_error *err)
{
    aim_detok d;
    aim_detok_init(&d, t, skip_special);
    for (size_t i = 0; i < n; i++)
        aim_detok_push(&d, ids[i], out);
    aim_detok_flush(&d, out);
    return out->failed ? aim_fail_nomem(err, "the text of the tokens") : AIM_OK;
}
