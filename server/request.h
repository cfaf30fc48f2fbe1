/* SPDX-License-Identifier: Apache-2.0 */
/* request.h - from a request body to what the engine takes: fields checked,
 * prompts tokenized. Pure functions, called on a worker thread. */
#ifndef AIMD_REQUEST_H
#define AIMD_REQUEST_H

#include "checkpoint/hf_config.h"
#include "engine/engine.h"
#include "server/params.h"
#include "server/search_request.h"
#include "text/chat_template.h"

enum {
    AIMD_MAX_STOP_BYTES = 1024, /* of one stop string */
    AIMD_MAX_STOP_IDS = 256,
    AIMD_DEFAULT_MAX_TOKENS = 16, /* of completions, as OpenAI has it */
};

/* What reading a request needs to know of the server and the model. */
typedef struct aimd_scope {
    const aimd_options *options;
    const aim_tokenizer *tokenizer;
    const aim_chat_template *chat; /* NULL: chat_error says why */
    const aim_error *chat_error;
    const aim_hf_config *config;
    int max_context;                    /* tokens of prompt and answer */
    const aimd_search_defaults *search; /* the model's; NULL: none */
    bool read_noise;                    /* answers vary even at temperature 0 */
} aimd_scope;

typedef struct aimd_prompt {
    int32_t *tokens;
    int n_tokens;
    int n_added;    /* leading tokens the tokenizer added: no part of the client's text */
    int max_tokens; /* what this prompt may generate */
} aimd_prompt;

typedef struct aimd_request {
    enum aimd_body_route route;
    aimd_params params;
    int64_t seed;                                         /* the client's, or one drawn */
    double temperature, top_p, min_p, repetition_penalty; /* after the model's defaults */
    int top_k;
    int logprobs; /* likeliest tokens to list at each place; -1: no logprobs */
    aimd_prompt *prompts;
    size_t n_prompts;
    char **stop;
    size_t n_stop;
    int32_t *stop_ids;
    size_t n_stop_ids;
    aim_logit_bias *bias;
    size_t n_bias;
    aimd_search_request search;
} aimd_request;

/* Fill *r, which is zeroed but for route and params (aimd_params_read), from
 * the body. On failure, too, *r must be freed. Errors carry param. */
int aimd_request_read(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err);
void aimd_request_fini(aimd_request *r);
/* AIM_EINVAL: the field, and what is wrong with it, such as "must be an object". */
int aimd__bad_field(const char *param, const char *why, aim_error *err);

/* Does an answer go on from text the client sent, so that it keeps a space at its
 * start? A message of a chat is a text of its own. */
bool aimd_request_continues(const aimd_request *r);

/* The request of prompt i, for aim_engine_submit. NULL when out of memory. */
aim_request *aimd_request_for_engine(const aimd_request *r, size_t i, void *user);

/* ---- logprobs (logprob_limits.c) ---------------------------------------- */

/* Are alternatives asked for that the vocabulary has? 0 or EINVAL. */
int aimd_check_top_logprobs(const aimd_scope *scope, const aimd_request *r, aim_error *err);
/* Could the answer hold more entries than max_logprob_entries? 0 or EINVAL;
 * prompts must be read, with their max_tokens. */
int aimd_check_logprob_entries(const aimd_scope *scope, const aimd_request *r, aim_error *err);
/* Tokens that a choice of a chat can have under that limit, at least 1. */
int64_t aimd_logprob_room(const aimd_scope *scope, const aimd_request *r);

/* ---- prompts (prompt.c) ------------------------------------------------- */

/* Tokenize the prompts of a generation request into r->prompts. */
int aimd_read_prompts(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err);
/* Text to ids, perhaps none; special-token text is parsed. param names the field
 * in errors. */
int aimd_encode_text(const aimd_scope *scope, const json_t *text, bool add_special,
                     const char *param, aimd_prompt *out, aim_error *err);
/* The field "messages" through the chat template. */
int aimd_render_messages(const json_t *body, const aimd_scope *scope, const aimd_params *params,
                         aim_prompt *out, aim_error *err);
/* Append the content of the user's last message; *found tells whether there is one. */
int aimd_read_last_user_text(const json_t *body, aim_buf *out, bool *found, aim_error *err);
/* A rendered conversation to ids. */
int aimd_encode_rendered(const aimd_scope *scope, const aim_prompt *rendered, bool add_special,
                         aimd_prompt *out, aim_error *err);
/* A JSON list of ids of this model's vocabulary; may be empty. */
int aimd_read_ids(const json_t *list, const aimd_scope *scope, const char *param, int32_t **out,
                  size_t *n, aim_error *err);

#endif
