/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.h - byte-pair encoding of one word (Sennrich et al., "Neural machine
 * translation of rare words with subword units", ACL 2016): start with one
 * token a byte, and as long as there is one join the neighbours whose merge
 * has the lowest rank, the leftmost of equal ones.
 *
 * Threading: immutable once filled; each encoding thread has its own work. */
#ifndef AIM_TEXT_BPE_H
#define AIM_TEXT_BPE_H

#include "text/tokenizer.h"
#include "text/vocab.h"

struct aim__merge {
    int32_t left, right;
    int32_t result; /* -1: an empty slot */
    uint32_t rank;
};

struct aim__bpe {
    int32_t byte_id[256];
    bool ignore_merges;        /* a word that is a token is not merged */
    struct aim__merge *merges; /* open addressing, [1 << bits] */
    int bits;
    uint64_t seed;
};

/* Room for count merges; false when out of memory. */
bool aim__bpe_init(struct aim__bpe *b, size_t count);
void aim__bpe_fini(struct aim__bpe *b);
/* A later merge of the same pair replaces the earlier one. */
void aim__bpe_add(struct aim__bpe *b, int32_t left, int32_t right, int32_t result, uint32_t rank);

/* Memory for long words, kept from word to word; zeroed to begin with. */
struct aim__bpe_work {
    struct aim__symbol *symbols;
    uint64_t *heap;
    size_t symbols_room, heap_room, heap_n;
};
void aim__bpe_work_fini(struct aim__bpe_work *w);

/* Append the tokens of one word, len >= 1, to out. O(len log len). false when
 * out of memory. */
bool aim__bpe_encode(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                     size_t len, struct aim__bpe_work *w, aim_ids *out);

/* Mark the tokens that a word of their own bytes becomes, so that most words
 * of a text cost one look-up. false when out of memory. */
bool aim__bpe_mark_whole(const struct aim__bpe *b, struct aim__vocab *v);

#endif
