/* SPDX-License-Identifier: Apache-2.0 */
/* logprobs_json.h - log-probabilities in the three forms clients read: the
 * arrays of completions, the content list of chat, vLLM's prompt_logprobs. All
 * are written as list items, separated by commas, into growing buffers. */
#ifndef AIMD_LOGPROBS_JSON_H
#define AIMD_LOGPROBS_JSON_H

#include "base/buf.h"
#include "engine/sampler.h"
#include "text/tokenizer.h"

/* How a token is written: its text, made UTF-8, or "token_id:123". */
typedef struct aimd_token_style {
    const aim_tokenizer *tokenizer;
    bool as_ids;
} aimd_token_style;

/* What the model made of one place: the token that stands there, and the
 * likeliest ones, best first. */
typedef struct aimd_scored {
    int32_t id;
    float logprob;
    int rank;
    const aim_token_logprob *top;
    int n_top;
} aimd_scored;

/* The four arrays of a completion's logprobs, as items without brackets. */
typedef struct aimd_arrays {
    aim_buf tokens, token_logprobs, top_logprobs, text_offset;
} aimd_arrays;

/* Add one place. scored: its first n_top entries are listed, and the token
 * itself with the very same number; of ids with the same text the likeliest
 * stands. unscored (the first token of a prompt): null in both arrays. */
void aimd_arrays_add(aimd_arrays *a, const aimd_token_style *style, const aimd_scored *scored,
                     size_t text_offset);
void aimd_arrays_add_unscored(aimd_arrays *a, const aimd_token_style *style, int32_t id,
                              size_t text_offset);
/* {"tokens":[...],...}; first may be NULL and comes before second. */
void aimd_arrays_write(const aimd_arrays *first, const aimd_arrays *second, aim_buf *out);
void aimd_arrays_clear(aimd_arrays *a);
void aimd_arrays_free(aimd_arrays *a);
bool aimd_arrays_failed(const aimd_arrays *a);

/* Add {"token":..,"logprob":..,"bytes":[..],"top_logprobs":[..]} to a list. */
void aimd_chat_logprob_add(aim_buf *list, const aimd_token_style *style, const aimd_scored *scored);

/* Add {"<id>":{"logprob":..,"rank":..,"decoded_token":..},...} to a list. */
void aimd_prompt_logprob_add(aim_buf *list, const aimd_token_style *style,
                             const aimd_scored *scored);

#endif
