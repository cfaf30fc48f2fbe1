/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz_vocabulary.h - the vocabulary of the 256 bytes, for a tokenizer.json in memory. */
#ifndef AIM_TESTS_FUZZ_FUZZ_VOCABULARY_H
#define AIM_TESTS_FUZZ_FUZZ_VOCABULARY_H

#include "base/buf.h"

/* Append byte b as byte-level vocabularies write it. */
static inline void put_byte_char(aim_buf *out, int b)
{
    int cp = 0, others = 0;
    for (int i = 0; i <= b; i++) {
        bool printable = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        cp = printable ? i : 256 + others++;
    }
    if (cp == '"' || cp == '\\')
        aim_buf_puts(out, "\\");
    if (cp < 0x80)
        aim_buf_printf(out, "%c", cp);
    else
        aim_buf_printf(out, "%c%c", 0xC0 | cp >> 6, 0x80 | (cp & 0x3F));
}

/* Append the entries of all bytes, each with itself as its id and a comma behind it. */
static inline void put_byte_vocabulary(aim_buf *out)
{
    for (int b = 0; b < 256; b++) {
        aim_buf_puts(out, "\"");
        put_byte_char(out, b);
        aim_buf_printf(out, "\":%d,", b);
    }
}

#endif
