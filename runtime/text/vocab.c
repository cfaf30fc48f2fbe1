/* SPDX-License-Identifier: Apache-2.0 */
#include "text/vocab.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <string.h>

bool aim__vocab_init(struct aim__vocab *v, int32_t size, size_t arena_bytes, size_t count)
{
    *v = (struct aim__vocab){.size = size, .room = arena_bytes, .bits = 4};
    while ((size_t)1 << v->bits < 2 * count)
        v->bits++;
    size_t slots = (size_t)1 << v->bits;
    v->seed = aim_rng_fresh_seed();
    v->v = aim_calloc((size_t)size, sizeof *v->v);
    v->arena = aim_malloc(arena_bytes);
    v->slots = aim_array(slots, sizeof *v->slots);
    if (!v->v || !v->arena || !v->slots)
        return false;
    for (size_t i = 0; i < slots; i++)
        v->slots[i] = -1;
    for (int32_t id = 0; id < size; id++)
        v->v[id].text = "";
    return true;
}

void aim__vocab_fini(struct aim__vocab *v)
{
    aim_free(v->v);
    aim_free(v->arena);
    aim_buf_free(&v->readings);
    aim_free(v->slots);
}

void aim__vocab_set(struct aim__vocab *v, int32_t id, const char *text, size_t len)
{
    char *at = v->arena + v->used;
    memcpy(at, text, len);
    v->used += len;
    v->v[id].text = at;
    v->v[id].len = (uint32_t)len;
    v->v[id].flags |= AIM__TOKEN_PRESENT;
}

static uint64_t mix(uint64_t h)
{
    h ^= h >> 32;
    h *= UINT64_C(0xD6E8FEB86659FD93);
    return h ^ h >> 32;
}

static size_t slot_of(const struct aim__vocab *v, const char *text, size_t len)
{
    uint64_t h = v->seed + len, word;
    for (; len >= sizeof word; text += sizeof word, len -= sizeof word) {
        memcpy(&word, text, sizeof word);
        h = mix(h ^ word);
    }
    word = 0;
    memcpy(&word, text, len);
    return (size_t)(mix(mix(h ^ word)) >> (64 - v->bits));
}

static bool same(const struct aim__token *t, const char *text, size_t len)
{
    return t->len == len && memcmp(t->text, text, len) == 0;
}

void aim__vocab_index(struct aim__vocab *v, int32_t id)
{
    const struct aim__token *t = &v->v[id];
    size_t mask = ((size_t)1 << v->bits) - 1, i = slot_of(v, t->text, t->len);
    for (; v->slots[i] >= 0; i = (i + 1) & mask)
        if (same(&v->v[v->slots[i]], t->text, t->len))
            return;
    v->slots[i] = id;
    if (t->len > v->longest)
        v->longest = t->len;
}

int32_t aim__vocab_find(const struct aim__vocab *v, const char *text, size_t len)
{
    if (len > v->longest)
        return -1;
    size_t mask = ((size_t)1 << v->bits) - 1, i = slot_of(v, text, len);
    while (v->slots[i] >= 0 && !same(&v->v[v->slots[i]], text, len))
        i = (i + 1) & mask;
    return v->slots[i];
}
