/* SPDX-License-Identifier: Apache-2.0 */
#include "text/added_tokens.h"

#include "base/alloc.h"
#include "text/white_space.h"

#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    const struct aim__added_token *x = a, *y = b;
    int order = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

void aim__added_fini(struct aim__added_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        aim_free(set->v[i].owned);
    aim_free(set->v);
}

void aim__added_sort(struct aim__added_set *set)
{
    if (set->n > 0)
        qsort(set->v, set->n, sizeof *set->v, compare);
    size_t i = 0;
    for (unsigned b = 0; b <= 256; b++) {
        while (i < set->n && (unsigned char)set->v[i].text[0] < b)
            i++;
        set->first[b] = (uint32_t)i;
    }
}

const struct aim__added_token *aim__added_find(const struct aim__added_set *set, const char *text,
                                               size_t len)
{
    const struct aim__added_token key = {.text = text, .len = (uint32_t)len};
    if (set->n == 0 || len > UINT32_MAX)
        return NULL;
    return bsearch(&key, set->v, set->n, sizeof *set->v, compare);
}

size_t aim__first_span(const aim_span *spans, size_t n, size_t pos)
{
    size_t lo = 0, hi = n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (spans[mid].end > pos)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

static bool overlaps(const aim_span *spans, size_t n, size_t start, size_t stop)
{
    size_t first = aim__first_span(spans, n, start);
    return first < n && spans[first].start < stop;
}

static bool counts(const struct aim__added_token *t, const struct aim__special_rule *rule,
                   size_t start)
{
    return !t->special ||
           (rule->parse && !overlaps(rule->plain, rule->n_plain, start, start + t->len));
}

/* The first of v[lo, hi), which agree in their first depth bytes, that has a
 * byte >= b after these. Tokens of just depth bytes come before all others. */
static size_t lower_bound(const struct aim__added_token *v, size_t lo, size_t hi, size_t depth,
                          unsigned b)
{
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (v[mid].len > depth && (unsigned char)v[mid].text[depth] >= b)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

/* The longest token at text[pos] that counts, or NULL: narrow the sorted range
 * byte by byte. */
static const struct aim__added_token *longest_at(const struct aim__added_set *set,
                                                 const struct aim__special_rule *rule,
                                                 const char *text, size_t len, size_t base,
                                                 size_t pos)
{
    const struct aim__added_token *best = NULL;
    unsigned char lead = (unsigned char)text[pos];
    size_t lo = set->first[lead], hi = set->first[lead + 1];
    for (size_t depth = 1; lo < hi; depth++) {
        if (set->v[lo].len == depth) {
            if (counts(&set->v[lo], rule, base + pos))
                best = &set->v[lo];
            lo++;
        }
        if (pos + depth >= len)
            break;
        unsigned b = (unsigned char)text[pos + depth];
        lo = lower_bound(set->v, lo, hi, depth, b);
        hi = lower_bound(set->v, lo, hi, depth, b + 1);
    }
    return best;
}

static bool word_before(const unsigned char *s, size_t pos)
{
    size_t n;
    return pos > 0 && aim__is_word(aim__utf8_get(s + aim__utf8_before(s, pos), &n));
}

static bool word_after(const unsigned char *s, size_t pos, size_t len)
{
    size_t n;
    return pos < len && aim__is_word(aim__utf8_get(s + pos, &n));
}

/* With the white space that a match takes along; done is where the one before
 * stopped. */
static void widen(struct aim__added_match *m, const struct aim__added_token *t,
                  const unsigned char *s, size_t pos, size_t len, size_t done)
{
    m->start = pos;
    if (t->lstrip)
        m->start = pos > done ? aim__spaces_before(s, pos, done) : done;
    m->stop = t->rstrip ? aim__spaces_after(s, m->next, len) : m->next;
    m->id = t->id;
}

bool aim__added_next(const struct aim__added_set *set, const struct aim__special_rule *rule,
                     const char *text, size_t len, size_t base, struct aim__added_match *m)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t done = m->stop;
    if (set->n == 0)
        return false;
    for (size_t pos = m->next; pos < len; pos = m->next) {
        const struct aim__added_token *t = NULL;
        if (set->first[s[pos]] < set->first[s[pos] + 1])
            t = longest_at(set, rule, text, len, base, pos);
        m->next = t ? pos + t->len : pos + 1;
        if (!t || (t->single_word && (word_before(s, pos) || word_after(s, m->next, len))))
            continue;
        widen(m, t, s, pos, len, done);
        /* A match of white space may have gone to the one before. */
        if (m->start < m->stop)
            return true;
    }
    return false;
}
