/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a growable byte buffer. A failed allocation sets `failed` and makes
 * every later call a no-op, so that a caller checks once at the end. */
#ifndef AIM_BASE_BUF_H
#define AIM_BASE_BUF_H

#include <stdbool.h>
#include <stddef.h>

typedef struct aim_buf {
    char *data;  /* len bytes, and one NUL after them once anything was added */
    size_t len, room;
    bool failed;
} aim_buf;

#define AIM_BUF_INIT {0}

/* Make room for so many bytes in all, so that adding them cannot fail. */
void aim_buf_reserve(aim_buf *b, size_t bytes);
void aim_buf_append(aim_buf *b, const void *bytes, size_t n);
void aim_buf_puts(aim_buf *b, const char *s);
void aim_buf_printf(aim_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Drop the first n bytes. */
void aim_buf_consume(aim_buf *b, size_t n);
void aim_buf_clear(aim_buf *b);
/* The content (NUL-terminated, caller frees with aim_free), leaving b empty;
 * NULL if anything failed before. */
char *aim_buf_steal(aim_buf *b, size_t *len);
void aim_buf_free(aim_buf *b);

#endif
