/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - the byte rules of well-formed UTF-8 (Unicode table 3-7), shared by
 * the check of incoming text and the replacement of broken output. */
#ifndef AIM_TEXT_UTF8_H
#define AIM_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the character that starts with lead; 0 if none can. */
static inline size_t aim_utf8_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead < 0xC2 || lead > 0xF4)
        return 0;
    return lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* Can b be byte number index (1 to 3) of a character that starts with lead?
 * The second byte is where overlong forms, surrogates and values above
 * U+10FFFF are shut out. */
static inline bool aim_utf8_follows(unsigned char lead, size_t index, unsigned char b)
{
    unsigned char lo = 0x80, hi = 0xBF;
    if (index == 1) {
        if (lead == 0xE0)
            lo = 0xA0;
        else if (lead == 0xED)
            hi = 0x9F;
        else if (lead == 0xF0)
            lo = 0x90;
        else if (lead == 0xF4)
            hi = 0x8F;
    }
    return b >= lo && b <= hi;
}

/* The code point at s, which must be well-formed; its length in *n. */
static inline int32_t aim__utf8_get(const unsigned char *s, size_t *n)
{
    if (s[0] < 0x80) {
        *n = 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *n = 2;
        return (s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    }
    if (s[0] < 0xF0) {
        *n = 3;
        return (s[0] & 0x0F) << 12 | (s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    }
    *n = 4;
    return (s[0] & 0x07) << 18 | (s[1] & 0x3F) << 12 | (s[2] & 0x3F) << 6 | (s[3] & 0x3F);
}

/* The start of the character that ends before s[pos], pos > 0. */
static inline size_t aim__utf8_before(const unsigned char *s, size_t pos)
{
    do
        pos--;
    while (pos > 0 && (s[pos] & 0xC0) == 0x80);
    return pos;
}

/* Offset of the first byte at or after pos that is not ASCII, len if all are. */
size_t aim__utf8_skip_ascii(const unsigned char *s, size_t pos, size_t len);

/* Offset of the first byte that is not part of a well-formed character, len if
 * all is well. */
size_t aim__utf8_check(const char *text, size_t len);
static inline bool aim_utf8_valid(const char *text, size_t len)
{
    return aim__utf8_check(text, len) == len;
}

#endif
