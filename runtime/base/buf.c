/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include "base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Room for n more bytes and a NUL. */
static bool reserve(aim_buf *b, size_t n)
{
    size_t want;
    if (b->failed)
        return false;
    if (!aim_add(b->len, n, &want) || !aim_add(want, 1, &want) ||
        !aim_grow(&b->data, &b->room, want, 1))
        b->failed = true;
    return !b->failed;
}

void aim_buf_reserve(aim_buf *b, size_t bytes)
{
    if (bytes > b->len)
        reserve(b, bytes - b->len);
}

void aim_buf_append(aim_buf *b, const void *bytes, size_t n)
{
    if (!reserve(b, n))
        return;
    if (n)
        memcpy(b->data + b->len, bytes, n);
    b->len += n;
    b->data[b->len] = '\0';
}

void aim_buf_puts(aim_buf *b, const char *s)
{
    aim_buf_append(b, s, strlen(s));
}

void aim_buf_printf(aim_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || !reserve(b, (size_t)n)) {
        b->failed = true;
        return;
    }
    va_start(ap, fmt);
    vsnprintf(b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
}

void aim_buf_consume(aim_buf *b, size_t n)
{
    if (n > b->len)
        n = b->len;
    if (n == 0)
        return;
    memmove(b->data, b->data + n, b->len - n);
    b->len -= n;
    b->data[b->len] = '\0';
}

void aim_buf_clear(aim_buf *b)
{
    b->len = 0;
    if (b->data)
        b->data[0] = '\0';
}

char *aim_buf_steal(aim_buf *b, size_t *len)
{
    if (!reserve(b, 0)) {
        aim_buf_free(b);
        return NULL;
    }
    char *data = b->data;
    data[b->len] = '\0';
    if (len)
        *len = b->len;
    *b = (aim_buf)AIM_BUF_INIT;
    return data;
}

void aim_buf_free(aim_buf *b)
{
    aim_free(b->data);
    *b = (aim_buf)AIM_BUF_INIT;
}
