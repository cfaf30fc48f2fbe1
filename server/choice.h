/* SPDX-License-Identifier: Apache-2.0 */
/* choice.h - what becomes of events: one choice of a response, and the part of
 * a response that comes from its prompt. Buffers hold the whole answer, or with
 * stream what the next chunk will carry. */
#ifndef AIMD_CHOICE_H
#define AIMD_CHOICE_H

#include "engine/engine.h"
#include "server/logprobs_json.h"
#include "server/request.h"
#include "server/usage.h"

/* What the choices of one response share. */
typedef struct aimd_format {
    const aimd_request *request;
    aimd_token_style style;
    aim_buf head;          /* the JSON in front of the choices, the same in every chunk */
    aimd_chip_rates rates; /* for the usage */
} aimd_format;

/* Made once a prompt, shown in each of its n choices. */
typedef struct aimd_prompt_part {
    const aimd_prompt *prompt;
    aim_buf text;            /* echo: the prompt as text ... */
    size_t chars;            /* ... its length in characters ... */
    aimd_arrays arrays;      /* ... and its logprobs */
    aim_buf prompt_logprobs; /* list items */
} aimd_prompt_part;

typedef struct aimd_choice {
    int index; /* prompt * n + candidate */
    aim_buf text;
    aim_ids ids;           /* with return_token_ids */
    aimd_arrays arrays;    /* completions with logprobs */
    aim_buf chat_logprobs; /* chat with logprobs: list items */
    aim_detok detok;       /* for text_offset: text counted as decoded, not as released */
    size_t chars;          /* characters in front of the next token */
    bool started;          /* a chunk went out */
    enum aim_finish finish;
    int32_t stop_id;
    int stop_string;
} aimd_choice;

/* Fill the prompt's part from its event: echo, prompt_logprobs. 0 or ENOMEM. */
int aimd_prompt_part_fill(aimd_prompt_part *p, const aimd_format *f, const aim_event *e,
                          aim_error *err);
void aimd_prompt_part_free(aimd_prompt_part *p);

/* An empty choice. */
void aimd_choice_init(aimd_choice *c, const aimd_format *f, int index);
/* Take up a TOKEN or FINISH event. part: of its prompt, filled. 0 or ENOMEM. */
int aimd_choice_add(aimd_choice *c, const aimd_format *f, const aimd_prompt_part *part,
                    const aim_event *e, aim_error *err);
/* *to becomes what from is and shares nothing with it. false when out of memory: *to is
 * then to be freed, too. */
bool aimd_choice_copy(aimd_choice *to, const aimd_choice *from);
/* Forget what the last chunk carried. */
void aimd_choice_sent(aimd_choice *c);
void aimd_choice_free(aimd_choice *c);

#endif
