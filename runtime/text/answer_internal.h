/* SPDX-License-Identifier: Apache-2.0 */
/* answer_internal.h - between the files of answers. */
#ifndef AIM_TEXT_ANSWER_INTERNAL_H
#define AIM_TEXT_ANSWER_INTERNAL_H

#include "text/answer.h"
#include "text/chat_slice.h"

#include <stdint.h>

enum { AIM__ANSWER_WORK = 1 << 23 }; /* units of work that a search may take, some 5 ns each */

struct aim__answer_match {
    bool any;
    struct aim__slice found; /* if any: a part of the text */
    bool gave_up;            /* the pattern ran into its limits */
    bool no_memory;
    uint64_t work; /* at most AIM__ANSWER_WORK */
};

/* What the last match of the pattern at the end of a text, len >= 1, means. */
struct aim__answer_match aim__answer_match(const aim_answer_pattern *p, struct aim__slice text);

#endif
