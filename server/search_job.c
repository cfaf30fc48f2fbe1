/* SPDX-License-Identifier: Apache-2.0 */
/* A search on the loop thread: what comes next, and what became of it. */
#include "server/search_job.h"

#include "base/alloc.h"
#include "server/search_response.h"

/* ---- what comes next ------------------------------------------------------- */

static void on_decided(uv_work_t *work, int status)
{
    aimd_search_run *run = work->data;
    aimd_job *job = run->job;
    (void)status;
    run->deciding = false;
    if (aimd__job_is_live(job) && run->error.code != AIM_OK) {
        aimd__job_fail(job, &run->error, aimd_error_code(&run->error, AIMD_READY));
    } else if (aimd__job_is_live(job)) {
        run->has_pruned = true;
        aimd__search_tell_ends(run);
        aimd__search_drive(run);
    }
    aimd__job_settle(job);
}

static void decide(uv_work_t *work)
{
    aimd_search_run *run = work->data;
    aim_search_decide(run->search, &run->error);
}

static void begin_decision(aimd_search_run *run)
{
    run->deciding = true;
    run->work.data = run;
    run->job->open++;
    uv_queue_work(run->job->offload.daemon->loop, &run->work, decide, on_decided);
}

static bool may_go_on(const aimd_search_run *run)
{
    return aimd__job_is_live(run->job) && !run->deciding && !run->job->paused;
}

/* Who was pruned is forgotten only here: until all has begun, which a slow reader may put
 * off, there are candidates still to begin as copies of them. */
static void drop_pruned(aimd_search_run *run)
{
    if (run->has_pruned)
        aimd__search_drop_pruned(run);
    run->has_pruned = false;
}

void aimd__search_drive(aimd_search_run *run)
{
    aimd_job *job = run->job;
    aimd_request_list list = {0};
    aim_error err = {0};
    aim_search_work w;
    while (may_go_on(run) && err.code == AIM_OK &&
           (w = aim_search_next(run->search)).task != AIM_TASK_NONE) {
        if (w.task == AIM_TASK_SCORE)
            aimd__search_score(run, &w);
        else
            aimd__search_sample(run, &w, true, &list, &err);
    }
    if (may_go_on(run) && err.code == AIM_OK)
        aimd_request_list_submit(&list, job->model->model->engine, &job->open, &err);
    aimd_request_list_free(&list);
    if (may_go_on(run) && err.code != AIM_OK)
        aimd__job_fail(job, &err, aimd_error_code(&err, AIMD_DRAINING));
    if (!may_go_on(run))
        return;
    drop_pruned(run);
    if (aim_search_wants_decision(run->search))
        begin_decision(run);
}

void aimd__search_resume(aimd_job *job)
{
    for (size_t i = 0; job->search && i < job->search->n_runs; i++)
        aimd__search_drive(&job->search->runs[i]);
}

/* ---- the beginning ----------------------------------------------------------- */

int aimd__search_submit(aimd_job *job, aim_error *err)
{
    aimd_search_job *s = job->search;
    aim_error cause = {0};
    if (s->reward_model && aimd_request_list_submit(&s->questions, s->reward_model->model->engine,
                                                    &job->unawaited, &cause))
        return aim_fail_param(err, cause.code, "reward_model", "The reward model %s: %s",
                              s->reward_model->id, cause.text);
    return aimd_request_list_submit(&job->prepared, job->model->model->engine, &job->open, err);
}

void aimd__search_cancel(aimd_job *job)
{
    aimd_search_job *s = job->search;
    if (!s || !s->reward_model)
        return;
    aim_engine_cancel(s->reward_model->model->engine, &s->rewards);
    for (size_t i = 0; i < s->n_runs; i++)
        aimd__search_end_warming(&s->runs[i]);
}

void aimd__search_release(aimd_job *job)
{
    if (!job->search)
        return;
    aimd_model_release(job->search->reward_model);
    job->search->reward_model = NULL;
}

/* ---- events -------------------------------------------------------------------- */

/* The first request of a prompt is the one that computes it; later ones find it. */
static void take_prompt(aimd_job *job, aimd_search_run *run, const aim_event *e)
{
    aim_error err = {0};
    if (run->begun)
        return;
    run->begun = true;
    aimd__job_count_prompt(job, e);
    if (aimd_prompt_part_fill(&job->parts[run->prompt], &job->format, e, &err) != AIM_OK)
        aimd__job_fail(job, &err, NULL);
}

static enum aim_sampled how_sampled(const aim_event *e)
{
    return e->finish == AIM_FINISH_STOP     ? AIM_SAMPLED_STOP
           : e->finish == AIM_FINISH_LENGTH ? AIM_SAMPLED_LENGTH
           : e->at_separator                ? AIM_SAMPLED_STEP
                                            : AIM_SAMPLED_SEGMENT;
}

static int add_token(aimd_job *job, aimd_search_run *run, aimd_search_candidate *c,
                     const aim_event *e, aim_error *err)
{
    aimd__job_count_token(job, &c->last_token_ns, c->resumed, e);
    c->resumed = false;
    if (!aim_search_token(run->search, e->candidate, e->token, e->text, e->text_len,
                          (double)e->logprob, (double)e->certainty) ||
        !aim_search_held(run->search, e->candidate, e->held, e->held_len))
        return aim_fail_nomem(err, "candidates");
    return AIM_OK;
}

static void take_step(aimd_job *job, aimd_search_run *run, const aim_event *e)
{
    aimd_search_candidate *c = aimd__search_candidate(run, e->candidate);
    aim_error err = aimd_event_failure(e);
    job->end_ns = e->time_ns;
    if (err.code == AIM_OK && e->kind == AIM_EVENT_TOKEN)
        add_token(job, run, c, e, &err);
    if (err.code == AIM_OK)
        aimd_choice_add(&c->choice, &job->format, &job->parts[run->prompt], e, &err);
    if (err.code != AIM_OK) {
        aimd__job_fail(job, &err, aimd_error_code(&err, AIMD_DRAINING));
        return;
    }
    aimd__search_tell_token(run, e);
    if (!aimd__job_is_live(job) || e->finish == AIM_FINISH_NONE)
        return;
    aim_search_sampled(run->search, e->candidate, how_sampled(e));
    aimd__search_drive(run);
}

void aimd__search_take(aimd_job *job, const aim_event *e)
{
    aimd_search_run *run = &job->search->runs[e->prompt_index];
    if (e->kind == AIM_EVENT_PROMPT)
        take_prompt(job, run, e);
    else
        take_step(job, run, e);
}

/* ---- the end --------------------------------------------------------------------- */

/* Where a candidate ended between two segments, text that was held back is told now. */
static bool copy_choice(aimd_choice *to, const aimd_choice *from, const aim_candidate *found)
{
    bool whole = aimd_choice_copy(to, from);
    const aim_buf *text = &found->text;
    if (whole && found->held > 0)
        aim_buf_append(&to->text, text->data + text->len - found->held, found->held);
    return whole && !to->text.failed;
}

static int choose(aimd_search_run *run, aim_error *err)
{
    aimd_job *job = run->job;
    int n = (int)job->request.params.n, count;
    const aim_candidate *const *ranking = aim_search_ranking(run->search, &count);
    if (!ranking)
        return aim_fail(err, AIM_EINTERNAL, "the search did not end");
    for (int j = 0; j < n; j++) {
        int index = run->prompt * n + j;
        const aimd_search_candidate *c = aimd__search_candidate(run, ranking[j]->number);
        if (!copy_choice(&job->choices[index], &c->choice, ranking[j]))
            return aim_fail_nomem(err, "response");
        job->choices[index].index = index;
        /* Whatever cut it short. A tree may end with an answer that would have gone on. */
        job->choices[index].finish =
            ranking[j]->end == AIM_CANDIDATE_STOP ? AIM_FINISH_STOP : AIM_FINISH_LENGTH;
    }
    return AIM_OK;
}

int aimd__search_choose(aimd_job *job, aim_error *err)
{
    aimd_search_job *s = job->search;
    size_t n = s->n_runs * (size_t)job->request.params.n;
    job->choices = aim_calloc(n, sizeof *job->choices);
    if (!job->choices)
        return aim_fail_nomem(err, "response");
    job->n_choices = (int)n;
    int code = AIM_OK;
    for (size_t i = 0; i < s->n_runs && !code; i++)
        code = choose(&s->runs[i], err);
    if (!code && job->request.params.return_candidates)
        aimd__search_write_candidates(job, &s->members);
    return !code && s->members.failed ? aim_fail_nomem(err, "response") : code;
}
