/* SPDX-License-Identifier: Apache-2.0 */
/* answer_bytes.h - classes of bytes, whatever the locale. */
#ifndef AIM_TEXT_ANSWER_BYTES_H
#define AIM_TEXT_ANSWER_BYTES_H

#include <stdbool.h>

static inline bool aim__is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool aim__is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static inline bool aim__is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Bytes beyond ASCII are letters as well. */
static inline bool aim__is_word_byte(char c)
{
    return aim__is_letter(c) || (unsigned char)c >= 0x80;
}

#endif
