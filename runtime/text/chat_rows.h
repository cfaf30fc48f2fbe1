/* SPDX-License-Identifier: Apache-2.0 */
/* chat_rows.h - what the known chat templates write, a row each. One renderer
 * (chat_render.c) serves them all; what differs is text and a few switches. */
#ifndef AIM_TEXT_CHAT_ROWS_H
#define AIM_TEXT_CHAT_ROWS_H

#include "text/chat_template.h"

enum aim__chat_role {
    AIM__SYSTEM,
    AIM__USER,
    AIM__ASSISTANT,
    AIM__TOOL,
    AIM__N_ROLES,
};

/* In the texts of a row these stand for special tokens of the tokenizer. */
#define AIM__BOS "\1"
#define AIM__EOS "\2"
/* BOS, if the tokenizer puts it in front of any text. */
#define AIM__OWN_BOS "\3"

/* What stands around the content of a message. before NULL: the template has no
 * such turn, or would leave the message out without a word. */
struct aim__chat_turn {
    const char *before, *after;
};

enum aim__chat_switch {
    /* Contents lose the white space around them. */
    AIM__TRIM = 1 << 0,
    /* User and assistant must take turns, the user first. */
    AIM__ALTERNATE = 1 << 1,
    /* The system message, which may only be the first one, is part of the first
     * user message. */
    AIM__SYSTEM_IN_USER = 1 << 2,
    /* A system message without content is left out. */
    AIM__SKIP_EMPTY_SYSTEM = 1 << 3,
    /* Of the assistant's messages only those after the last question keep what
     * stands in <think> tags. */
    AIM__THINK = 1 << 4,
    /* The assistant's messages lose what precedes the end of a <think> tag. */
    AIM__FORGET_THINK = 1 << 5,
    /* The system message, of which there may be one, comes first wherever it was. */
    AIM__SYSTEM_TO_FRONT = 1 << 6,
    /* What follows a turn stands only between turns. */
    AIM__BETWEEN = 1 << 7,
};

struct aim_chat_template {
    const char *name;
    const char *start;          /* of the prompt; NULL: nothing */
    const char *default_system; /* for a conversation that does not begin with a system message;
                                   NULL: none is added */
    const char *prelude;        /* before the content of the system message that comes first */
    struct aim__chat_turn turns[AIM__N_ROLES];
    const char *opening; /* what add_generation_prompt ends the prompt with */
    const char *closing; /* what ends it otherwise */
    unsigned switches;
};

extern const struct aim_chat_template aim__chat_rows[];
extern const size_t aim__n_chat_rows;

/* The row of this name; NULL if there is none. */
const aim_chat_template *aim__chat_row(const char *name);

#endif
