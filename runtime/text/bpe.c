/* SPDX-License-Identifier: Apache-2.0 */
#include "text/bpe.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

enum {
    FEW_SYMBOLS = 32, /* up to so many a plain search beats the heap */
    NO_RANK = UINT32_MAX,
};

/* The sign for a space: U+2581. */
#define SPACE "\xE2\x96\x81"
enum { SPACE_LEN = 3 };

bool aim__bpe_init(struct aim__bpe *b, size_t count)
{
    b->bits = 4;
    while ((size_t)1 << b->bits < 2 * count)
        b->bits++;
    size_t slots = (size_t)1 << b->bits;
    b->seed = aim_rng_fresh_seed();
    b->merges = aim_array(slots, sizeof *b->merges);
    if (!b->merges)
        return false;
    for (size_t i = 0; i < slots; i++)
        b->merges[i].result = -1;
    return true;
}

void aim__bpe_fini(struct aim__bpe *b)
{
    aim_free(b->merges);
}

/* The slot that holds this pair, or the empty one where it would go. */
static struct aim__merge *slot_of(const struct aim__bpe *b, int32_t left, int32_t right)
{
    uint64_t h = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) + b->seed;
    h *= UINT64_C(0x9E3779B97F4A7C15);
    h = (h ^ h >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    size_t mask = ((size_t)1 << b->bits) - 1, i = (size_t)(h >> (64 - b->bits));
    while (b->merges[i].result >= 0 && (b->merges[i].left != left || b->merges[i].right != right))
        i = (i + 1) & mask;
    return &b->merges[i];
}

void aim__bpe_add(struct aim__bpe *b, int32_t left, int32_t right, int32_t result, uint32_t rank)
{
    *slot_of(b, left, right) = (struct aim__merge){left, right, result, rank};
}

/* One token of a word in the making, and the merge with its right neighbour. */
struct aim__symbol {
    int32_t id;
    int32_t result;      /* of that merge */
    uint32_t rank;       /* of that merge, NO_RANK if there is none */
    uint32_t prev, next; /* used with many symbols only; NO_NEIGHBOUR at the ends */
};

enum { NO_NEIGHBOUR = UINT32_MAX };

static void look_up(const struct aim__bpe *b, struct aim__symbol *left,
                    const struct aim__symbol *right)
{
    left->rank = NO_RANK;
    if (!right)
        return;
    const struct aim__merge *m = slot_of(b, left->id, right->id);
    if (m->result < 0)
        return;
    left->rank = m->rank;
    left->result = m->result;
}

static void start(const struct aim__bpe *b, struct aim__symbol *s, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        s[i].id = ids[i];
    for (size_t i = 0; i < n; i++)
        look_up(b, &s[i], i + 1 < n ? &s[i + 1] : NULL);
}

static bool merge_few(const struct aim__bpe *b, const int32_t *ids, size_t n, aim_ids *out)
{
    struct aim__symbol s[FEW_SYMBOLS];
    start(b, s, ids, n);
    while (n > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < n; i++)
            if (s[i].rank < s[best].rank)
                best = i;
        if (s[best].rank == NO_RANK)
            break;
        s[best].id = s[best].result;
        n--;
        memmove(&s[best + 1], &s[best + 2], (n - best - 1) * sizeof *s);
        look_up(b, &s[best], best + 1 < n ? &s[best + 1] : NULL);
        if (best > 0)
            look_up(b, &s[best - 1], &s[best]);
    }
    for (size_t i = 0; i < n; i++)
        if (!aim_ids_push(out, s[i].id))
            return false;
    return true;
}

/* ---- many symbols: a linked list, and a heap of the merges at hand -------- */

/* A heap entry is rank << 32 | position, so the smallest is the next merge. It
 * is stale when the symbol there has another rank by now. */
static bool heap_push(struct aim__bpe_work *w, const struct aim__symbol *s, uint32_t pos)
{
    if (s[pos].rank == NO_RANK)
        return true;
    if (!aim_grow(&w->heap, &w->heap_room, w->heap_n + 1, sizeof *w->heap))
        return false;
    uint64_t entry = (uint64_t)s[pos].rank << 32 | pos;
    size_t i = w->heap_n++;
    for (; i > 0 && w->heap[(i - 1) / 2] > entry; i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = entry;
    return true;
}

static uint64_t heap_pop(struct aim__bpe_work *w)
{
    uint64_t *h = w->heap, top = h[0], last = h[--w->heap_n];
    size_t i = 0, child;
    for (; (child = 2 * i + 1) < w->heap_n; i = child) {
        if (child + 1 < w->heap_n && h[child + 1] < h[child])
            child++;
        if (last <= h[child])
            break;
        h[i] = h[child];
    }
    h[i] = last;
    return top;
}

/* Join the symbol at pos with its right neighbour, which drops out. */
static bool merge_at(const struct aim__bpe *b, struct aim__bpe_work *w, uint32_t pos)
{
    struct aim__symbol *s = w->symbols, *left = &s[pos], *gone = &s[left->next];
    left->id = left->result;
    left->next = gone->next;
    gone->rank = NO_RANK;
    if (left->next != NO_NEIGHBOUR)
        s[left->next].prev = pos;
    look_up(b, left, left->next != NO_NEIGHBOUR ? &s[left->next] : NULL);
    if (!heap_push(w, s, pos))
        return false;
    if (left->prev == NO_NEIGHBOUR)
        return true;
    look_up(b, &s[left->prev], left);
    return heap_push(w, s, left->prev);
}

static bool merge_many(const struct aim__bpe *b, const int32_t *ids, size_t n,
                       struct aim__bpe_work *w, aim_ids *out)
{
    if (n >= NO_NEIGHBOUR || !aim_grow(&w->symbols, &w->symbols_room, n, sizeof *w->symbols))
        return false;
    struct aim__symbol *s = w->symbols;
    start(b, s, ids, n);
    w->heap_n = 0;
    for (size_t i = 0; i < n; i++) {
        s[i].prev = i > 0 ? (uint32_t)i - 1 : NO_NEIGHBOUR;
        s[i].next = i + 1 < n ? (uint32_t)i + 1 : NO_NEIGHBOUR;
        if (!heap_push(w, s, (uint32_t)i))
            return false;
    }
    while (w->heap_n > 0) {
        uint64_t entry = heap_pop(w);
        uint32_t pos = (uint32_t)entry;
        if (s[pos].rank == entry >> 32 && !merge_at(b, w, pos))
            return false;
    }
    for (uint32_t i = 0; i != NO_NEIGHBOUR; i = s[i].next)
        if (!aim_ids_push(out, s[i].id))
            return false;
    return true;
}

/* ---- words ------------------------------------------------------------------- */

static bool merge_word(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                       size_t len, struct aim__bpe_work *w, aim_ids *out)
{
    int32_t few[FEW_SYMBOLS];
    if (len > FEW_SYMBOLS && !aim_grow(&w->ids, &w->ids_room, len, sizeof *w->ids))
        return false;
    int32_t *ids = len > FEW_SYMBOLS ? w->ids : few;
    size_t n = aim__spell(&b->spelling, v, word, len, ids);
    return n <= FEW_SYMBOLS ? merge_few(b, ids, n, out) : merge_many(b, ids, n, w, out);
}

static bool encode_whole(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                         size_t len, struct aim__bpe_work *w, aim_ids *out)
{
    int32_t id = aim__vocab_find(v, word, len);
    if (id >= 0 && v->v[id].flags & AIM__TOKEN_WHOLE)
        return aim_ids_push(out, id);
    return merge_word(b, v, word, len, w, out);
}

/* The first place behind the start of s[0, len) where a run of SPACE starts;
 * len if there is none. */
static size_t next_cut(const char *s, size_t len)
{
    size_t after_space = 0; /* the end of the last SPACE */
    for (size_t pos = 0; pos < len; pos++) {
        const char *found = memchr(s + pos, SPACE[0], len - pos);
        if (!found)
            return len;
        pos = (size_t)(found - s);
        if (len - pos < SPACE_LEN || memcmp(found, SPACE, SPACE_LEN) != 0)
            continue;
        if (pos > after_space)
            return pos;
        after_space = pos + SPACE_LEN;
        pos += SPACE_LEN - 1;
    }
    return len;
}

bool aim__bpe_encode(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                     size_t len, struct aim__bpe_work *w, aim_ids *out)
{
    if (b->ignore_merges) {
        int32_t id = aim__vocab_find(v, word, len);
        if (id >= 0)
            return aim_ids_push(out, id);
    }
    bool ok = true;
    for (size_t pos = 0, n; ok && pos < len; pos += n) {
        n = b->cut_at_spaces ? next_cut(word + pos, len - pos) : len;
        ok = encode_whole(b, v, word + pos, n, w, out);
    }
    return ok;
}

void aim__bpe_work_fini(struct aim__bpe_work *w)
{
    aim_free(w->ids);
    aim_free(w->symbols);
    aim_free(w->heap);
}

static bool starts_with_space(const struct aim__token *t)
{
    return t->len >= SPACE_LEN && memcmp(t->text, SPACE, SPACE_LEN) == 0;
}

static bool ends_with_space(const struct aim__token *t)
{
    return t->len >= SPACE_LEN && memcmp(t->text + t->len - SPACE_LEN, SPACE, SPACE_LEN) == 0;
}

/* A cut has no SPACE on its left and one on its right. What is right of it
 * starts with SPACE whatever it was merged to, as SPACE has a token, and what
 * is left of it ends as the text does there, or is an unknown or a byte token:
 * nothing of the kind may be the left side of a merge whose right side starts
 * with SPACE. */
void aim__bpe_find_cuts(struct aim__bpe *b, const struct aim__vocab *v)
{
    int32_t unknown = b->spelling.unknown;
    b->cut_at_spaces = !b->spelling.by_byte && aim__vocab_find(v, SPACE, SPACE_LEN) >= 0 &&
                       !(unknown >= 0 && ends_with_space(&v->v[unknown]));
    for (size_t i = 0; i < (size_t)1 << b->bits && b->cut_at_spaces; i++) {
        const struct aim__merge *m = &b->merges[i];
        if (m->result >= 0 && starts_with_space(&v->v[m->right]))
            b->cut_at_spaces = ends_with_space(&v->v[m->left]);
    }
}

bool aim__bpe_mark_whole(const struct aim__bpe *b, struct aim__vocab *v)
{
    struct aim__bpe_work work = {0};
    aim_ids ids = {0};
    bool ok = true;
    for (int32_t id = 0; ok && id < v->size; id++) {
        struct aim__token *t = &v->v[id];
        if (t->len == 0)
            continue;
        ids.n = 0;
        ok = merge_word(b, v, t->text, t->len, &work, &ids);
        if (ok && ids.n == 1 && ids.v[0] == id)
            t->flags |= AIM__TOKEN_WHOLE;
    }
    aim__bpe_work_fini(&work);
    aim_ids_free(&ids);
    return ok;
}
