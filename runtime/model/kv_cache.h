/* SPDX-License-Identifier: Apache-2.0 */
/* kv_cache.h - keys and values in paged, reference-counted blocks, and the
 * automatic prefix cache on top of them.
 *
 * A block holds the keys and values of AIM_KV_BLOCK consecutive positions of
 * all layers. A sequence holds a table of block numbers; several sequences may
 * hold the same block (candidates of one prompt, prompts with a common
 * beginning). Nobody writes a block that is shared: aim_kv_make_writable copies
 * it first. A full block whose content is known is registered under (the block
 * before it, its tokens); when the last holder lets go it stays in memory until
 * its room is needed, oldest first.
 * Threading: the engine thread owns the cache; kernels only read and write the
 * memory of blocks. */
#ifndef AIM_MODEL_KV_CACHE_H
#define AIM_MODEL_KV_CACHE_H

#include "base/error.h"
#include "tensor/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { AIM_KV_BLOCK = 16 };

/* Blocks that hold so many tokens. */
static inline int aim_kv_blocks_for(int tokens)
{
    return (tokens + AIM_KV_BLOCK - 1) / AIM_KV_BLOCK;
}

typedef struct aim_kv_cache aim_kv_cache;

typedef struct aim_kv_shape {
    int layers, kv_heads, head_dim;
    bool bf16; /* else float32 */
} aim_kv_shape;

size_t aim_kv_block_bytes(const aim_kv_shape *shape);
/* Bytes of a cache of n_blocks >= 1 blocks, bookkeeping included. */
size_t aim_kv_bytes(const aim_kv_shape *shape, int n_blocks);
aim_kv_cache *aim_kv_new(const aim_kv_shape *shape, int n_blocks, bool prefix_cache,
                         aim_error *err);
void aim_kv_free(aim_kv_cache *kv);

int aim_kv_total(const aim_kv_cache *kv);     /* blocks in all */
int aim_kv_available(const aim_kv_cache *kv); /* free, or cached and unheld */
int aim_kv_held(const aim_kv_cache *kv);      /* held by sequences */

/* A block with one holder, or -1 if none is available. */
int32_t aim_kv_take(aim_kv_cache *kv);
void aim_kv_hold(aim_kv_cache *kv, int32_t block);
/* Release a table from its end: what was released first is evicted first, and a
 * chain is found from its beginning. */
void aim_kv_release(aim_kv_cache *kv, int32_t block);
/* Replace *block by a private copy unless the caller is its only holder and it
 * is not registered. false if no block is available. */
bool aim_kv_make_writable(aim_kv_cache *kv, int32_t *block);

/* Hold the longest chain of registered blocks that equals the beginning of
 * tokens, in whole blocks, at most max_tokens; returns how many blocks were
 * written to table. salt separates caches that must not share (0: common). */
int aim_kv_match(aim_kv_cache *kv, uint64_t salt, const int32_t *tokens, int max_tokens,
                 int32_t *table);
/* Register full block i of a sequence whose blocks before it are registered or
 * equal to registered ones; tokens are those of the whole sequence. */
void aim_kv_register(aim_kv_cache *kv, uint64_t salt, const int32_t *table, int i,
                     const int32_t *tokens);

/* Address pattern of a layer for the attention kernel. */
void aim_kv_layer(const aim_kv_cache *kv, int layer, aim_attention *a);
/* Where key (value: behind v_offset) of (layer, block, head, slot) lies. */
unsigned char *aim_kv_key(aim_kv_cache *kv, int layer, int32_t block, int head, int slot);
size_t aim_kv_value_offset(const aim_kv_cache *kv);
bool aim_kv_is_bf16(const aim_kv_cache *kv);

#endif
