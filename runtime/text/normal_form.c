/* SPDX-License-Identifier: Apache-2.0 */
#include "text/normal_form.h"

#include "base/alloc.h"
#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* No character decomposes to more code points (U+FDFA does to 18). */
enum { MAX_DECOMPOSITION = 32 };

/* Code points, decomposed. */
struct points {
    utf8proc_int32_t *v;
    size_t n, room;
};

static bool decompose(struct points *p, int options, const unsigned char *s, size_t len)
{
    size_t n;
    for (size_t pos = 0; pos < len; pos += n) {
        utf8proc_int32_t cp = aim__utf8_get(s + pos, &n);
        int boundary = 0;
        if (!aim_grow(&p->v, &p->room, p->n + MAX_DECOMPOSITION, sizeof *p->v))
            return false;
        utf8proc_ssize_t got =
            utf8proc_decompose_char(cp, p->v + p->n, MAX_DECOMPOSITION, options, &boundary);
        p->n += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static int combining_class(utf8proc_int32_t cp)
{
    return utf8proc_get_property(cp)->combining_class;
}

/* Bring v[0, n), all of them marks, into the order of their combining classes
 * and leave equal ones as they are: a counting sort through other[n]. The
 * sort of utf8proc_decompose takes quadratic time. */
static void sort_marks(utf8proc_int32_t *v, utf8proc_int32_t *other, size_t n)
{
    size_t at[257] = {0};
    for (size_t i = 0; i < n; i++)
        at[combining_class(v[i]) + 1]++;
    for (size_t c = 0; c < 256; c++)
        at[c + 1] += at[c];
    for (size_t i = 0; i < n; i++)
        other[at[combining_class(v[i])]++] = v[i];
    memcpy(v, other, n * sizeof *v);
}

static bool reorder(struct points *p)
{
    utf8proc_int32_t *other = aim_array(p->n, sizeof *other);
    if (!other)
        return false;
    for (size_t i = 0, stop; i < p->n; i = stop) {
        for (stop = i; stop < p->n && combining_class(p->v[stop]) > 0; stop++)
            ;
        if (stop - i > 1)
            sort_marks(p->v + i, other, stop - i);
        stop += stop == i;
    }
    aim_free(other);
    return true;
}

static void encode(const struct points *p, aim_buf *out)
{
    for (size_t i = 0; i < p->n && !out->failed; i++) {
        utf8proc_uint8_t bytes[4];
        aim_buf_append(out, bytes, (size_t)utf8proc_encode_char(p->v[i], bytes));
    }
}

static void compose(struct points *p)
{
    utf8proc_ssize_t n = utf8proc_normalize_utf32(p->v, (utf8proc_ssize_t)p->n,
                                                  UTF8PROC_STABLE | UTF8PROC_COMPOSE);
    p->n = n > 0 ? (size_t)n : 0;
}

void aim__normal_form(enum aim__normal_form form, const char *text, size_t len, aim_buf *out)
{
    bool compatible = form == AIM__NFKC || form == AIM__NFKD;
    bool composed = form == AIM__NFC || form == AIM__NFKC;
    struct points p = {0};
    if (!decompose(&p, UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0),
                   (const unsigned char *)text, len) ||
        !reorder(&p)) {
        out->failed = true;
    } else {
        if (composed)
            compose(&p);
        encode(&p, out);
    }
    aim_free(p.v);
}
