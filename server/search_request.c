/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_request.h"

#include "base/alloc.h"
#include "server/request.h"

#include <string.h>

static bool is_given(const json_t *body, const char *name)
{
    const json_t *v = json_object_get(body, name);
    return v && !json_is_null(v);
}

/* ---- is it a search? ---------------------------------------------------- */

/* Does the request say anything of a search but best_of? */
static bool has_field(const json_t *body, const aimd_request *r)
{
    static const char *const fields[] = {
        "select",         "reward_model",   "reward_aggregation", "reward_question", "search",
        "step_separator", "answer_pattern", "max_total_tokens",   "beam_width"};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (is_given(body, fields[i]))
            return true;
    return r->params.return_candidates || r->params.stream_candidates ||
           aimd__search_stops_early(&r->search.early);
}

static bool generates_nothing(const aimd_params *p)
{
    return p->max_tokens == 0 && p->max_completion_tokens == AIMD_UNSET;
}

/* A model's default is for clients that know nothing of it: it must not make work of
 * what is no search for an answer, such as scoring a text, nor sample one and the same
 * answer many times. */
static bool takes_default(const aimd_scope *scope, const aimd_request *r)
{
    const aimd_params *p = &r->params;
    bool varies = r->temperature > 0 || scope->read_noise;
    bool scores = p->prompt_logprobs != AIMD_UNSET || (p->echo == 1 && r->logprobs >= 0);
    return scope->search && varies && !scores && !generates_nothing(p);
}

static int read_count(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    aimd_search_request *s = &r->search;
    const aimd_params *p = &r->params;
    bool asked = p->best_of != AIMD_UNSET;
    int64_t count = asked ? p->best_of : p->n;
    if (!asked && takes_default(scope, r) && scope->search->best_of > count)
        count = scope->search->best_of;
    if (count < p->n)
        return aim_fail_param(err, AIM_EINVAL, "best_of",
                              "best_of is %lld, less than n, which is %lld", (long long)count,
                              (long long)p->n);
    s->best_of = (int)count;
    s->on = count > p->n || has_field(body, r);
    if (s->on && generates_nothing(p))
        return aimd__bad_field("max_tokens", "is 0: there would be no candidates to choose from",
                               err);
    return AIM_OK;
}

static int check_stream(const aimd_request *r, aim_error *err)
{
    const aimd_params *p = &r->params;
    if (p->stream_candidates && !p->stream)
        return aimd__bad_field("stream_candidates", "needs stream: true", err);
    if (p->stream && p->best_of > p->n && p->best_of != AIMD_UNSET && !p->stream_candidates)
        return aimd__bad_field(
            "stream",
            "with best_of greater than n: nothing can be sent before the choice is made; "
            "stream_candidates sends every candidate",
            err);
    return AIM_OK;
}

/* ---- fields ------------------------------------------------------------- */

/* A text of the request, else the model's; NULL if neither has one. */
static int pick_text(const json_t *body, const char *name, const char *standard, const char **out,
                     aim_error *err)
{
    const json_t *v = json_object_get(body, name);
    *out = standard;
    if (!v || json_is_null(v))
        return AIM_OK;
    if (!json_is_string(v))
        return aimd__bad_field(name, "must be a string", err);
    *out = json_string_value(v);
    return AIM_OK;
}

typedef int find_name(const char *name);

/* The number of a name; names: all of them, separated by |. */
static int pick_name(const json_t *body, const char *field, const char *standard, find_name *find,
                     const char *names, int otherwise, int *out, aim_error *err)
{
    const char *text;
    *out = otherwise;
    if (pick_text(body, field, standard, &text, err))
        return (int)err->code;
    if (text)
        *out = find(text);
    if (*out < 0)
        return aim_fail_param(err, AIM_EINVAL, field, "%s must be one of %s", field, names);
    return AIM_OK;
}

/* A copy of a text that may be missing. */
static int keep_text(const char *text, const char *field, char **out, aim_error *err)
{
    *out = text ? aim_strdup(text) : NULL;
    return text && !*out ? aim_fail_nomem(err, field) : AIM_OK;
}

static const aimd_search_defaults *defaults_of(const aimd_scope *scope)
{
    static const aimd_search_defaults none = {.beam_width = AIMD_DEFAULT_BEAM_WIDTH};
    return scope->search ? scope->search : &none;
}

/* NULL: it goes by the search. */
static const char *default_select(const aimd_search_defaults *standard)
{
    bool fixed = standard->select && strcmp(standard->select, "auto") != 0;
    return fixed ? standard->select : NULL;
}

static int read_selection(const json_t *body, const aimd_search_defaults *standard,
                          aimd_search_request *s, aim_error *err)
{
    int kind = 0, select = 0, aggregation = 0;
    int code = pick_name(body, "search", standard->search, aim_search_find, AIM_SEARCH_NAMES,
                         AIM_SEARCH_BEST_OF_N, &kind, err);
    int otherwise = kind == AIM_SEARCH_BEST_OF_N ? AIM_SELECT_LOGPROB : AIM_SELECT_REWARD;
    if (!code)
        code = pick_name(body, "select", default_select(standard), aim_select_find,
                         AIM_SELECT_NAMES, otherwise, &select, err);
    if (!code)
        code = pick_name(body, "reward_aggregation", standard->reward_aggregation,
                         aim_aggregation_find, AIM_AGGREGATION_NAMES, AIM_AGGREGATE_LAST,
                         &aggregation, err);
    s->kind = (enum aim_search_kind)kind;
    s->select = (enum aim_select)select;
    s->aggregation = (enum aim_aggregation)aggregation;
    return code;
}

/* Beams share out best_of; where the request does not say how many there are, it is the
 * next number that they can. */
static int fit_beams(const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    aimd_search_request *s = &r->search;
    bool width_asked = r->params.beam_width != AIMD_UNSET;
    int over = s->best_of % s->beam_width, most = scope->options->max_best_of;
    if (over == 0)
        return AIM_OK;
    if (r->params.best_of != AIMD_UNSET)
        return aim_fail_param(err, AIM_EINVAL, width_asked ? "beam_width" : "best_of",
                              "beam_width (%d) must divide best_of (%d)", s->beam_width,
                              s->best_of);
    s->best_of += s->beam_width - over;
    if (s->best_of <= most)
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, "beam_width",
                          "beam_width is %d: %d candidates are more than max_best_of (%d)",
                          s->beam_width, s->best_of, most);
}

static int read_steps(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    const aimd_search_defaults *standard = defaults_of(scope);
    aimd_search_request *s = &r->search;
    bool stepwise = s->kind != AIM_SEARCH_BEST_OF_N;
    if (!stepwise && is_given(body, "beam_width"))
        return aimd__bad_field("beam_width", "needs search beam or dvts", err);
    if (!stepwise && is_given(body, "step_separator"))
        return aimd__bad_field("step_separator", "needs search beam or dvts", err);
    if (!stepwise)
        return AIM_OK;
    bool asked = r->params.beam_width != AIMD_UNSET;
    s->beam_width = asked ? (int)r->params.beam_width : standard->beam_width;
    if (fit_beams(scope, r, err))
        return (int)err->code;
    const char *text;
    if (pick_text(body, "step_separator", standard->step_separator, &text, err))
        return (int)err->code;
    if (text && (!*text || strlen(text) > AIMD_MAX_SEPARATOR_BYTES))
        return aimd__bad_field("step_separator", "must have 1 to 64 bytes", err);
    return keep_text(text, "step_separator", &s->separator, err);
}

static int read_pattern(const json_t *body, const aimd_search_defaults *standard,
                        aimd_search_request *s, aim_error *err)
{
    const char *text;
    if (pick_text(body, "answer_pattern", standard->answer_pattern, &text, err))
        return (int)err->code;
    if (!text)
        return AIM_OK;
    s->pattern = aim_answer_pattern_new(text, strlen(text), err);
    return s->pattern ? AIM_OK : (int)err->code;
}

/* ---- rewards ------------------------------------------------------------ */

/* Does the choice hang on rewards? Otherwise scores are made only if the request itself
 * names who makes them. */
static bool needs_rewards(const aimd_search_request *s)
{
    return s->kind != AIM_SEARCH_BEST_OF_N || s->select == AIM_SELECT_REWARD ||
           s->select == AIM_SELECT_WEIGHTED || s->early.has_score || s->early.reject > 0;
}

static int read_reward_model(const json_t *body, aimd_search_request *s, aim_error *err)
{
    const char *id;
    if (pick_text(body, "reward_model", NULL, &id, err))
        return (int)err->code;
    s->with_rewards = needs_rewards(s) || is_given(body, "reward_model");
    if (s->with_rewards)
        return keep_text(id, "reward_model", &s->reward_model, err);
    static const char *const of_rewards[] = {"reward_aggregation", "reward_question"};
    for (size_t i = 0; i < 2; i++)
        if (is_given(body, of_rewards[i]))
            return aimd__bad_field(of_rewards[i],
                                   "is of rewards, which nothing here asks for: name a "
                                   "reward_model",
                                   err);
    return AIM_OK;
}

/* Is there a choice at all? Where the model's default makes candidates of other requests,
 * a client may say how it chooses in all of them. */
static int check_choice(const json_t *body, const aimd_scope *scope, const aimd_request *r,
                        aim_error *err)
{
    static const char *const of_choices[] = {"select", "search", "early_stop"};
    const aimd_search_request *s = &r->search;
    bool by_default = r->params.best_of == AIMD_UNSET && defaults_of(scope)->best_of > 1;
    if (s->best_of > 1 || by_default)
        return AIM_OK;
    for (size_t i = 0; i < 3; i++)
        if (i < 2 ? is_given(body, of_choices[i]) : aimd__search_stops_early(&s->early))
            return aimd__bad_field(of_choices[i], "needs best_of greater than 1", err);
    return AIM_OK;
}

static int read_choice(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    const aimd_search_defaults *standard = defaults_of(scope);
    aimd_search_request *s = &r->search;
    s->budget = r->params.max_total_tokens != AIMD_UNSET ? r->params.max_total_tokens : 0;
    int code = read_selection(body, standard, s, err);
    if (!code)
        code = read_steps(body, scope, r, err);
    if (!code)
        code = check_choice(body, scope, r, err);
    if (!code)
        code = read_pattern(body, standard, s, err);
    return code ? code : read_reward_model(body, s, err);
}

int aimd_search_read(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    int code = aimd__search_read_early_stop(body, &r->params, &r->search.early, err);
    if (!code)
        code = read_count(body, scope, r, err);
    if (!code)
        code = check_stream(r, err);
    return code || !r->search.on ? code : read_choice(body, scope, r, err);
}

void aimd_search_request_fini(aimd_search_request *s)
{
    aim_free(s->reward_model);
    for (size_t i = 0; i < s->n_questions; i++)
        aim_buf_free(&s->questions[i]);
    aim_free(s->questions);
    aim_free(s->separator);
    aim_answer_pattern_free(s->pattern);
}

/* ---- the search ---------------------------------------------------------- */

aim_search_options aimd_search_options(const aimd_request *r, size_t i, const aim_reward *reward)
{
    const aimd_search_request *s = &r->search;
    return (aim_search_options){
        .kind = s->kind,
        .best_of = s->best_of,
        .n = (int)r->params.n,
        .beam_width = s->beam_width,
        .select = s->select,
        .scored = reward != NULL,
        .step_rewards = reward && aim_reward_has_steps(reward),
        .raw_rewards = reward && !aim_reward_is_probability(reward),
        .aggregation = s->aggregation,
        .pattern = s->pattern,
        .early = s->early,
        .max_tokens = r->prompts[i].max_tokens,
        .max_total_tokens = s->budget,
        .prompt_tokens = r->prompts[i].n_tokens,
        .block_tokens = AIM_KV_BLOCK,
    };
}

const char *aimd_search_separator(const aimd_request *r, const aim_reward *reward)
{
    if (r->search.separator)
        return r->search.separator;
    return reward ? aim_reward_separator(reward) : "\n\n";
}
