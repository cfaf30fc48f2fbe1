/* SPDX-License-Identifier: Apache-2.0 */
/* How many log-probabilities one answer may hold. A short body can ask for very
 * many of them: every choice of every prompt repeats those of an echoed prompt.
 * Entries are what can be counted before any work is done; each is some 20 to
 * 100 bytes of the answer. What a stream generates is not kept, and not counted, but for
 * a search, which keeps what every candidate has until one is chosen. */
#include "server/request.h"

/* Of one place: the likeliest tokens and the one that stands there. */
static int64_t entries_of_place(int64_t n_top)
{
    return n_top < 0 ? 0 : n_top + 1;
}

/* Answers to a prompt whose entries are kept until they are sent. */
static int64_t kept_answers(const aimd_request *r)
{
    if (r->search.on) /* any of the candidates may be the choice */
        return r->search.best_of;
    return r->params.stream ? 0 : r->params.n;
}

/* Sizes are far from overflow: prompts < 2^17, answers < 2^10, places < 2^26, top < 2^10. */
static int64_t logprob_entries(const aimd_request *r)
{
    int64_t places = 0;
    for (size_t i = 0; i < r->n_prompts; i++) {
        places += r->params.echo == 1 ? r->prompts[i].n_tokens * r->params.n : 0;
        places += r->prompts[i].max_tokens * kept_answers(r);
    }
    return places * entries_of_place(r->logprobs);
}

/* Each choice of a completion repeats them, too. */
static int64_t prompt_logprob_entries(const aimd_request *r)
{
    int64_t places = 0;
    for (size_t i = 0; i < r->n_prompts; i++)
        places += r->prompts[i].n_tokens;
    if (r->route == AIMD_COMPLETIONS)
        places *= r->params.n;
    return places * entries_of_place(r->params.prompt_logprobs);
}

static const char *logprobs_field(const aimd_request *r)
{
    return r->route == AIMD_CHAT && r->logprobs > 0 ? "top_logprobs" : "logprobs";
}

static int check_vocabulary(const aimd_scope *scope, const char *field, int64_t n_top,
                            aim_error *err)
{
    if (n_top <= scope->config->vocab)
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, field, "%s is %lld, but the model has only %d tokens",
                          field, (long long)n_top, scope->config->vocab);
}

int aimd_check_top_logprobs(const aimd_scope *scope, const aimd_request *r, aim_error *err)
{
    int code = check_vocabulary(scope, logprobs_field(r), r->logprobs, err);
    if (!code)
        code = check_vocabulary(scope, "prompt_logprobs", r->params.prompt_logprobs, err);
    return code;
}

int aimd_check_logprob_entries(const aimd_scope *scope, const aimd_request *r, aim_error *err)
{
    int64_t own = logprob_entries(r), prompts = prompt_logprob_entries(r);
    int most = scope->options->max_logprob_entries;
    if (own + prompts <= most)
        return AIM_OK;
    const char *field = own >= prompts ? logprobs_field(r) : "prompt_logprobs";
    return aim_fail_param(err, AIM_EINVAL, field,
                          "%s: the answer could have %lld log-probabilities, at most %d are "
                          "allowed (prompts x n or best_of x tokens x alternatives)",
                          field, (long long)(own + prompts), most);
}

int64_t aimd_logprob_room(const aimd_scope *scope, const aimd_request *r)
{
    int64_t of_place = kept_answers(r) * entries_of_place(r->logprobs);
    int64_t room = scope->options->max_logprob_entries - prompt_logprob_entries(r);
    if (of_place == 0)
        return INT64_MAX;
    return room > of_place ? room / of_place : 1;
}
