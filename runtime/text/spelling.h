/* SPDX-License-Identifier: Apache-2.0 */
/* spelling.h - the tokens that a word is made of before any are merged: one a
 * byte, or one a character in the manner of sentencepiece, where a character
 * without a token falls back to the tokens of its bytes ("<0xE2>") or to the
 * unknown token.
 *
 * Threading: immutable once filled. */
#ifndef AIM_TEXT_SPELLING_H
#define AIM_TEXT_SPELLING_H

#include "text/vocab.h"

struct aim__spelling {
    bool by_byte;         /* of bytes only */
    int32_t byte_id[256]; /* the tokens of the bytes; -1 where there is none */
    int32_t unknown;      /* the unknown token, -1 if there is none: nothing is put then */
    bool fuse_unknown;    /* one for all unknown characters in a row */
};

/* Put the tokens of a word into ids, which has room for one a byte; returns
 * their number. */
size_t aim__spell(const struct aim__spelling *s, const struct aim__vocab *v, const char *word,
                  size_t len, int32_t *ids);

#endif
