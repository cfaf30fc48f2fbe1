/* SPDX-License-Identifier: Apache-2.0 */
/* byte_alphabet.h - GPT-2's alphabet of 256 printable characters, one a byte,
 * in which byte-level vocabularies are written down. */
#ifndef AIM_TEXT_BYTE_ALPHABET_H
#define AIM_TEXT_BYTE_ALPHABET_H

#include <stddef.h>

/* The bytes that len bytes of well-formed UTF-8 stand for, into out (room for
 * len). Returns their number, or -1 if a character is not of the alphabet. */
ptrdiff_t aim__byte_alphabet_decode(const char *text, size_t len, unsigned char *out);

#endif
