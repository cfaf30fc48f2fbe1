/* SPDX-License-Identifier: Apache-2.0 */
/* added_tokens.h - tokens that are found in the text before it is cut into
 * words: the special ones, and others somebody added to the vocabulary.
 *
 * Threading: immutable once sorted. */
#ifndef AIM_TEXT_ADDED_TOKENS_H
#define AIM_TEXT_ADDED_TOKENS_H

#include "text/tokenizer.h"

struct aim__added_token {
    const char *text; /* borrowed from the vocabulary, len >= 1 */
    uint32_t len;
    int32_t id;
    bool special, lstrip, rstrip, single_word;
};

struct aim__added_set {
    struct aim__added_token *v; /* sorted by bytes */
    size_t n;
    uint32_t first[257]; /* v[first[b]] to v[first[b + 1]] start with byte b */
};

/* Bring v[0, n) in order, once all are there. */
void aim__added_sort(struct aim__added_set *set);
/* The token with exactly this text, or NULL. */
const struct aim__added_token *aim__added_find(const struct aim__added_set *set, const char *text,
                                               size_t len);

/* Where special tokens count. */
struct aim__special_rule {
    bool parse;            /* else not at all */
    const aim_span *plain; /* but nowhere that shares a byte with one of these */
    size_t n_plain;
};

struct aim__added_match {
    size_t start, stop; /* with the white space it takes along */
    int32_t id;
};

/* The leftmost match at or after from, the longest there; false if there is
 * none. The spans of the rule count from text - base. */
bool aim__added_next(const struct aim__added_set *set, const struct aim__special_rule *rule,
                     const char *text, size_t len, size_t base, size_t from,
                     struct aim__added_match *m);

#endif
