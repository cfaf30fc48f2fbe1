/* SPDX-License-Identifier: Apache-2.0 */
/* vocab.h - the table of tokens: what the model joins them from, what they read
 * as, and their ids.
 *
 * Threading: immutable once filled. */
#ifndef AIM_TEXT_VOCAB_H
#define AIM_TEXT_VOCAB_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum aim__token_flag {
    AIM__TOKEN_PRESENT = 1 << 0,
    AIM__TOKEN_SPECIAL = 1 << 1,
    AIM__TOKEN_WHOLE = 1 << 2, /* merging its own text gives this one token */
};

/* What a token reads as. */
struct aim__reading {
    uint32_t start, len; /* place in the readings */
    bool byte;           /* this is a byte that need not be a character */
};

struct aim__token {
    const char *text; /* in the arena, or ""; bytes if the vocabulary is byte-level */
    uint32_t len;
    uint8_t flags;
    struct aim__reading reading[2]; /* [0] behind other tokens, [1] first in a text */
};

struct aim__vocab {
    struct aim__token *v; /* [size] */
    int32_t size;         /* one more than the highest id */
    char *arena;
    size_t used, room;
    aim_buf readings; /* what the tokens read as, one after the other */
    /* Open addressing from text to id, -1 where empty; the seed keeps a file
     * from choosing keys that collide. */
    int32_t *slots; /* [1 << bits] */
    int bits;
    uint64_t seed;
    uint32_t longest; /* bytes of the longest text that can be looked up */
};

/* Room for ids in [0, size) with arena_bytes of text, and count tokens to look
 * up. false when out of memory; fini copes with that. */
bool aim__vocab_init(struct aim__vocab *v, int32_t size, size_t arena_bytes, size_t count);
void aim__vocab_fini(struct aim__vocab *v);

/* Give id, in range, its text. The arena must have room. */
void aim__vocab_set(struct aim__vocab *v, int32_t id, const char *text, size_t len);
/* Make id findable by its text; where two tokens have the same text the first
 * stays. */
void aim__vocab_index(struct aim__vocab *v, int32_t id);
/* The id of this text, or -1. */
int32_t aim__vocab_find(const struct aim__vocab *v, const char *text, size_t len);

/* The bytes of a reading. */
static inline const char *aim__vocab_read(const struct aim__vocab *v, const struct aim__reading *r)
{
    return r->len > 0 ? v->readings.data + r->start : "";
}

#endif
