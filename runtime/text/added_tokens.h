/* SPDX-License-Identifier: Apache-2.0 */
/* added_tokens.h - tokens that are found in the text before it is cut into
 * words: the special ones, and others somebody added to the vocabulary.
 *
 * Threading: immutable once sorted. */
#ifndef AIM_TEXT_ADDED_TOKENS_H
#define AIM_TEXT_ADDED_TOKENS_H

#include "text/tokenizer.h"

struct aim__added_token {
    const char *text; /* what is searched for: the content, or this in normal form, */
    char *owned;      /* which is freed with the set; else NULL */
    uint32_t len;     /* >= 1 */
    int32_t id;
    bool special, lstrip, rstrip, single_word;
};

struct aim__added_set {
    struct aim__added_token *v; /* sorted by bytes */
    size_t n;
    uint32_t first[257]; /* v[first[b]] to v[first[b + 1]] start with byte b */
    bool any_special;
};

void aim__added_fini(struct aim__added_set *set);

/* Bring v[0, n) in order, once all are there. */
void aim__added_sort(struct aim__added_set *set);
/* The token that is searched for by exactly this text, or NULL. */
const struct aim__added_token *aim__added_find(const struct aim__added_set *set, const char *text,
                                               size_t len);

/* Where special tokens count. */
struct aim__special_rule {
    bool parse;            /* else not at all */
    const aim_span *plain; /* but nowhere that shares a byte with one of these */
    size_t n_plain;
};

/* The first of n sorted spans that ends behind pos; n if there is none. */
size_t aim__first_span(const aim_span *spans, size_t n, size_t pos);

struct aim__added_match {
    size_t start, stop; /* with the white space it takes along */
    size_t next;        /* where the search goes on: white space can be taken twice */
    int32_t id;
};

/* From one match, zeroed to begin with, to the next: the leftmost one, the
 * longest there; false if there is none. It may start before the stop of the
 * one before. The spans of the rule count from text - base. */
bool aim__added_next(const struct aim__added_set *set, const struct aim__special_rule *rule,
                     const char *text, size_t len, size_t base, struct aim__added_match *m);

#endif
