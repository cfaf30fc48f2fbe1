/* SPDX-License-Identifier: Apache-2.0 */
/* usage.h - what a request took, as its answer tells: tokens, and what a chip
 * would have spent on them. */
#ifndef AIMD_USAGE_H
#define AIMD_USAGE_H

#include "base/buf.h"
#include "engine/engine.h"

#include <stdbool.h>
#include <stdint.h>

/* A pure function of the lengths of prompts and answers, and of what the prefix
 * cache had: rows that were computed again for want of memory do not count. */
typedef struct aimd_usage {
    int64_t prompt_tokens;     /* each prompt once */
    int64_t completion_tokens; /* all choices, end-of-sequence tokens too */
    int64_t cached_tokens;     /* of the prompts, found in the prefix cache */
    uint64_t rows, head_rows;  /* through the blocks of the model, and through lm_head */
    bool with_rewards;         /* a reward model scored the candidates, ... */
    int64_t reward_tokens;     /* ... reading so many tokens, each time all of a conversation */
} aimd_usage;

/* A prompt has been computed, but for what was cached. Through lm_head go the rows in
 * front of its tokens if these are scored, and its last row, which its choices share, if it
 * is answered. */
void aimd_usage_add_prompt(aimd_usage *u, int64_t tokens, int64_t cached_tokens, bool scored,
                           bool answered);
/* A choice got a token. The first comes from the prompt's row, each other one from
 * the row of the token in front of it. */
void aimd_usage_add_token(aimd_usage *u, bool first_of_choice);

/* Candidates go on from the beginning of an answer: they share the row of its last
 * token, which gives the first new one of each. */
void aimd_usage_go_on(aimd_usage *u);

/* The steps of an answer have been scored: so many rows of it go through the head. */
void aimd_usage_add_scored(aimd_usage *u, int64_t tokens, int64_t cached_tokens, int n_scores);

/* What a chip takes for a row through the blocks, and through lm_head. */
typedef struct aimd_chip_rates {
    bool on_chip; /* false: digital, the rest is zero */
    aim_chip_cost row, head_row;
} aimd_chip_rates;

/* Of a decoder that is loaded. */
aimd_chip_rates aimd_chip_rates_of(const aim_decoder *d);

aim_chip_cost aimd_usage_chip_cost(const aimd_usage *u, const aimd_chip_rates *rates);

/* OpenAI's object; for a model on a chip with the member "aimc". */
void aimd_write_usage(aim_buf *out, const aimd_usage *u, const aimd_chip_rates *rates);

#endif
