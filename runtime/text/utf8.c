/* SPDX-License-Identifier: Apache-2.0 */
#include "text/utf8.h"

#include <string.h>

size_t aim__utf8_skip_ascii(const unsigned char *s, size_t pos, size_t len)
{
    uint64_t word;
    for (; len - pos >= sizeof word; pos += sizeof word) {
        memcpy(&word, s + pos, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    while (pos < len && s[pos] < 0x80)
        pos++;
    return pos;
}

size_t aim__utf8_check(const char *text, size_t len)
{
    const unsigned char *s = (const unsigned char *)text;
    size_t pos = aim__utf8_skip_ascii(s, 0, len);
    while (pos < len) {
        size_t n = aim_utf8_length(s[pos]);
        if (n == 0 || n > len - pos)
            return pos;
        for (size_t i = 1; i < n; i++)
            if (!aim_utf8_follows(s[pos], i, s[pos + i]))
                return pos;
        pos = aim__utf8_skip_ascii(s, pos + n, len);
    }
    return len;
}
