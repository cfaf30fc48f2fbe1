/* SPDX-License-Identifier: Apache-2.0 */
/* utf8.h - walking over bytes that may not be UTF-8. A token may hold part of
 * a character; JSON may not. */
#ifndef AIMD_UTF8_H
#define AIMD_UTF8_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>

/* Length of the character at s (n > 0 bytes are there) if *valid, otherwise of
 * the longest start of a character that one U+FFFD replaces, as Python's
 * bytes.decode("utf-8", errors="replace") does (Unicode 3.9, "maximal subpart"). */
size_t aimd_utf8_next(const char *s, size_t n, bool *valid);

/* Append s with what is not UTF-8 replaced by U+FFFD. */
void aimd_utf8_append(aim_buf *out, const char *s, size_t n);

/* Characters in n bytes of valid UTF-8. */
size_t aimd_utf8_count(const char *s, size_t n);

#endif
