/* SPDX-License-Identifier: Apache-2.0 */
#include "model/kv_cache.h"

#include "base/alloc.h"

#include <assert.h>
#include <string.h>

enum { NONE = -1 };

/* The prefix cache is a trie kept in one hash table. A registered block has a
 * serial, never used twice; its key is the serial of the block before it (the
 * salt, for the first block) and its own tokens. Equal keys therefore mean equal
 * tokens from the beginning on, without comparing more than one block. */
struct key {
    uint64_t parent;
    bool first; /* parent is a salt */
    int32_t tokens[AIM_KV_BLOCK];
};

/* A block is in one of three states:
 *   free    refs 0, no serial, in the free list
 *   held    refs > 0
 *   cached  refs 0, registered, in the list of evictable blocks */
struct block {
    int32_t refs;
    int32_t prev, next; /* neighbours in the free list or among the evictable */
    bool registered;
    /* Identifies the content of the chain up to here, 0 if that is unknown. An
     * unregistered block has one if a registered block of equal content exists
     * or existed: blocks behind it are then registered under that chain. */
    uint64_t serial;
    struct key key; /* of a registered block */
    int32_t next_in_bucket;
};

/* A doubly linked list through block.prev and block.next. */
struct list {
    int32_t head, tail;
    int n;
};

struct aim_kv_cache {
    aim_kv_shape shape;
    int n_blocks;
    bool prefix_cache;
    /* [block][layer][key, value][kv_heads][AIM_KV_BLOCK][head_dim] */
    unsigned char *memory;
    size_t block_bytes, layer_bytes;
    struct block *blocks;
    struct list free, evictable; /* evictable: oldest released first */
    int32_t *buckets;            /* first block of each hash chain */
    size_t n_buckets;            /* a power of two */
    uint64_t last_serial;
};

/* ---- memory --------------------------------------------------------------- */

static size_t element_bytes(const aim_kv_shape *s)
{
    return s->bf16 ? 2 : 4;
}

/* Keys and values of one layer in one block. */
static size_t layer_bytes(const aim_kv_shape *s)
{
    return 2 * (size_t)s->kv_heads * AIM_KV_BLOCK * (size_t)s->head_dim * element_bytes(s);
}

size_t aim_kv_block_bytes(const aim_kv_shape *shape)
{
    return (size_t)shape->layers * layer_bytes(shape);
}

static size_t bucket_count(int n_blocks)
{
    size_t n = 16;
    while (n < 2 * (size_t)n_blocks)
        n *= 2;
    return n;
}

size_t aim_kv_bytes(const aim_kv_shape *shape, int n_blocks)
{
    size_t a_block = aim_kv_block_bytes(shape) + sizeof(struct block);
    return (size_t)n_blocks * a_block + bucket_count(n_blocks) * sizeof(int32_t);
}

static void push_tail(aim_kv_cache *kv, struct list *l, int32_t i)
{
    struct block *b = &kv->blocks[i];
    b->prev = l->tail;
    b->next = NONE;
    if (l->tail == NONE)
        l->head = i;
    else
        kv->blocks[l->tail].next = i;
    l->tail = i;
    l->n++;
}

static void unlink_from(aim_kv_cache *kv, struct list *l, int32_t i)
{
    const struct block *b = &kv->blocks[i];
    if (b->prev == NONE)
        l->head = b->next;
    else
        kv->blocks[b->prev].next = b->next;
    if (b->next == NONE)
        l->tail = b->prev;
    else
        kv->blocks[b->next].prev = b->prev;
    l->n--;
}

aim_kv_cache *aim_kv_new(const aim_kv_shape *shape, int n_blocks, bool prefix_cache, aim_error *err)
{
    size_t total;
    if (n_blocks < 1 || !aim_mul(aim_kv_block_bytes(shape), (size_t)n_blocks, &total)) {
        aim_fail(err, AIM_EINVAL, "KV cache of %d blocks", n_blocks);
        return NULL;
    }
    aim_kv_cache *kv = aim_calloc(1, sizeof *kv);
    if (!kv) {
        aim_fail_nomem(err, "KV cache");
        return NULL;
    }
    *kv = (aim_kv_cache){
        .shape = *shape,
        .n_blocks = n_blocks,
        .prefix_cache = prefix_cache,
        .block_bytes = aim_kv_block_bytes(shape),
        .layer_bytes = layer_bytes(shape),
        .free = {NONE, NONE, 0},
        .evictable = {NONE, NONE, 0},
        .n_buckets = bucket_count(n_blocks),
    };
    kv->memory = aim_big_alloc(total);
    kv->blocks = aim_calloc((size_t)n_blocks, sizeof *kv->blocks);
    kv->buckets = aim_array(kv->n_buckets, sizeof *kv->buckets);
    if (!kv->memory || !kv->blocks || !kv->buckets) {
        aim_fail(err, AIM_ENOMEM, "out of memory: KV cache of %d blocks, %zu bytes", n_blocks,
                 total);
        aim_kv_free(kv);
        return NULL;
    }
    for (size_t i = 0; i < kv->n_buckets; i++)
        kv->buckets[i] = NONE;
    for (int32_t i = 0; i < n_blocks; i++)
        push_tail(kv, &kv->free, i);
    return kv;
}

void aim_kv_free(aim_kv_cache *kv)
{
    if (!kv)
        return;
    aim_big_free(kv->memory, kv->block_bytes * (size_t)kv->n_blocks);
    aim_free(kv->blocks);
    aim_free(kv->buckets);
    aim_free(kv);
}

int aim_kv_total(const aim_kv_cache *kv)
{
    return kv->n_blocks;
}

int aim_kv_available(const aim_kv_cache *kv)
{
    return kv->free.n + kv->evictable.n;
}

int aim_kv_held(const aim_kv_cache *kv)
{
    return kv->n_blocks - aim_kv_available(kv);
}

void aim_kv_layer(const aim_kv_cache *kv, int layer, aim_attention *a)
{
    a->kv_heads = kv->shape.kv_heads;
    a->head_dim = kv->shape.head_dim;
    a->block_tokens = AIM_KV_BLOCK;
    a->kv_is_bf16 = kv->shape.bf16;
    a->base = kv->memory + (size_t)layer * kv->layer_bytes;
    a->block_stride = kv->block_bytes;
    a->v_offset = aim_kv_value_offset(kv);
}

unsigned char *aim_kv_key(aim_kv_cache *kv, int layer, int32_t block, int head, int slot)
{
    size_t row = (size_t)head * AIM_KV_BLOCK + (size_t)slot;
    return kv->memory + (size_t)block * kv->block_bytes + (size_t)layer * kv->layer_bytes +
           row * (size_t)kv->shape.head_dim * element_bytes(&kv->shape);
}

size_t aim_kv_value_offset(const aim_kv_cache *kv)
{
    return kv->layer_bytes / 2;
}

bool aim_kv_is_bf16(const aim_kv_cache *kv)
{
    return kv->shape.bf16;
}

/* ---- the hash table ------------------------------------------------------- */

/* The finaliser of splitmix64 (Steele, Lea, Flood 2014) over the words. */
static uint64_t mix(uint64_t h, uint64_t word)
{
    h = (h ^ word) + 0x9E3779B97F4A7C15u;
    h = (h ^ h >> 30) * 0xBF58476D1CE4E5B9u;
    h = (h ^ h >> 27) * 0x94D049BB133111EBu;
    return h ^ h >> 31;
}

static int32_t *bucket_of(const aim_kv_cache *kv, const struct key *k)
{
    uint64_t h = mix(k->first, k->parent);
    for (int i = 0; i < AIM_KV_BLOCK; i++)
        h = mix(h, (uint32_t)k->tokens[i]);
    return &kv->buckets[h & (kv->n_buckets - 1)];
}

static bool same_key(const struct key *a, const struct key *b)
{
    return a->parent == b->parent && a->first == b->first &&
           memcmp(a->tokens, b->tokens, sizeof a->tokens) == 0;
}

static int32_t find(const aim_kv_cache *kv, const struct key *k)
{
    int32_t i = *bucket_of(kv, k);
    while (i != NONE && !same_key(&kv->blocks[i].key, k))
        i = kv->blocks[i].next_in_bucket;
    return i;
}

static void insert(aim_kv_cache *kv, int32_t i, const struct key *k)
{
    struct block *b = &kv->blocks[i];
    int32_t *bucket = bucket_of(kv, k);
    b->key = *k;
    b->registered = true;
    b->serial = ++kv->last_serial;
    b->next_in_bucket = *bucket;
    *bucket = i;
}

static void unregister(aim_kv_cache *kv, int32_t i)
{
    struct block *b = &kv->blocks[i];
    int32_t *at = bucket_of(kv, &b->key);
    while (*at != i)
        at = &kv->blocks[*at].next_in_bucket;
    *at = b->next_in_bucket;
    b->registered = false;
    b->serial = 0;
}

/* ---- holding -------------------------------------------------------------- */

int32_t aim_kv_take(aim_kv_cache *kv)
{
    int32_t i = kv->free.head;
    if (i != NONE) {
        unlink_from(kv, &kv->free, i);
    } else if ((i = kv->evictable.head) != NONE) {
        unlink_from(kv, &kv->evictable, i);
        unregister(kv, i);
    } else {
        return NONE;
    }
    kv->blocks[i].refs = 1;
    return i;
}

void aim_kv_hold(aim_kv_cache *kv, int32_t i)
{
    struct block *b = &kv->blocks[i];
    assert(b->refs > 0 || b->registered);
    if (b->refs++ == 0)
        unlink_from(kv, &kv->evictable, i);
}

void aim_kv_release(aim_kv_cache *kv, int32_t i)
{
    struct block *b = &kv->blocks[i];
    assert(b->refs > 0);
    if (--b->refs > 0)
        return;
    if (b->registered) {
        push_tail(kv, &kv->evictable, i);
    } else {
        b->serial = 0;
        push_tail(kv, &kv->free, i);
    }
}

bool aim_kv_make_writable(aim_kv_cache *kv, int32_t *block)
{
    int32_t old = *block;
    struct block *b = &kv->blocks[old];
    if (b->refs == 1 && !b->registered) {
        b->serial = 0; /* about to differ from the block it equals */
        return true;
    }
    int32_t copy = aim_kv_take(kv);
    if (copy == NONE)
        return false;
    memcpy(kv->memory + (size_t)copy * kv->block_bytes, kv->memory + (size_t)old * kv->block_bytes,
           kv->block_bytes);
    aim_kv_release(kv, old);
    *block = copy;
    return true;
}

/* ---- the prefix cache ------------------------------------------------------ */

static struct key key_of(uint64_t parent, bool first, const int32_t *tokens)
{
    struct key k = {.parent = parent, .first = first};
    memcpy(k.tokens, tokens, sizeof k.tokens);
    return k;
}

int aim_kv_match(aim_kv_cache *kv, uint64_t salt, const int32_t *tokens, int max_tokens,
                 int32_t *table)
{
    uint64_t parent = salt;
    int n = 0;
    while (kv->prefix_cache && n < max_tokens / AIM_KV_BLOCK) {
        struct key k = key_of(parent, n == 0, tokens + (size_t)n * AIM_KV_BLOCK);
        int32_t i = find(kv, &k);
        if (i == NONE)
            break;
        aim_kv_hold(kv, i);
        parent = kv->blocks[i].serial;
        table[n++] = i;
    }
    return n;
}

void aim_kv_register(aim_kv_cache *kv, uint64_t salt, const int32_t *table, int i,
                     const int32_t *tokens)
{
    struct block *b = &kv->blocks[table[i]];
    assert(b->refs > 0);
    uint64_t parent = i == 0 ? salt : kv->blocks[table[i - 1]].serial;
    /* Without a chain up to here nobody could find the block. */
    if (!kv->prefix_cache || b->registered || (i > 0 && parent == 0))
        return;
    struct key k = key_of(parent, i == 0, tokens + (size_t)i * AIM_KV_BLOCK);
    int32_t same = find(kv, &k);
    if (same == NONE)
        insert(kv, table[i], &k);
    else
        b->serial = kv->blocks[same].serial;
}
