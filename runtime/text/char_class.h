/* SPDX-License-Identifier: Apache-2.0 */
/* char_class.h - the few classes of characters that the published
 * pre-tokenizer patterns tell apart. */
#ifndef AIM_TEXT_CHAR_CLASS_H
#define AIM_TEXT_CHAR_CLASS_H

#include "text/utf8.h"

enum aim__class {
    AIM__OTHER,   /* [^\s\p{L}\p{N}] */
    AIM__LETTER,  /* \p{L} */
    AIM__NUMBER,  /* \p{N} */
    AIM__SPACE,   /* \s (Unicode White_Space) but for the next */
    AIM__NEWLINE, /* [\r\n] */
};

extern const uint8_t aim__ascii_class[128];
enum aim__class aim__class_beyond_ascii(int32_t cp);

/* The class of the well-formed character at s; its length in *n. */
static inline enum aim__class aim__class_at(const unsigned char *s, size_t *n)
{
    if (s[0] < 0x80) {
        *n = 1;
        return (enum aim__class)aim__ascii_class[s[0]];
    }
    return aim__class_beyond_ascii(aim__utf8_get(s, n));
}

static inline bool aim__is_space(enum aim__class c)
{
    return c == AIM__SPACE || c == AIM__NEWLINE;
}

/* Letters by case, with the marks that go with them. */
enum aim__letter {
    AIM__NO_LETTER,
    AIM__UPPER,   /* [\p{Lu}\p{Lt}] */
    AIM__LOWER,   /* \p{Ll} */
    AIM__UNCASED, /* [\p{Lm}\p{Lo}\p{M}] */
};

/* Which of these the well-formed character at s is; its length in *n. */
enum aim__letter aim__letter_at(const unsigned char *s, size_t *n);

/* \w of Unicode technical standard 18: alphabetic, mark, decimal digit,
 * connector or join control. */
bool aim__is_word(int32_t cp);

#endif
