/* SPDX-License-Identifier: Apache-2.0 */
/* The scores of candidates: laid out by a worker thread, computed by the reward model's
 * engine. */
#include "server/search_job.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "server/score_request.h"

/* ---- laying out ----------------------------------------------------------- */

/* One candidate on its way to the reward model: a worker thread reads a copy of it while
 * others of its search go on. */
typedef struct layout {
    uv_work_t work;
    aimd_search_run *run;
    int number, first_step;
    bool complete;
    aim_buf answer;
    aim_reward_input input;
    aim_error error;
} layout;

static void free_layout(layout *l)
{
    aim_buf_free(&l->answer);
    aim_reward_input_free(&l->input);
    aim_free(l);
}

static void lay_out(uv_work_t *work)
{
    layout *l = work->data;
    const aimd_job *job = l->run->job;
    const aim_buf *question = &job->request.search.questions[l->run->prompt];
    aim_reward_lay_out(job->search->reward_model->reward, question->data ? question->data : "",
                       question->len, l->answer.data, l->answer.len, l->complete, &l->input,
                       &l->error);
}

/* What is the candidate's own fault leaves it without a score; the rest is the
 * request's. */
static bool is_own_fault(enum aim_code code)
{
    return code == AIM_ECONTEXT || code == AIM_ETOOLARGE || code == AIM_EINVAL;
}

static void fail_scoring(aimd_search_run *run, const aim_error *why)
{
    aim_error err = {0};
    aim_fail(&err, why->code, "The reward model %s could not score the candidates: %s",
             run->job->search->reward_model->id, why->text);
    aimd__job_fail(run->job, &err, aimd_error_code(&err, AIMD_DRAINING));
}

static aim_request *make_request(layout *l)
{
    aimd_search_job *s = l->run->job->search;
    aim_request *q = aimd_score_request(s->reward_model->reward, &l->input, l->first_step);
    if (!q)
        return NULL;
    q->user = &s->rewards;
    q->prompt_index = l->run->prompt;
    q->first_candidate = l->number;
    q->urgent = true;
    return q;
}

/* Ask the engine for the scores of what was laid out. */
static int submit(layout *l, aim_error *err)
{
    aimd_search_run *run = l->run;
    aimd_job *job = run->job;
    const aimd_model *reward = job->search->reward_model;
    int n_tokens = l->input.n_tokens, most = aim_engine_max_context(reward->model->engine);
    aimd_request_list list = {0};
    if (n_tokens > most)
        return aim_fail(err, AIM_ECONTEXT,
                        "question and answer have %d tokens for the reward model, whose context "
                        "is %d",
                        n_tokens, most);
    int code = aimd_request_list_take(&list, make_request(l), err);
    if (!code)
        code = aimd_request_list_submit(&list, reward->model->engine, &job->open, err);
    aimd_request_list_free(&list);
    if (code)
        return code;
    aimd__search_end_warming(run);
    aimd__search_candidate(run, l->number)->score_ns = aim_now_ns();
    job->usage.reward_tokens += n_tokens;
    aimd_count(job->offload.daemon->metrics, AIMD_M_PROMPT_TOKENS, reward->id, NULL, n_tokens);
    aimd_count(job->offload.daemon->metrics, AIMD_M_REWARD_TOKENS, reward->id, NULL, n_tokens);
    return AIM_OK;
}

/* For a reason of the candidate alone. */
static void leave_unscored(aimd_search_run *run, int number, const aim_error *why)
{
    aim_error err = {0};
    if (aim_search_not_scored(run->search, number, why))
        return;
    aim_fail_nomem(&err, "scores");
    fail_scoring(run, &err);
}

static void take_layout(layout *l)
{
    aimd_search_run *run = l->run;
    aim_error err = l->error;
    if (err.code == AIM_OK && l->complete && l->input.n_scores == 0)
        aim_fail(&err, AIM_EINVAL, "the answer has no step to score");
    if (err.code == AIM_OK && l->input.n_scores > l->first_step)
        submit(l, &err);
    else if (err.code == AIM_OK && !aim_search_scored(run->search, l->number, NULL, 0))
        aim_fail_nomem(&err, "scores");
    if (is_own_fault(err.code))
        leave_unscored(run, l->number, &err);
    else if (err.code != AIM_OK)
        fail_scoring(run, &err);
    aimd__search_drive(run);
}

static void on_laid_out(uv_work_t *work, int status)
{
    layout *l = work->data;
    aimd_job *job = l->run->job;
    (void)status;
    if (aimd__job_is_live(job))
        take_layout(l);
    free_layout(l);
    aimd__job_settle(job);
}

void aimd__search_score(aimd_search_run *run, const aim_search_work *w)
{
    aimd_job *job = run->job;
    const aim_candidate *c = aim_search_candidate(run->search, w->number);
    layout *l = aim_calloc(1, sizeof *l);
    if (l) {
        aim_buf_reserve(&l->answer, c->text.len + 1);
        aim_buf_append(&l->answer, c->text.data, c->text.len);
    }
    if (!l || l->answer.failed) {
        aim_error err = {0};
        aim_fail_nomem(&err, "scores");
        if (l)
            free_layout(l);
        aimd__job_fail(job, &err, NULL);
        return;
    }
    l->work.data = l;
    l->run = run;
    l->number = w->number;
    l->first_step = w->first_step;
    l->complete = c->end != AIM_CANDIDATE_OPEN;
    job->open++;
    uv_queue_work(job->offload.daemon->loop, &l->work, lay_out, on_laid_out);
}

/* ---- scores ---------------------------------------------------------------- */

static void observe(const aimd_job *job, const aimd_search_candidate *c, const aim_event *e)
{
    double seconds = e->time_ns > c->score_ns ? (double)(e->time_ns - c->score_ns) * 1e-9 : 0;
    aimd_observe(job->offload.daemon->metrics, AIMD_M_REWARD_TIME, job->search->reward_model->id,
                 seconds);
}

static void take_scores(aimd_search_run *run, const aim_event *e)
{
    const aimd_model *reward = run->job->search->reward_model;
    float *scores = aim_array((size_t)e->n_scores, sizeof *scores);
    aim_error err = {0};
    observe(run->job, aimd__search_candidate(run, e->candidate), e);
    if (scores)
        aim_reward_scores(reward->reward, e->scores, e->n_scores, e->score_width, scores);
    if (!scores || !aim_search_scored(run->search, e->candidate, scores, e->n_scores))
        aim_fail_nomem(&err, "scores");
    aim_free(scores);
    if (err.code != AIM_OK)
        fail_scoring(run, &err);
    else
        aimd__search_drive(run);
}

void aimd__search_on_reward(aimd_event_target *target, const aim_event *e)
{
    aimd_search_job *s =
        (aimd_search_job *)(void *)((char *)target - offsetof(aimd_search_job, rewards));
    aimd_search_run *run = &s->runs[e->prompt_index];
    aimd_job *job = run->job;
    aim_error err = aimd_event_failure(e);
    if (aimd__job_is_live(job) && err.code != AIM_OK)
        fail_scoring(run, &err);
    else if (aimd__job_is_live(job) && e->kind == AIM_EVENT_PROMPT && e->scores)
        take_scores(run, e);
    if (e->kind != AIM_EVENT_PROMPT && e->finish != AIM_FINISH_NONE)
        aimd__job_settle(job);
}

/* ---- questions alone --------------------------------------------------------- */

void aimd__search_end_warming(aimd_search_run *run)
{
    if (run->warming)
        aim_engine_cancel(run->job->search->reward_model->model->engine, &run->question);
    run->warming = false;
}

/* If one fails, so will the scores that need it. */
void aimd__search_on_question(aimd_event_target *target, const aim_event *e)
{
    aimd_search_run *run =
        (aimd_search_run *)(void *)((char *)target - offsetof(aimd_search_run, question));
    if (e->kind != AIM_EVENT_FINISH)
        return;
    run->warming = false;
    aimd__job_settle_unawaited(run->job);
}
