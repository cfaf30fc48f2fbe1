/* SPDX-License-Identifier: Apache-2.0 */
/* From what a search wants sampled to requests for the generator's engine. */
#include "server/search_job.h"

#include "base/alloc.h"

#include <string.h>

/* ---- candidates ---------------------------------------------------------- */

aimd_search_candidate *aimd__search_candidate(const aimd_search_run *run, int number)
{
    return number >= 0 && (size_t)number < run->n_candidates ? run->candidates[number] : NULL;
}

/* A candidate that begins where its parent is. */
static aimd_search_candidate *new_candidate(const aimd_search_run *run, int number)
{
    const aim_candidate *found = aim_search_candidate(run->search, number);
    const aimd_search_candidate *parent = aimd__search_candidate(run, found->parent);
    aimd_search_candidate *c = aim_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    if (!parent) {
        aimd_choice_init(&c->choice, &run->job->format, number);
        return c;
    }
    c->last_token_ns = parent->last_token_ns;
    if (aimd_choice_copy(&c->choice, &parent->choice))
        return c;
    aimd_choice_free(&c->choice);
    aim_free(c);
    return NULL;
}

/* Make room for the numbers below end. */
static bool make_room(aimd_search_run *run, size_t end)
{
    if (!aim_grow(&run->candidates, &run->room, end, sizeof *run->candidates))
        return false;
    for (; run->n_candidates < end; run->n_candidates++)
        run->candidates[run->n_candidates] = NULL;
    return true;
}

static int begin_candidates(aimd_search_run *run, int number, int n, aim_error *err)
{
    if (!make_room(run, (size_t)(number + n)))
        return aim_fail_nomem(err, "candidates");
    for (int i = number; i < number + n; i++) {
        if (!run->candidates[i])
            run->candidates[i] = new_candidate(run, i);
        if (!run->candidates[i])
            return aim_fail_nomem(err, "candidates");
        run->candidates[i]->resumed = true;
    }
    return AIM_OK;
}

void aimd__search_drop_pruned(aimd_search_run *run)
{
    for (size_t i = 0; i < run->n_candidates; i++) {
        const aim_candidate *c = aim_search_candidate(run->search, (int)i);
        if (!run->candidates[i] || c->end != AIM_CANDIDATE_PRUNED)
            continue;
        aimd_choice_free(&run->candidates[i]->choice);
        aim_free(run->candidates[i]);
        run->candidates[i] = NULL;
    }
}

/* ---- requests ------------------------------------------------------------ */

/* Put what a candidate has behind the prompt. */
static bool append_answer(aim_request *q, const aim_candidate *c)
{
    if (c->n_tokens == 0)
        return true;
    size_t n = (size_t)q->n_tokens, more = (size_t)c->n_tokens;
    int32_t *tokens = aim_rearray(q->tokens, n + more, sizeof *tokens);
    if (!tokens)
        return false;
    memcpy(tokens + n, c->tokens, more * sizeof *tokens);
    q->tokens = tokens;
    q->n_tokens += c->n_tokens;
    q->n_answered = c->n_tokens;
    return true;
}

static bool set_separator(aim_request *q, const aimd_job *job)
{
    const aimd_model *reward = job->search->reward_model;
    q->separator = aim_strdup(aimd_search_separator(&job->request, reward ? reward->reward : NULL));
    return q->separator;
}

/* Candidates [number, number + n), which all have the same tokens so far. Every token's
 * log-probability is asked for: it is what candidates are compared by, or told with. */
static aim_request *make_request(const aimd_search_run *run, const aim_search_work *w, int number,
                                 int n)
{
    const aimd_request *r = &run->job->request;
    const aim_candidate *first = aim_search_candidate(run->search, number);
    aim_request *q = aimd_request_for_engine(r, (size_t)run->prompt, &run->job->events);
    if (!q)
        return NULL;
    if (!append_answer(q, first) || (w->to_separator && !set_separator(q, run->job))) {
        aim_request_free(q);
        return NULL;
    }
    q->n = n;
    q->first_candidate = number;
    q->max_tokens = w->max_tokens;
    q->segment_tokens = w->segment_tokens;
    q->logprobs = q->logprobs > 0 ? q->logprobs : 0;
    q->self_certainty = r->search.select == AIM_SELECT_SELF_CERTAINTY;
    if (number > 0 || q->n_answered > 0)
        q->prompt_logprobs = -1;
    return q;
}

/* Candidates of one request: as many as run and as the KV cache holds at once; the others
 * wait their turn in requests of their own. At least 1, as the cache holds any context. */
static int most_at_once(const aimd_search_run *run, const aim_search_work *w)
{
    const aimd_job *job = run->job;
    const aim_candidate *first = aim_search_candidate(run->search, w->number);
    int answered = first->n_tokens;
    int most = aim_engine_most_candidates(job->model->model->engine,
                                          job->request.prompts[run->prompt].n_tokens + answered,
                                          answered, w->max_tokens);
    return most > 1 ? most : 1;
}

int aimd__search_sample(aimd_search_run *run, const aim_search_work *w, bool urgent,
                        aimd_request_list *list, aim_error *err)
{
    aimd_job *job = run->job;
    int most = most_at_once(run, w), n, code = AIM_OK;
    for (int done = 0; done < w->n && !code; done += n) {
        int number = w->number + done;
        n = w->n - done < most ? w->n - done : most;
        code = begin_candidates(run, number, n, err);
        aim_request *q = code ? NULL : make_request(run, w, number, n);
        if (q && q->n_answered > 0)
            aimd_usage_go_on(&job->usage);
        if (q)
            q->urgent = urgent;
        if (!code)
            code = aimd_request_list_take(list, q, err);
    }
    return code;
}
