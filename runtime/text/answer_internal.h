/* SPDX-License-Identifier: Apache-2.0 */
/* answer_internal.h - between the files of answers. */
#ifndef AIM_TEXT_ANSWER_INTERNAL_H
#define AIM_TEXT_ANSWER_INTERNAL_H

#include "text/answer.h"
#include "text/chat_slice.h"

/* What the last match of the pattern in text, len >= 1, means (a part of text). false:
 * there is none, a limit was hit, or *no_memory. */
bool aim__answer_match(const aim_answer_pattern *p, struct aim__slice text,
                       struct aim__slice *found, bool *no_memory);

#endif
