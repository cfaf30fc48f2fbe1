/* SPDX-License-Identifier: Apache-2.0 */
#include "text/bpe.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

enum {
    SHORT_WORD = 32, /* bytes up to which a plain search beats the heap */
    NO_RANK = UINT32_MAX,
};

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
    uint32_t prev, next; /* used in long words only; NO_NEIGHBOUR at the ends */
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

static void start(const struct aim__bpe *b, struct aim__symbol *s, const char *word, size_t len)
{
    for (size_t i = 0; i < len; i++)
        s[i].id = b->byte_id[(unsigned char)word[i]];
    for (size_t i = 0; i < len; i++)
        look_up(b, &s[i], i + 1 < len ? &s[i + 1] : NULL);
}

static bool encode_short(const struct aim__bpe *b, const char *word, size_t len, aim_ids *out)
{
    struct aim__symbol s[SHORT_WORD];
    start(b, s, word, len);
    while (len > 1) {
        size_t best = 0;
        for (size_t i = 1; i + 1 < len; i++)
            if (s[i].rank < s[best].rank)
                best = i;
        if (s[best].rank == NO_RANK)
            break;
        s[best].id = s[best].result;
        len--;
        memmove(&s[best + 1], &s[best + 2], (len - best - 1) * sizeof *s);
        look_up(b, &s[best], best + 1 < len ? &s[best + 1] : NULL);
        if (best > 0)
            look_up(b, &s[best - 1], &s[best]);
    }
    for (size_t i = 0; i < len; i++)
        if (!aim_ids_push(out, s[i].id))
            return false;
    return true;
}

/* ---- long words: a linked list, and a heap of the merges at hand -------- */

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

static bool encode_long(const struct aim__bpe *b, const char *word, size_t len,
                        struct aim__bpe_work *w, aim_ids *out)
{
    if (len >= NO_NEIGHBOUR || !aim_grow(&w->symbols, &w->symbols_room, len, sizeof *w->symbols))
        return false;
    struct aim__symbol *s = w->symbols;
    start(b, s, word, len);
    w->heap_n = 0;
    for (size_t i = 0; i < len; i++) {
        s[i].prev = i > 0 ? (uint32_t)i - 1 : NO_NEIGHBOUR;
        s[i].next = i + 1 < len ? (uint32_t)i + 1 : NO_NEIGHBOUR;
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

static bool merge_word(const struct aim__bpe *b, const char *word, size_t len,
                       struct aim__bpe_work *w, aim_ids *out)
{
    return len <= SHORT_WORD ? encode_short(b, word, len, out) : encode_long(b, word, len, w, out);
}

bool aim__bpe_encode(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                     size_t len, struct aim__bpe_work *w, aim_ids *out)
{
    if (len == 1 && !b->ignore_merges)
        return aim_ids_push(out, b->byte_id[(unsigned char)word[0]]);
    int32_t id = aim__vocab_find(v, word, len);
    if (id >= 0 && (b->ignore_merges || v->v[id].flags & AIM__TOKEN_WHOLE))
        return aim_ids_push(out, id);
    return merge_word(b, word, len, w, out);
}

void aim__bpe_work_fini(struct aim__bpe_work *w)
{
    aim_free(w->symbols);
    aim_free(w->heap);
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
        ok = merge_word(b, t->bytes, t->len, &work, &ids);
        if (ok && ids.n == 1 && ids.v[0] == id)
            t->flags |= AIM__TOKEN_WHOLE;
    }
    aim__bpe_work_fini(&work);
    aim_ids_free(&ids);
    return ok;
}
