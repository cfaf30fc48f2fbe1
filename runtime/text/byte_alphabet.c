/* SPDX-License-Identifier: Apache-2.0 */
#include "text/byte_alphabet.h"

#include "text/utf8.h"

/* Bytes that are printable in Latin-1 stand for themselves; the other 68 are
 * written as U+0100 and up, in order: 0-32, 127-160, 173. */
static int byte_of(int32_t cp)
{
    if ((cp >= 0x21 && cp <= 0x7E) || (cp >= 0xA1 && cp <= 0xFF && cp != 0xAD))
        return (int)cp;
    if (cp < 0x100 || cp > 0x143)
        return -1;
    int i = (int)cp - 0x100;
    return i <= 32 ? i : i <= 66 ? i - 33 + 127 : 0xAD;
}

ptrdiff_t aim__byte_alphabet_decode(const char *text, size_t len, unsigned char *out)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t n, count = 0;
    for (size_t pos = 0; pos < len; pos += n) {
        int b = byte_of(aim__utf8_get(s + pos, &n));
        if (b < 0)
            return -1;
        out[count++] = (unsigned char)b;
    }
    return (ptrdiff_t)count;
}
