/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "text/chat_slice.h"

#include "text/char_class.h"

#include <string.h>

/* Unicode's white space and the four separators of ASCII. */
static bool is_space(const unsigned char *s)
{
    size_t n;
    return aim__is_space(aim__class_at(s, &n)) || (*s >= 0x1c && *s <= 0x1f);
}

struct aim__slice aim__slice_trim_start(struct aim__slice x)
{
    while (x.len > 0 && is_space((const unsigned char *)x.s)) {
        size_t n = aim_utf8_length((unsigned char)*x.s);
        x.s += n;
        x.len -= n;
    }
    return x;
}

struct aim__slice aim__slice_trim_end(struct aim__slice x)
{
    const unsigned char *s = (const unsigned char *)x.s;
    while (x.len > 0) {
        size_t last = aim__utf8_before(s, x.len);
        if (!is_space(s + last))
            break;
        x.len = last;
    }
    return x;
}

struct aim__slice aim__slice_strip_start_lines(struct aim__slice x)
{
    for (; x.len > 0 && *x.s == '\n'; x.s++)
        x.len--;
    return x;
}

struct aim__slice aim__slice_strip_end_lines(struct aim__slice x)
{
    while (x.len > 0 && x.s[x.len - 1] == '\n')
        x.len--;
    return x;
}

bool aim__slice_starts_with(struct aim__slice x, const char *s)
{
    size_t n = strlen(s);
    return x.len >= n && memcmp(x.s, s, n) == 0;
}

bool aim__slice_ends_with(struct aim__slice x, const char *s)
{
    size_t n = strlen(s);
    return x.len >= n && memcmp(x.s + x.len - n, s, n) == 0;
}

bool aim__slice_contains(struct aim__slice x, struct aim__slice part)
{
    return part.len == 0 || memmem(x.s, x.len, part.s, part.len);
}

struct aim__slice aim__slice_before_first(struct aim__slice x, const char *s)
{
    const char *found = memmem(x.s, x.len, s, strlen(s));
    return found ? (struct aim__slice){x.s, (size_t)(found - x.s)} : x;
}

struct aim__slice aim__slice_after_last(struct aim__slice x, const char *s)
{
    size_t n = strlen(s);
    const char *found;
    while ((found = memmem(x.s, x.len, s, n)))
        x = (struct aim__slice){found + n, x.len - n - (size_t)(found - x.s)};
    return x;
}
