/* SPDX-License-Identifier: Apache-2.0 */
#include "text/decoder.h"

#include "base/alloc.h"
#include "text/byte_alphabet.h"
#include "text/split.h"

#include <string.h>

enum { MAX_READING = 1 << 20 }; /* bytes of one token */

/* The value of an upper or lower case hexadecimal digit, or -1. */
static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The byte that <0xE2> stands for, or -1. */
static int fallback_byte(const char *text, size_t len)
{
    if (len != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    int high = hex(text[3]), low = hex(text[4]);
    return high < 0 || low < 0 ? -1 : high << 4 | low;
}

struct replacement {
    const char *text, *content;
    aim_buf *out;
};

static int on_stretch(void *arg, size_t start, size_t stop, bool match)
{
    const struct replacement *r = arg;
    if (match)
        aim_buf_puts(r->out, r->content);
    else
        aim_buf_append(r->out, r->text + start, stop - start);
    return r->out->len > MAX_READING ? AIM_ETOOLARGE : AIM_OK;
}

/* The ends of text[0, len) without the character. */
static void strip(const struct aim__decoder_step *s, const char *text, size_t len, aim_buf *out)
{
    size_t n = strlen(s->character), start = 0, stop = len;
    for (uint32_t i = 0; i < s->start && stop - start >= n; i++, start += n)
        if (memcmp(text + start, s->character, n) != 0)
            break;
    for (uint32_t i = 0; i < s->stop && stop - start >= n; i++, stop -= n)
        if (memcmp(text + stop - n, s->character, n) != 0)
            break;
    aim_buf_append(out, text + start, stop - start);
}

static int run_step(const struct aim__decoder_step *s, const char *text, size_t len, bool first,
                    aim_buf *out, aim_error *err)
{
    struct replacement r = {text, first && s->lost_in_first ? "" : s->content, out};
    if (s->wanted)
        aim__find_text(s->wanted, text, len, on_stretch, &r);
    else
        strip(s, text, len, out);
    if (out->len > MAX_READING)
        return aim_fail(err, AIM_ETOOLARGE,
                        "tokenizer.json: decoder: a token reads as more than %d bytes",
                        MAX_READING);
    return AIM_OK;
}

static int read_steps(const struct aim__decoder *d, const char *text, size_t len, bool first,
                      aim_buf *out, aim_error *err)
{
    aim_buf from = AIM_BUF_INIT, to = AIM_BUF_INIT;
    int code = AIM_OK;
    aim_buf_append(&from, text, len);
    for (int i = 0; i < d->n && !from.failed && !code; i++) {
        code = run_step(&d->step[i], from.data, from.len, first, &to, err);
        aim_buf swap = from;
        from = to;
        to = swap;
        aim_buf_clear(&to);
    }
    aim_buf_append(out, from.data, from.len);
    out->failed |= from.failed;
    aim_buf_free(&from);
    aim_buf_free(&to);
    return code;
}

static void read_bytes(const char *text, size_t len, aim_buf *out)
{
    unsigned char *bytes = aim_malloc(len + 1);
    ptrdiff_t n = bytes ? aim__byte_alphabet_decode(text, len, bytes) : 0;
    if (!bytes)
        out->failed = true;
    else if (n < 0)
        aim_buf_append(out, text, len);
    else
        aim_buf_append(out, bytes, (size_t)n);
    aim_free(bytes);
}

/* If the reading is that of a byte, make it the byte. */
static bool make_byte(aim_buf *out, size_t start)
{
    int value = out->len > start ? fallback_byte(out->data + start, out->len - start) : -1;
    if (value < 0)
        return false;
    out->len = start;
    aim_buf_append(out, &(unsigned char){(unsigned char)value}, 1);
    return true;
}

bool aim__decoder_first_differs(const struct aim__decoder *d)
{
    for (int i = 0; i < d->n; i++)
        if (d->step[i].lost_in_first)
            return true;
    return false;
}

int aim__decoder_read(const struct aim__decoder *d, const char *text, size_t len, bool first,
                      aim_buf *out, bool *byte, aim_error *err)
{
    size_t start = out->len;
    int code = AIM_OK;
    if (d->byte_level)
        read_bytes(text, len, out);
    else if (d->n > 0)
        code = read_steps(d, text, len, first, out, err);
    else
        aim_buf_append(out, text, len);
    *byte = !code && !out->failed && d->byte_fallback && make_byte(out, start);
    return out->failed ? aim_fail_nomem(err, "the texts of the tokens") : code;
}

void aim__decoder_fini(struct aim__decoder *d)
{
    for (int i = 0; i < d->n; i++) {
        aim_free(d->step[i].wanted);
        aim_free(d->step[i].content);
    }
}
