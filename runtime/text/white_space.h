/* SPDX-License-Identifier: Apache-2.0 */
/* white_space.h - runs of white space (Unicode White_Space) in well-formed
 * text. */
#ifndef AIM_TEXT_WHITE_SPACE_H
#define AIM_TEXT_WHITE_SPACE_H

#include "text/char_class.h"

/* Where the white space that ends at pos starts, from or later. */
static inline size_t aim__spaces_before(const unsigned char *s, size_t pos, size_t from)
{
    size_t n;
    while (pos > from) {
        size_t before = aim__utf8_before(s, pos);
        if (!aim__is_space(aim__class_at(s + before, &n)))
            break;
        pos = before;
    }
    return pos;
}

/* Where the white space that starts at pos ends, len or earlier. */
static inline size_t aim__spaces_after(const unsigned char *s, size_t pos, size_t len)
{
    size_t n;
    while (pos < len && aim__is_space(aim__class_at(s + pos, &n)))
        pos += n;
    return pos;
}

#endif
