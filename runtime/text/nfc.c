/* SPDX-License-Identifier: Apache-2.0 */
#include "text/nfc.h"

#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Code points, decomposed. */
struct points {
    utf8proc_int32_t *v;
    size_t n, room;
};

static bool decompose(struct points *p, const unsigned char *s, size_t len)
{
    size_t n;
    for (size_t pos = 0; pos < len; pos += n) {
        utf8proc_int32_t cp = aim__utf8_get(s + pos, &n);
        int boundary = 0;
        /* No character has a canonical decomposition longer than this. */
        if (!aim_grow(&p->v, &p->room, p->n + 8, sizeof *p->v))
            return false;
        utf8proc_ssize_t got =
            utf8proc_decompose_char(cp, p->v + p->n, 8, UTF8PROC_DECOMPOSE, &boundary);
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

static char *encode(const struct points *p, size_t n, size_t *out_len)
{
    size_t room;
    if (!aim_mul(n, 4, &room))
        return NULL;
    char *out = aim_malloc(room);
    *out_len = 0;
    for (size_t i = 0; out && i < n; i++)
        *out_len += (size_t)utf8proc_encode_char(p->v[i], (utf8proc_uint8_t *)out + *out_len);
    return out;
}

char *aim__nfc(const char *text, size_t len, size_t *out_len)
{
    struct points p = {0};
    char *out = NULL;
    if (decompose(&p, (const unsigned char *)text, len) && reorder(&p)) {
        utf8proc_ssize_t n = utf8proc_normalize_utf32(p.v, (utf8proc_ssize_t)p.n,
                                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        out = encode(&p, n > 0 ? (size_t)n : 0, out_len);
    }
    aim_free(p.v);
    return out;
}
