/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- fields that only make sense together ------------------------------- */

int aimd__bad_field(const char *param, const char *why, aim_error *err)
{
    return aim_fail_param(err, AIM_EINVAL, param, "%s %s", param, why);
}

static int check_together(const json_t *body, const aimd_params *p, aim_error *err)
{
    const json_t *options = json_object_get(body, "stream_options");
    if (options && !json_is_null(options)) {
        if (!json_is_object(options))
            return aimd__bad_field("stream_options", "must be an object", err);
        if (!p->stream)
            return aimd__bad_field("stream_options", "needs stream: true", err);
    }
    if (p->top_logprobs > 0 && !p->chat_logprobs)
        return aimd__bad_field("top_logprobs", "needs logprobs: true", err);
    if (p->prompt_logprobs != AIMD_UNSET && p->stream)
        return aimd__bad_field("prompt_logprobs", "cannot be streamed", err);
    if (p->truncate_prompt_tokens == 0)
        return aimd__bad_field("truncate_prompt_tokens", "must be -1 or at least 1", err);
    return AIM_OK;
}

static int check_max_tokens(const aimd_request *r, aim_error *err)
{
    const aimd_params *p = &r->params;
    if (p->max_tokens != 0 || p->max_completion_tokens != AIMD_UNSET)
        return AIM_OK;
    if (r->route == AIMD_COMPLETIONS && (p->echo || p->prompt_logprobs != AIMD_UNSET))
        return AIM_OK;
    return aimd__bad_field("max_tokens",
                           "may be 0 only in completions with echo or prompt_logprobs", err);
}

/* ---- fields with a shape of their own ----------------------------------- */

static int read_stop_string(const json_t *v, const char *param, aimd_request *r, aim_error *err)
{
    if (!json_is_string(v))
        return aimd__bad_field(param, "must be a string", err);
    size_t len = json_string_length(v);
    if (len < 1 || len > AIMD_MAX_STOP_BYTES)
        return aimd__bad_field(param, "must have 1 to 1024 bytes", err);
    if (strlen(json_string_value(v)) != len)
        return aimd__bad_field(param, "must not contain NUL", err);
    r->stop[r->n_stop] = aim_strdup(json_string_value(v));
    if (!r->stop[r->n_stop])
        return aim_fail_nomem(err, "stop");
    r->n_stop++;
    return AIM_OK;
}

static int read_stop(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    const json_t *v = json_object_get(body, "stop");
    if (!v || json_is_null(v))
        return AIM_OK;
    bool list = json_is_array(v);
    size_t n = list ? json_array_size(v) : 1;
    if (!list && !json_is_string(v))
        return aimd__bad_field("stop", "must be a string or a list of strings", err);
    if (n > (size_t)scope->options->max_stop_strings)
        return aim_fail_param(err, AIM_EINVAL, "stop",
                              "stop has %zu strings, at most %d are allowed", n,
                              scope->options->max_stop_strings);
    r->stop = aim_calloc(n + 1, sizeof *r->stop);
    if (!r->stop)
        return aim_fail_nomem(err, "stop");
    int code = AIM_OK;
    for (size_t i = 0; i < n && !code; i++) {
        char param[32] = "stop";
        if (list)
            snprintf(param, sizeof param, "stop[%zu]", i);
        code = read_stop_string(list ? json_array_get(v, i) : v, param, r, err);
    }
    return code;
}

static int read_stop_ids(const json_t *body, const aimd_scope *scope, aimd_request *r,
                         aim_error *err)
{
    const json_t *v = json_object_get(body, "stop_token_ids");
    if (!v || json_is_null(v))
        return AIM_OK;
    if (json_array_size(v) > AIMD_MAX_STOP_IDS)
        return aimd__bad_field("stop_token_ids", "has more than 256 ids", err);
    return aimd_read_ids(v, scope, "stop_token_ids", &r->stop_ids, &r->n_stop_ids, err);
}

/* A token id as an object key: plain decimal digits, so that no two keys name
 * the same id. -1 if it is none of this vocabulary. */
static int32_t parse_key_id(const char *key, int vocab)
{
    size_t len = strlen(key);
    if (len < 1 || len > 9 || strspn(key, "0123456789") != len || (key[0] == '0' && len > 1))
        return -1;
    long id = strtol(key, NULL, 10);
    return id < vocab ? (int32_t)id : -1;
}

static int read_bias(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    const json_t *object = json_object_get(body, "logit_bias");
    if (!object || json_is_null(object))
        return AIM_OK;
    if (!json_is_object(object))
        return aimd__bad_field("logit_bias", "must be an object of token ids and numbers", err);
    size_t n = json_object_size(object);
    if (n > (size_t)scope->options->max_logit_bias)
        return aim_fail_param(err, AIM_EINVAL, "logit_bias",
                              "logit_bias has %zu entries, at most %d are allowed", n,
                              scope->options->max_logit_bias);
    r->bias = aim_array(n + 1, sizeof *r->bias);
    if (!r->bias)
        return aim_fail_nomem(err, "logit_bias");
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        int32_t id = parse_key_id(key, scope->config->vocab);
        double bias = json_number_value(v);
        if (id < 0)
            return aim_fail_param(err, AIM_EINVAL, "logit_bias",
                                  "logit_bias: a key is not a token id of 0 to %d",
                                  scope->config->vocab - 1);
        if (!json_is_number(v) || !(bias >= -100 && bias <= 100))
            return aim_fail_param(err, AIM_EINVAL, "logit_bias",
                                  "logit_bias: the value of %d must be a number of -100 to 100",
                                  id);
        r->bias[r->n_bias++] = (aim_logit_bias){id, (float)bias};
    }
    return AIM_OK;
}

/* ---- defaults ----------------------------------------------------------- */

/* Request, then the model's generation_config.json, then OpenAI. */
static double pick_number(double asked, double model, double openai)
{
    if (!isnan(asked))
        return asked;
    return model >= 0 ? model : openai;
}

static void resolve(const aimd_scope *scope, aimd_request *r)
{
    const aimd_params *p = &r->params;
    r->temperature = pick_number(p->temperature, scope->config->default_temperature, 1);
    r->top_p = pick_number(p->top_p, scope->config->default_top_p, 1);
    if (r->top_p < 1e-9) /* "the likeliest alone": the sampler wants more than 0 */
        r->top_p = 1e-9;
    r->min_p = pick_number(p->min_p, scope->config->default_min_p, 0);
    r->repetition_penalty =
        pick_number(p->repetition_penalty, scope->config->default_repetition_penalty, 1);
    int64_t top_k = p->top_k != AIMD_UNSET ? p->top_k : scope->config->default_top_k;
    r->top_k = top_k > 0 ? (int)top_k : 0;
    r->seed = p->seed != AIMD_UNSET ? p->seed : (int64_t)aim_rng_fresh_seed();
    r->logprobs = -1;
    if (r->route == AIMD_CHAT && p->chat_logprobs)
        r->logprobs = p->top_logprobs > 0 ? (int)p->top_logprobs : 0;
    else if (r->route == AIMD_COMPLETIONS && p->logprobs != AIMD_UNSET)
        r->logprobs = (int)p->logprobs;
}

/* ---- the context -------------------------------------------------------- */

/* max_tokens as the client gave it, or AIMD_UNSET. */
static int64_t asked_max_tokens(const aimd_params *p)
{
    return p->max_completion_tokens != AIMD_UNSET ? p->max_completion_tokens : p->max_tokens;
}

static void truncate_prompt(const aimd_scope *scope, const aimd_request *r, aimd_prompt *prompt)
{
    int64_t keep = r->params.truncate_prompt_tokens;
    if (keep == AIMD_UNSET)
        return;
    if (keep < 0) {
        int64_t beside = asked_max_tokens(&r->params);
        if (beside == AIMD_UNSET)
            beside = r->route == AIMD_CHAT ? 1 : AIMD_DEFAULT_MAX_TOKENS;
        keep = scope->max_context - beside;
        keep = keep < 1 ? 1 : keep;
    }
    if (prompt->n_tokens <= keep)
        return;
    memmove(prompt->tokens, prompt->tokens + (prompt->n_tokens - keep),
            (size_t)keep * sizeof *prompt->tokens);
    prompt->n_tokens = (int)keep;
    prompt->n_added = 0;
}

static int too_long(const aimd_scope *scope, const aimd_request *r, const aimd_prompt *prompt,
                    int64_t answer, aim_error *err)
{
    const char *field = r->route == AIMD_CHAT ? "messages" : "prompt";
    return aim_fail_param(
        err, AIM_ECONTEXT, field,
        "This model's maximum context length is %d tokens. However, you requested "
        "%lld tokens (%d in the %s, %lld in the completion).",
        scope->max_context, (long long)(prompt->n_tokens + answer), prompt->n_tokens, field,
        (long long)answer);
}

/* For a client that does not say: a chat gets what fits, into the context and
 * under the cap of logprobs, and all candidates together into that of their tokens. */
static int64_t default_max_tokens(const aimd_scope *scope, const aimd_request *r, int64_t rest)
{
    int64_t most = r->route == AIMD_CHAT ? aimd_logprob_room(scope, r) : AIMD_DEFAULT_MAX_TOKENS;
    int64_t room = aimd_search_token_room(scope, r);
    most = room < most ? room : most;
    return rest < most ? rest : most;
}

/* Cut the prompt if that was asked for and decide how much it may generate. */
static int fit(const aimd_scope *scope, const aimd_request *r, aimd_prompt *prompt, aim_error *err)
{
    truncate_prompt(scope, r, prompt);
    int64_t asked = asked_max_tokens(&r->params);
    int64_t rest = (int64_t)scope->max_context - prompt->n_tokens;
    if (asked != AIMD_UNSET && asked > rest)
        return too_long(scope, r, prompt, asked, err);
    if (asked == AIMD_UNSET && rest < 1)
        return too_long(scope, r, prompt, 1, err);
    if (asked == AIMD_UNSET)
        asked = default_max_tokens(scope, r, rest);
    prompt->max_tokens = (int)asked;
    if (r->params.min_tokens > asked)
        return aim_fail_param(err, AIM_EINVAL, "min_tokens",
                              "min_tokens is %lld, more than max_tokens (%lld)",
                              (long long)r->params.min_tokens, (long long)asked);
    return AIM_OK;
}

int aimd_request_read(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    resolve(scope, r);
    int code = check_together(body, &r->params, err);
    if (!code)
        code = aimd_check_top_logprobs(scope, r, err);
    if (!code)
        code = check_max_tokens(r, err);
    if (!code)
        code = read_stop(body, scope, r, err);
    if (!code)
        code = read_stop_ids(body, scope, r, err);
    if (!code)
        code = read_bias(body, scope, r, err);
    if (!code)
        code = aimd_search_read(body, scope, r, err);
    if (!code)
        code = aimd_read_prompts(body, scope, r, err);
    for (size_t i = 0; i < r->n_prompts && !code; i++)
        code = fit(scope, r, &r->prompts[i], err);
    if (!code)
        code = aimd_check_logprob_entries(scope, r, err);
    if (!code)
        code = aimd_search_check_tokens(scope, r, err);
    if (!code)
        code = aimd_search_read_questions(body, scope, r, err);
    return code;
}

void aimd_request_fini(aimd_request *r)
{
    for (size_t i = 0; i < r->n_prompts; i++)
        aim_free(r->prompts[i].tokens);
    aim_free(r->prompts);
    for (size_t i = 0; i < r->n_stop; i++)
        aim_free(r->stop[i]);
    aim_free(r->stop);
    aim_free(r->stop_ids);
    aim_free(r->bias);
    aimd_search_request_fini(&r->search);
    memset(r, 0, sizeof *r);
}

/* ---- for the engine ----------------------------------------------------- */

/* A copy of n elements; true with *out NULL if n is 0. */
static bool copy_array(const void *from, size_t n, size_t size, void *out)
{
    void *copy = NULL;
    if (n && !(copy = aim_array(n, size)))
        return false;
    if (n)
        memcpy(copy, from, n * size);
    memcpy(out, &copy, sizeof copy);
    return true;
}

static bool copy_sampling(const aimd_request *r, aim_sampling *s)
{
    const aimd_params *p = &r->params;
    s->temperature = r->temperature;
    s->top_p = r->top_p;
    s->top_k = r->top_k;
    s->min_p = r->min_p;
    s->presence_penalty = p->presence_penalty;
    s->frequency_penalty = p->frequency_penalty;
    s->repetition_penalty = r->repetition_penalty;
    s->min_tokens = (int)p->min_tokens;
    s->ignore_eos = p->ignore_eos;
    if (!copy_array(r->bias, r->n_bias, sizeof *r->bias, &s->bias))
        return false;
    s->n_bias = r->n_bias;
    if (!copy_array(r->stop_ids, r->n_stop_ids, sizeof *r->stop_ids, &s->stop_ids))
        return false;
    s->n_stop_ids = r->n_stop_ids;
    return true;
}

static bool copy_stop(const aimd_request *r, aim_request *q)
{
    if (r->n_stop == 0)
        return true;
    q->stop = aim_calloc(r->n_stop, sizeof *q->stop);
    if (!q->stop)
        return false;
    for (; q->n_stop < r->n_stop; q->n_stop++)
        if (!(q->stop[q->n_stop] = aim_strdup(r->stop[q->n_stop])))
            return false;
    return true;
}

/* Prompt logprobs serve two fields; the engine computes the larger number. */
static int engine_prompt_logprobs(const aimd_request *r)
{
    int want = r->params.prompt_logprobs != AIMD_UNSET ? (int)r->params.prompt_logprobs : -1;
    return r->params.echo && r->logprobs > want ? r->logprobs : want;
}

bool aimd_request_continues(const aimd_request *r)
{
    return r->route != AIMD_CHAT || r->params.continue_final_message;
}

aim_request *aimd_request_for_engine(const aimd_request *r, size_t i, void *user)
{
    const aimd_prompt *prompt = &r->prompts[i];
    aim_request *q = aim_request_new();
    if (!q)
        return NULL;
    q->user = user;
    q->prompt_index = (int)i;
    q->n = (int)r->params.n;
    q->seed = (uint64_t)r->seed;
    q->max_tokens = prompt->max_tokens;
    q->include_stop = r->params.include_stop;
    q->skip_special = r->params.skip_special;
    q->continues = aimd_request_continues(r);
    q->logprobs = r->logprobs;
    q->prompt_logprobs = engine_prompt_logprobs(r);
    if (!copy_array(prompt->tokens, (size_t)prompt->n_tokens, sizeof *prompt->tokens, &q->tokens) ||
        !copy_sampling(r, &q->sampling) || !copy_stop(r, q)) {
        aim_request_free(q);
        return NULL;
    }
    q->n_tokens = prompt->n_tokens;
    return q;
}
