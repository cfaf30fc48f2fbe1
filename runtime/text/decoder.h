/* SPDX-License-Identifier: Apache-2.0 */
/* decoder.h - how the tokens of a vocabulary read: the decoder of
 * tokenizer.json. What it does to each token alone is done once, at load; the
 * rest, which depends on what came before, is the detokenizer's (detok.c).
 *
 * Threading: immutable once filled. */
#ifndef AIM_TEXT_DECODER_H
#define AIM_TEXT_DECODER_H

#include "base/buf.h"
#include "base/error.h"

#include <stdint.h>

enum { AIM__MAX_DECODERS = 16 };

/* One thing done to a token: a text is replaced, or else a character is cut off
 * the ends. */
struct aim__decoder_step {
    char *wanted, *content; /* owned; or NULL, and then: */
    char character[5];
    uint32_t start, stop; /* how often at most, at either end */
    bool lost_in_first;   /* the first token of a text has the content empty */
};

struct aim__decoder {
    struct aim__decoder_step step[AIM__MAX_DECODERS]; /* done to each token alone */
    int n;
    struct aim__decoder_step of_text; /* what is cut off the whole text; only a start */
    bool byte_level;                  /* tokens are bytes in GPT-2's alphabet (byte_alphabet.h) */
    bool byte_fallback;               /* the token <0xE2> is that byte */
    bool spaced;                      /* there is a space between any two tokens */
};

/* Does the first token of a text read otherwise than the same token later? */
bool aim__decoder_first_differs(const struct aim__decoder *d);

/* Append to out what the text of a token reads as, first in a text or later;
 * *byte tells that this is a single byte by the rule of byte_fallback. Errors:
 * ENOMEM, ETOOLARGE. */
int aim__decoder_read(const struct aim__decoder *d, const char *text, size_t len, bool first,
                      aim_buf *out, bool *byte, aim_error *err);
void aim__decoder_fini(struct aim__decoder *d);

#endif
