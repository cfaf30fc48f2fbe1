/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a job: birth, submission, the ways it can end. */
#include "server/search_job.h"

#include "base/alloc.h"
#include "base/cpu.h"

#include <stdio.h>

static aim_engine *engine_of(const aimd_job *job)
{
    return job->model->model->engine;
}

bool aimd__job_is_live(const aimd_job *job)
{
    return job->state == AIMD_JOB_QUEUED || job->state == AIMD_JOB_RUNNING;
}

/* ---- the end ------------------------------------------------------------ */

static void on_deadline_closed(uv_handle_t *handle)
{
    aimd_job *job = handle->data;
    aimd__job_unprepare(job);
    aim_free(job);
}

/* Nobody waits for anything. The memory goes with the last event, and the timer. */
static void job_end(aimd_job *job)
{
    job->state = AIMD_JOB_ABANDONED;
    aimd_offload_detach(&job->offload);
    if (job->unawaited > 0) {
        aimd__search_cancel(job);
        return;
    }
    aimd__search_release(job); /* first: with the last job the daemon may end */
    aimd_offload_end(&job->offload);
    if (!uv_is_closing((uv_handle_t *)&job->deadline))
        uv_close((uv_handle_t *)&job->deadline, on_deadline_closed);
}

/* Nobody waits any more. */
static void abandon(aimd_job *job)
{
    job->state = AIMD_JOB_ABANDONED;
    uv_timer_stop(&job->deadline);
    if (aimd__job_end_pause(job))
        job->open--;
    aim_engine_cancel(engine_of(job), &job->events);
    aimd__search_cancel(job);
}

static void on_gone(void *user)
{
    aimd_job *job = user;
    aimd_count(job->offload.daemon->metrics, AIMD_M_CANCELLED, NULL, NULL, 1);
    aimd__job_log(job, "cancelled");
    aimd_offload_detach(&job->offload);
    abandon(job);
    if (job->open == 0)
        job_end(job);
}

void aimd__job_fail(aimd_job *job, const aim_error *err, const char *code)
{
    aimd_exchange *x = job->offload.exchange;
    aimd__job_log(job, "error");
    if (x && job->streaming) {
        aim_buf_clear(&job->out);
        aimd_write_error_event(&job->out, err, code);
        aimd_write_done(&job->out);
        aimd_stream_write(x, job->out.data, job->out.len);
        aimd_stream_end(x);
    } else if (x) {
        aimd_respond_error(x, err, code);
    }
    aimd_offload_detach(&job->offload);
    abandon(job);
}

static void on_deadline(uv_timer_t *timer)
{
    aimd_job *job = timer->data;
    aim_error err = {0};
    aim_fail(&err, AIM_EBUSY, "the request could not start within %d seconds",
             job->offload.daemon->options->queue_timeout);
    aimd_count(job->offload.daemon->metrics, AIMD_M_REJECTED, NULL, "queue_timeout", 1);
    aimd__job_fail(job, &err, "queue_timeout");
}

/* ---- sending --------------------------------------------------------------- */

static void begin_stream(aimd_job *job)
{
    if (!job->streaming)
        aimd_stream_begin(job->offload.exchange, aimd__job_on_drain);
    job->streaming = true;
}

void aimd__job_send(aimd_job *job)
{
    begin_stream(job);
    if (job->out.failed) {
        aim_error err = {0};
        aim_fail_nomem(&err, "response");
        aim_buf_free(&job->out);
        aimd__job_fail(job, &err, NULL);
    } else if (!aimd_stream_write(job->offload.exchange, job->out.data, job->out.len) &&
               !job->paused) {
        aimd__job_pause(job);
    }
}

/* ---- the whole answer --------------------------------------------------- */

static const aim_buf *members_of(const aimd_job *job)
{
    static const aim_buf none = AIM_BUF_INIT;
    return job->search ? &job->search->members : &none;
}

/* What a search has chosen, each answer as one event. */
static void write_choices(aimd_job *job)
{
    const aim_buf *members = members_of(job);
    int n = (int)job->request.params.n;
    if (members->len)
        aimd_write_more_event(&job->out, &job->format, members, &job->usage);
    for (int i = 0; i < job->n_choices; i++)
        aimd_write_events(&job->out, &job->format, &job->parts[i / n], &job->choices[i], true,
                          &job->usage);
}

static void finish_stream(aimd_job *job)
{
    aimd_exchange *x = job->offload.exchange;
    begin_stream(job);
    aim_buf_clear(&job->out);
    if (job->search)
        write_choices(job);
    aimd_write_usage_event(&job->out, &job->format, &job->usage);
    aimd_write_done(&job->out);
    if (!job->out.failed)
        aimd_stream_write(x, job->out.data, job->out.len);
    aimd_stream_end(x);
}

static void finish_body(aimd_job *job)
{
    aimd_offload *o = &job->offload;
    aimd_write_body(&job->out, &job->format, job->parts, job->choices, members_of(job),
                    &job->usage);
    if (job->out.failed) {
        aim_fail_nomem(&o->error, "response");
        aimd__job_log(job, "error");
        aimd_offload_fail(o);
        return;
    }
    aimd_respond_take(o->exchange, 200, "application/json", &job->out);
}

static void complete(aimd_job *job)
{
    aim_error err = {0};
    if (job->search && aimd__search_choose(job, &err)) {
        aimd__job_fail(job, &err, NULL);
        job_end(job);
        return;
    }
    aimd__job_count_end(job);
    if (job->request.params.stream)
        finish_stream(job);
    else
        finish_body(job);
    job_end(job);
}

void aimd__job_settle(aimd_job *job)
{
    if (--job->open > 0)
        return;
    if (aimd__job_is_live(job))
        complete(job);
    else
        job_end(job);
}

void aimd__job_settle_unawaited(aimd_job *job)
{
    job->unawaited--;
    if (job->unawaited == 0 && job->open == 0 && job->state == AIMD_JOB_ABANDONED)
        job_end(job);
}

/* ---- events ------------------------------------------------------------- */

static void on_prompt(aimd_job *job, const aim_event *e)
{
    aim_error err = {0};
    aimd__job_count_prompt(job, e);
    if (aimd_prompt_part_fill(&job->parts[e->prompt_index], &job->format, e, &err) != AIM_OK)
        aimd__job_fail(job, &err, NULL);
}

static void on_step(aimd_job *job, const aim_event *e)
{
    int index = e->prompt_index * (int)job->request.params.n + e->candidate;
    aimd_prompt_part *part = &job->parts[e->prompt_index];
    aimd_choice *c = &job->choices[index];
    aim_error err = aimd_event_failure(e);
    if (err.code == AIM_OK) {
        uint64_t *last = &job->last_token_ns[index];
        if (e->kind == AIM_EVENT_TOKEN)
            aimd__job_count_token(job, last, *last == 0, e);
        job->end_ns = e->time_ns;
        aimd_choice_add(c, &job->format, part, e, &err);
    }
    if (err.code != AIM_OK) {
        aimd__job_fail(job, &err, aimd_error_code(&err, AIMD_DRAINING));
    } else if (job->request.params.stream) {
        aim_buf_clear(&job->out);
        aimd_write_events(&job->out, &job->format, part, c, e->kind == AIM_EVENT_TOKEN,
                          &job->usage);
        aimd_choice_sent(c);
        aimd__job_send(job);
    }
}

static void take_up(aimd_job *job, const aim_event *e)
{
    if (job->search)
        aimd__search_take(job, e);
    else if (e->kind == AIM_EVENT_PROMPT)
        on_prompt(job, e);
    else
        on_step(job, e);
}

static void on_event(aimd_event_target *target, const aim_event *e)
{
    aimd_job *job = (aimd_job *)((char *)target - offsetof(aimd_job, events));
    if (job->state == AIMD_JOB_QUEUED) {
        uv_timer_stop(&job->deadline);
        job->state = AIMD_JOB_RUNNING;
    }
    if (e->kind == AIM_EVENT_START) /* all it tells is that the wait is over */
        return;
    if (job->state == AIMD_JOB_RUNNING)
        take_up(job, e);
    if (e->kind != AIM_EVENT_PROMPT && e->finish != AIM_FINISH_NONE)
        aimd__job_settle(job);
}

/* ---- the beginning ------------------------------------------------------ */

/* The end of a job that the engine never had. */
static void refuse(aimd_job *job)
{
    aimd__job_log(job, "error");
    aimd_offload_fail(&job->offload);
    job_end(job);
}

/* Name the field behind a refusal that the engine words in its own terms. */
static void explain_refusal(aimd_job *job)
{
    aim_error *err = &job->offload.error;
    if (err->code == AIM_EBUSY)
        aimd_count(job->offload.daemon->metrics, AIMD_M_REJECTED, NULL, "queue_full", 1);
    if (err->code != AIM_EINVAL || err->param[0])
        return;
    const char *prompts = job->request.route == AIMD_CHAT ? "messages" : "prompt";
    const char *count = job->search ? "best_of" : "n";
    bool many = job->request.search.best_of > 1;
    snprintf(err->param, sizeof err->param, "%s", many ? count : prompts);
}

static void submit(aimd_job *job)
{
    aimd_offload *o = &job->offload;
    job->submit_ns = aim_now_ns();
    int code = job->search ? aimd__search_submit(job, &o->error)
                           : aimd_request_list_submit(&job->prepared, engine_of(job), &job->open,
                                                      &o->error);
    if (code != AIM_OK) {
        explain_refusal(job);
        refuse(job);
        return;
    }
    job->state = AIMD_JOB_QUEUED;
    aimd_exchange_set_user(o->exchange, job, on_gone);
    uint64_t wait_ms = (uint64_t)o->daemon->options->queue_timeout * 1000;
    if (wait_ms > 0)
        uv_timer_start(&job->deadline, on_deadline, wait_ms, 0);
}

static void on_parsed(aimd_offload *o)
{
    aimd_job *job = (aimd_job *)o;
    if (o->exchange && o->error.code == AIM_OK) {
        submit(job);
        return;
    }
    refuse(job);
}

void aimd_job_start(aimd_daemon *d, aimd_exchange *x, enum aimd_body_route route)
{
    aimd_job *job = aim_calloc(1, sizeof *job);
    if (!job) {
        aim_error err = {0};
        aim_fail_nomem(&err, "request");
        aimd_respond_error(x, &err, NULL);
        return;
    }
    job->state = AIMD_JOB_PARSING;
    job->events.deliver = on_event;
    job->offload.route = route;
    job->offload.run = aimd__job_prepare;
    job->offload.done = on_parsed;
    uv_timer_init(d->loop, &job->deadline);
    job->deadline.data = job;
    aimd_offload_start(&job->offload, d, x);
}
