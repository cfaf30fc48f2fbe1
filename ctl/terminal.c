/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/terminal.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Bytes at s that must not be seen by a terminal: controls below U+0020, U+007F to
 * U+009F, the line separators and the marks of direction. 0 if there are none. */
static size_t unsafe(const char *s)
{
    const unsigned char *b = (const unsigned char *)s;
    if (b[0] < 0x20 || b[0] == 0x7F)
        return 1;
    if (b[0] == 0xC2 && b[1] >= 0x80 && b[1] <= 0x9F)
        return 2;
    if (b[0] != 0xE2)
        return 0;
    bool in_80 = b[1] == 0x80 && ((b[2] & 0xFE) == 0x8E || (b[2] >= 0xA8 && b[2] <= 0xAE));
    bool in_81 = b[1] == 0x81 && b[2] >= 0xA6 && b[2] <= 0xA9;
    return in_80 || in_81 ? 3 : 0;
}

void actl_escape(aim_buf *out, const char *text)
{
    while (*text) {
        size_t n = unsafe(text);
        for (size_t i = 0; i < n; i++)
            aim_buf_printf(out, "\\x%02x", (unsigned char)text[i]);
        if (n == 0)
            aim_buf_append(out, text, n = 1);
        text += n;
    }
}

static void print_escaped(FILE *to, const char *text)
{
    aim_buf line = AIM_BUF_INIT;
    actl_escape(&line, text);
    aim_buf_puts(&line, "\n");
    fputs(line.failed ? "out of memory\n" : line.data, to);
    aim_buf_free(&line);
}

void actl_complain(const char *text)
{
    fputs("analogctl: ", stderr);
    print_escaped(stderr, text);
}

void actl_say(const char *fmt, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    print_escaped(stdout, text);
}

/* jansson writes DEL as it is; only inside strings can it be. */
static int put_json(const char *bytes, size_t n, void *arg)
{
    (void)arg;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] == 0x7F)
            fputs("\\u007f", stdout);
        else
            putchar(bytes[i]);
    return 0;
}

void actl_print_json(const json_t *value)
{
    /* 15 digits bring back every figure with up to 15 as it was written. */
    json_dump_callback(value, put_json, NULL,
                       JSON_COMPACT | JSON_ENSURE_ASCII | JSON_ENCODE_ANY |
                           JSON_REAL_PRECISION(15));
    putchar('\n');
}

void actl_print_json_list(const json_t *list)
{
    size_t i;
    const json_t *item;
    json_array_foreach(list, i, item)
    {
        actl_print_json(item);
    }
}
