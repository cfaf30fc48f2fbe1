/* SPDX-License-Identifier: Apache-2.0 */
/* vocab.h - the table of tokens: id to bytes, and bytes to id.
 *
 * Threading: immutable once filled. */
#ifndef AIM_TEXT_VOCAB_H
#define AIM_TEXT_VOCAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aim__token_flag {
    AIM__TOKEN_PRESENT = 1 << 0,
    AIM__TOKEN_SPECIAL = 1 << 1,
    AIM__TOKEN_WHOLE = 1 << 2, /* merging its own bytes gives this one token */
};

struct aim__token {
    const char *bytes; /* in the arena, or "" */
    uint32_t len;
    uint8_t flags;
};

struct aim__vocab {
    struct aim__token *v; /* [size] */
    int32_t size;         /* one more than the highest id */
    char *arena;
    size_t used, room;
    /* Open addressing from bytes to id, -1 where empty; the seed keeps a file
     * from choosing keys that collide. */
    int32_t *slots; /* [1 << bits] */
    int bits;
    uint64_t seed;
    uint32_t longest; /* bytes of the longest token that can be looked up */
};

/* Room for ids in [0, size) with arena_bytes of text, and count tokens to look
 * up. false when out of memory; fini copes with that. */
bool aim__vocab_init(struct aim__vocab *v, int32_t size, size_t arena_bytes, size_t count);
void aim__vocab_fini(struct aim__vocab *v);

/* Give id, in range, its bytes. The arena must have room. */
void aim__vocab_set(struct aim__vocab *v, int32_t id, const char *bytes, size_t len);
/* Make id findable by its bytes; where two tokens have the same bytes the
 * first stays. */
void aim__vocab_index(struct aim__vocab *v, int32_t id);
/* The id of these bytes, or -1. */
int32_t aim__vocab_find(const struct aim__vocab *v, const char *bytes, size_t len);

#endif
