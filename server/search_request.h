/* SPDX-License-Identifier: Apache-2.0 */
/* search_request.h - what a request asks of test-time compute: the fields of it, the
 * model's defaults, and what must hold between them. Pure functions, called on a worker
 * thread; errors carry param. */
#ifndef AIMD_SEARCH_REQUEST_H
#define AIMD_SEARCH_REQUEST_H

#include "search/search.h"
#include "server/params.h"

struct aimd_request;
struct aimd_scope;

enum { AIMD_DEFAULT_BEAM_WIDTH = 4 };

typedef struct aimd_search_request {
    bool on;     /* false: the n candidates are the choices, and the rest is unset */
    int best_of; /* candidates of each prompt */
    enum aim_search_kind kind;
    int beam_width;
    enum aim_select select;
    bool with_rewards;
    char *reward_model; /* id; NULL: the generator's own (aimd_models_find_reward) */
    enum aim_aggregation aggregation;
    aim_buf *questions; /* [n_questions] one a prompt, with rewards */
    size_t n_questions;
    char *separator;             /* NULL: the reward model's */
    aim_answer_pattern *pattern; /* NULL: the usual places */
    aim_early_stop early;
    int64_t budget; /* max_total_tokens: of each prompt; 0: none */
} aimd_search_request;

/* Read r->search from the body; r->params and what r has of the model's defaults are
 * there. Called before the prompts are read, whose lengths depend on it. */
int aimd_search_read(const json_t *body, const struct aimd_scope *scope, struct aimd_request *r,
                     aim_error *err);
/* Behind the prompts: what the reward model will see as their questions. */
int aimd_search_read_questions(const json_t *body, const struct aimd_scope *scope,
                               struct aimd_request *r, aim_error *err);
void aimd_search_request_fini(aimd_search_request *s);

/* Read early_stop; *out is all 0 if nothing ends the search early. */
int aimd__search_read_early_stop(const json_t *body, const aimd_params *p, aim_early_stop *out,
                                 aim_error *err);
bool aimd__search_stops_early(const aim_early_stop *early);

/* Tokens that each candidate can have, for prompts whose request does not say how many: its
 * share of the server's max_total_tokens or, of the request's own, that of the n wanted; at
 * least 1. */
int64_t aimd_search_token_room(const struct aimd_scope *scope, const struct aimd_request *r);
/* Could the candidates have more tokens than that? 0 or AIM_EINVAL; prompts must be
 * read, with their max_tokens. */
int aimd_search_check_tokens(const struct aimd_scope *scope, const struct aimd_request *r,
                             aim_error *err);

/* The options of the search for prompt i, which borrow from r. reward: the layout of the
 * reward model, NULL without rewards. */
aim_search_options aimd_search_options(const struct aimd_request *r, size_t i,
                                       const aim_reward *reward);
/* What ends a step of this request. */
const char *aimd_search_separator(const struct aimd_request *r, const aim_reward *reward);

#endif
