/* SPDX-License-Identifier: Apache-2.0 */
#include "server/utf8.h"

/* Length of the character that starts with lead, and the range of its second
 * byte, which excludes overlong forms, surrogates and values over U+10FFFF;
 * 0 if no character starts so (Unicode table 3-7). */
static size_t sequence_length(unsigned char lead, unsigned char *lo, unsigned char *hi)
{
    *lo = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    *hi = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return 3;
    return lead >= 0xF0 && lead <= 0xF4 ? 4 : 0;
}

size_t aimd_utf8_next(const char *s, size_t n, bool *valid)
{
    unsigned char lo, hi;
    size_t want = sequence_length((unsigned char)s[0], &lo, &hi);
    size_t have = 1;
    while (have < want && have < n) {
        unsigned char c = (unsigned char)s[have];
        if (c < lo || c > hi)
            break;
        lo = 0x80;
        hi = 0xBF;
        have++;
    }
    *valid = have == want;
    return have;
}

void aimd_utf8_append(aim_buf *out, const char *s, size_t n)
{
    for (size_t i = 0; i < n;) {
        bool valid;
        size_t len = aimd_utf8_next(s + i, n - i, &valid);
        if (valid)
            aim_buf_append(out, s + i, len);
        else
            aim_buf_puts(out, "\xEF\xBF\xBD");
        i += len;
    }
}

size_t aimd_utf8_count(const char *s, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += ((unsigned char)s[i] & 0xC0) != 0x80;
    return count;
}
