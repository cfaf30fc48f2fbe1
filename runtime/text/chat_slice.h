/* SPDX-License-Identifier: Apache-2.0 */
/* chat_slice.h - parts of a message and the few operations of Python strings
 * that templates do on them. Contents are well-formed UTF-8. */
#ifndef AIM_TEXT_CHAT_SLICE_H
#define AIM_TEXT_CHAT_SLICE_H

#include <stdbool.h>
#include <stddef.h>

struct aim__slice {
    const char *s;
    size_t len;
};

/* lstrip() and rstrip(): all of Unicode's white space. */
struct aim__slice aim__slice_trim_start(struct aim__slice x);
struct aim__slice aim__slice_trim_end(struct aim__slice x);

/* lstrip('\n') and rstrip('\n'). */
struct aim__slice aim__slice_strip_start_lines(struct aim__slice x);
struct aim__slice aim__slice_strip_end_lines(struct aim__slice x);

bool aim__slice_starts_with(struct aim__slice x, const char *s);
bool aim__slice_ends_with(struct aim__slice x, const char *s);
bool aim__slice_contains(struct aim__slice x, struct aim__slice part);

/* split(s)[0] and split(s)[-1]: x itself where s does not stand in it. */
struct aim__slice aim__slice_before_first(struct aim__slice x, const char *s);
struct aim__slice aim__slice_after_last(struct aim__slice x, const char *s);

#endif
