/* SPDX-License-Identifier: Apache-2.0 */
/* plain_text.h - names in torch files are printable ASCII: torch names its
 * members so, parameters are Python identifiers joined by dots, and a name that
 * passed may stand in an error or a log as it is. */
#ifndef AIM_CHECKPOINT_PLAIN_TEXT_H
#define AIM_CHECKPOINT_PLAIN_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Is text one byte or more, each from '!' to '~' or a space? */
static inline bool aim__is_plain_text(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] < ' ' || text[i] > '~')
            return false;
    return len > 0;
}

#endif
