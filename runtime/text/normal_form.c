/* SPDX-License-Identifier: Apache-2.0 */
#include "text/normal_form.h"

#include "base/alloc.h"
#include "text/utf8.h"

#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

/* Characters with a decomposition, a part in a composition or a combining class
 * that are newer than Unicode 9.0. The reference's tables end there: these are
 * left alone, as any character that is not assigned. */
static const struct range {
    utf8proc_int32_t first, last;
} newer[] = {
    {0x7FD, 0x7FD},     {0x898, 0x89F},     {0x8CA, 0x8D3},     {0x9FE, 0x9FE},
    {0xC3C, 0xC3C},     {0xD3B, 0xD3C},     {0xEBA, 0xEBA},     {0x1715, 0x1715},
    {0x1ABF, 0x1ACE},   {0x1DF6, 0x1DFA},   {0x32FF, 0x32FF},   {0xA7F2, 0xA7F4},
    {0xA82C, 0xA82C},   {0xAB69, 0xAB69},   {0x10781, 0x10785}, {0x10787, 0x107B0},
    {0x107B2, 0x107BA}, {0x10D24, 0x10D27}, {0x10EAB, 0x10EAC}, {0x10EFD, 0x10EFF},
    {0x10F46, 0x10F50}, {0x10F82, 0x10F85}, {0x11070, 0x11070}, {0x1133B, 0x1133B},
    {0x1145E, 0x1145E}, {0x11839, 0x1183A}, {0x11930, 0x11930}, {0x11938, 0x11938},
    {0x1193D, 0x1193E}, {0x11943, 0x11943}, {0x119E0, 0x119E0}, {0x11A34, 0x11A34},
    {0x11A47, 0x11A47}, {0x11A99, 0x11A99}, {0x11D42, 0x11D42}, {0x11D44, 0x11D45},
    {0x11D97, 0x11D97}, {0x11F41, 0x11F42}, {0x16FF0, 0x16FF1}, {0x1E030, 0x1E06D},
    {0x1E08F, 0x1E08F}, {0x1E130, 0x1E136}, {0x1E2AE, 0x1E2AE}, {0x1E2EC, 0x1E2EF},
    {0x1E4EC, 0x1E4EF}, {0x1F16C, 0x1F16C}, {0x1FBF0, 0x1FBF9},
};

static int compare(const void *key, const void *row)
{
    utf8proc_int32_t cp = *(const utf8proc_int32_t *)key;
    const struct range *r = row;
    return cp < r->first ? -1 : cp > r->last;
}

static bool is_newer(utf8proc_int32_t cp)
{
    return cp >= newer[0].first &&
           bsearch(&cp, newer, sizeof newer / sizeof *newer, sizeof *newer, compare);
}

/* No character decomposes to more code points (U+FDFA does to 18). */
enum { MAX_DECOMPOSITION = 32 };

/* Code points, decomposed, and room to sort them in. */
struct points {
    utf8proc_int32_t *v, *other;
    size_t n, room, other_room;
    size_t most; /* that v may hold */
};

/* false where v may not hold them or when memory runs out, which out tells. */
static bool decompose(struct points *p, int options, const unsigned char *s, size_t len,
                      aim_buf *out)
{
    size_t n;
    p->n = 0;
    for (size_t pos = 0; pos < len; pos += n) {
        utf8proc_int32_t cp = aim__utf8_get(s + pos, &n);
        int boundary = 0;
        if (p->n > p->most)
            return false;
        if (!aim_grow(&p->v, &p->room, p->n + MAX_DECOMPOSITION, sizeof *p->v)) {
            out->failed = true;
            return false;
        }
        if (is_newer(cp)) {
            p->v[p->n++] = cp;
            continue;
        }
        utf8proc_ssize_t got =
            utf8proc_decompose_char(cp, p->v + p->n, MAX_DECOMPOSITION, options, &boundary);
        p->n += got > 0 ? (size_t)got : 0;
    }
    return true;
}

static int combining_class(utf8proc_int32_t cp)
{
    return is_newer(cp) ? 0 : utf8proc_get_property(cp)->combining_class;
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
    for (size_t i = 0, stop; i < p->n; i = stop) {
        for (stop = i; stop < p->n && combining_class(p->v[stop]) > 0; stop++)
            ;
        if (stop - i > 1) {
            if (!aim_grow(&p->other, &p->other_room, stop - i, sizeof *p->other))
                return false;
            sort_marks(p->v + i, p->other, stop - i);
        }
        stop += stop == i;
    }
    return true;
}

static void encode(const struct points *p, aim_buf *out)
{
    for (size_t i = 0; i < p->n && !out->failed; i++) {
        utf8proc_uint8_t bytes[4];
        aim_buf_append(out, bytes, (size_t)utf8proc_encode_char(p->v[i], bytes));
    }
}

/* Nothing composes with newer characters or across them. */
static void compose(struct points *p)
{
    size_t kept = 0;
    for (size_t i = 0, stop; i < p->n; i = stop) {
        for (stop = i; stop < p->n && !is_newer(p->v[stop]); stop++)
            ;
        utf8proc_ssize_t n = utf8proc_normalize_utf32(p->v + i, (utf8proc_ssize_t)(stop - i),
                                                      UTF8PROC_STABLE | UTF8PROC_COMPOSE);
        size_t count = n > 0 ? (size_t)n : 0;
        memmove(p->v + kept, p->v + i, count * sizeof *p->v);
        kept += count;
        if (stop < p->n)
            p->v[kept++] = p->v[stop++];
    }
    p->n = kept;
}

/* Text of which nothing reaches across its ends. */
static bool normalize(struct points *p, enum aim__normal_form form, const unsigned char *s,
                      size_t len, aim_buf *out)
{
    bool compatible = form == AIM__NFKC || form == AIM__NFKD;
    int options = UTF8PROC_DECOMPOSE | (compatible ? UTF8PROC_COMPAT : 0);
    if (!decompose(p, options, s, len, out))
        return false;
    if (!reorder(p)) {
        out->failed = true;
        return false;
    }
    if (form == AIM__NFC || form == AIM__NFKC)
        compose(p);
    encode(p, out);
    return true;
}

/* ASCII stays as it is, but for a character before one that is not ASCII, and
 * nothing reaches back across an ASCII character. */
bool aim__normal_form(enum aim__normal_form form, const char *text, size_t len, size_t most,
                      aim_buf *out)
{
    const unsigned char *s = (const unsigned char *)text;
    struct points p = {.most = most / sizeof *p.v};
    size_t had = out->len;
    bool ok = true;
    for (size_t pos = 0, stop; pos < len && ok; pos = stop) {
        size_t other = aim__utf8_skip_ascii(s, pos, len);
        size_t start = other > pos && other < len ? other - 1 : other;
        aim_buf_append(out, text + pos, start - pos);
        for (stop = other; stop < len && s[stop] >= 0x80; stop++)
            ;
        if (stop > start)
            ok = normalize(&p, form, s + start, stop - start, out);
        ok = ok && !out->failed && out->len - had <= most;
    }
    aim_free(p.v);
    aim_free(p.other);
    return ok || out->failed;
}
