/* SPDX-License-Identifier: Apache-2.0 */
#include "server/utf8.h"

#include "text/utf8.h"

size_t aimd_utf8_next(const char *s, size_t n, bool *valid)
{
    unsigned char lead = (unsigned char)s[0];
    size_t want = aim_utf8_length(lead), have = 1;
    while (have < want && have < n && aim_utf8_follows(lead, have, (unsigned char)s[have]))
        have++;
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
