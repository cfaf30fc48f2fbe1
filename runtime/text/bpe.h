/* SPDX-License-Identifier: Apache-2.0 */
/* bpe.h - byte-pair encoding of one word (Sennrich et al., "Neural machine
 * translation of rare words with subword units", ACL 2016): start with the
 * tokens of its spelling, and as long as there is one join the neighbours whose merge
 * has the lowest rank, the leftmost of equal ones.
 *
 * Threading: immutable once filled; each encoding thread has its own work. */
#ifndef AIM_TEXT_BPE_H
#define AIM_TEXT_BPE_H

#include "text/spelling.h"
#include "text/tokenizer.h"

struct aim__merge {
    int32_t left, right;
    int32_t result; /* -1: an empty slot */
    uint32_t rank;
};

struct aim__bpe {
    struct aim__spelling spelling;
    bool ignore_merges; /* a word that is a token is not merged */
    /* A text without a pre-tokenizer is one word. Its words in the usual sense
     * start with U+2581, the sign for a space; if no merge joins anything to
     * such a sign but other such signs, they can be merged one by one. */
    bool cut_at_spaces;
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
    int32_t *ids;
    struct aim__symbol *symbols;
    uint64_t *heap;
    size_t ids_room, symbols_room, heap_room, heap_n;
};
void aim__bpe_work_fini(struct aim__bpe_work *w);

/* Append the tokens of one word, len >= 1, to out. O(len log len). false when
 * out of memory. */
bool aim__bpe_encode(const struct aim__bpe *b, const struct aim__vocab *v, const char *word,
                     size_t len, struct aim__bpe_work *w, aim_ids *out);

/* Find out whether words can be cut at spaces; once all merges are there. */
void aim__bpe_find_cuts(struct aim__bpe *b, const struct aim__vocab *v);

/* Mark the tokens that a word of their own text becomes, so that most words
 * of a text cost one look-up. false when out of memory. */
bool aim__bpe_mark_whole(const struct aim__bpe *b, struct aim__vocab *v);

#endif
