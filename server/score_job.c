/* SPDX-License-Identifier: Apache-2.0 */
#include "server/score_job.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "server/json_out.h"
#include "server/routes.h"
#include "server/score_request.h"

#include <string.h>
#include <time.h>

static aim_engine *engine_of(const aimd_score_job *job)
{
    return job->offload.model->model->engine;
}

/* ---- the worker's part --------------------------------------------------- */

static int read_aggregation(const json_t *body, enum aim_aggregation *out, aim_error *err)
{
    const json_t *v = json_object_get(body, "reward_aggregation");
    int found = AIM_AGGREGATE_LAST;
    if (v && !json_is_null(v))
        found = json_is_string(v) ? aim_aggregation_find(json_string_value(v)) : -1;
    if (found < 0)
        return aim_fail_param(err, AIM_EINVAL, "reward_aggregation",
                              "reward_aggregation must be one of " AIM_AGGREGATION_NAMES);
    *out = (enum aim_aggregation)found;
    return AIM_OK;
}

static aim_request *make_request(aimd_score_job *job, int i)
{
    aim_request *q = aimd_score_request(job->offload.model->reward, &job->answers[i].input, 0);
    if (!q)
        return NULL;
    q->user = &job->events;
    q->prompt_index = i;
    return q;
}

static int prepare_requests(aimd_score_job *job, aim_error *err)
{
    job->prepared = aim_calloc((size_t)job->n_answers, sizeof *job->prepared);
    if (!job->prepared)
        return aim_fail_nomem(err, "request");
    for (int i = 0; i < job->n_answers; i++) {
        job->usage.prompt_tokens += job->answers[i].input.n_tokens;
        if (!(job->prepared[i] = make_request(job, i)))
            return aim_fail_nomem(err, "request");
    }
    return AIM_OK;
}

static void read_body(aimd_offload *o)
{
    aimd_score_job *job = (aimd_score_job *)o;
    aimd_body b;
    int code = aimd_body_open(o, &b);
    job->params = b.params;
    if (!code)
        code = read_aggregation(b.json, &job->aggregation, &o->error);
    if (!code)
        code = job->route->read(job, &b, &o->error);
    if (!code)
        code = prepare_requests(job, &o->error);
    if (!code)
        job->rates = aimd_chip_rates_of(o->model->model->decoder);
    aimd_body_close(&b);
}

/* ---- the end ------------------------------------------------------------- */

static void free_answers(aimd_score_job *job)
{
    for (int i = 0; i < job->n_answers; i++) {
        aimd_scored_answer *a = &job->answers[i];
        aim_reward_input_free(&a->input);
        aim_free(a->outputs);
        aim_free(a->scores);
        aim_free(a->text);
    }
    aim_free(job->answers);
}

static void on_deadline_closed(uv_handle_t *handle)
{
    aimd_score_job *job = handle->data;
    for (int i = 0; job->prepared && i < job->n_answers; i++)
        if (job->prepared[i])
            aim_request_free(job->prepared[i]);
    aim_free(job->prepared);
    free_answers(job);
    aim_buf_free(&job->out);
    aim_free(job);
}

/* No event can come any more. The memory goes with the timer. */
static void job_end(aimd_score_job *job)
{
    aimd_offload_end(&job->offload);
    uv_close((uv_handle_t *)&job->deadline, on_deadline_closed);
}

static void log_end(const aimd_score_job *job, const char *finish)
{
    const aimd_offload *o = &job->offload;
    if (!o->exchange || !o->model)
        return;
    aimd_request_log log = {
        .model = o->model->id,
        .finish = finish,
        .prompt_tokens = (int)job->usage.prompt_tokens,
        .cached_tokens = (int)job->usage.cached_tokens,
        .queue_ms = (double)job->queued_ns * 1e-6,
    };
    aimd_set_request_log(o->exchange, &log);
}

/* Nobody waits any more. */
static void abandon(aimd_score_job *job)
{
    aimd_offload_detach(&job->offload);
    job->state = AIMD_SCORES_ABANDONED;
    uv_timer_stop(&job->deadline);
    aim_engine_cancel(engine_of(job), &job->events);
}

static void on_gone(void *user)
{
    aimd_score_job *job = user;
    aimd_count(job->offload.daemon->metrics, AIMD_M_CANCELLED, NULL, NULL, 1);
    log_end(job, "cancelled");
    abandon(job);
}

static void fail(aimd_score_job *job, const aim_error *err, const char *code)
{
    log_end(job, "error");
    if (job->offload.exchange)
        aimd_respond_error(job->offload.exchange, err, code);
    abandon(job);
}

static void on_deadline(uv_timer_t *timer)
{
    aimd_score_job *job = timer->data;
    aim_error err = {0};
    aim_fail(&err, AIM_EBUSY, "the request could not start within %d seconds",
             job->offload.daemon->options->queue_timeout);
    aimd_count(job->offload.daemon->metrics, AIMD_M_REJECTED, NULL, "queue_timeout", 1);
    fail(job, &err, "queue_timeout");
}

/* ---- the response -------------------------------------------------------- */

static void count_end(const aimd_score_job *job)
{
    const aimd_offload *o = &job->offload;
    uint64_t start = aimd_exchange_start_ns(o->exchange);
    aimd_count(o->daemon->metrics, AIMD_M_SCORED_ANSWERS, o->model->id, NULL, job->n_answers);
    aimd_observe(o->daemon->metrics, AIMD_M_E2E, o->model->id,
                 (double)(aim_now_ns() - start) * 1e-9);
    aimd_observe(o->daemon->metrics, AIMD_M_REQUEST_PROMPT_TOKENS, o->model->id,
                 (double)job->usage.prompt_tokens);
}

static void complete(aimd_score_job *job)
{
    job->route->write(&job->out, job);
    if (job->out.failed) {
        aim_fail_nomem(&job->offload.error, "response");
        log_end(job, "error");
        aimd_offload_fail(&job->offload);
    } else {
        count_end(job);
        log_end(job, "scored");
        aimd_respond_take(job->offload.exchange, 200, "application/json", &job->out);
    }
    job_end(job);
}

double aimd_score_of(const aimd_score_job *job, const aimd_scored_answer *a)
{
    return aim_aggregate(job->aggregation, a->scores, a->input.n_scores);
}

void aimd_score_write_head(aim_buf *out, const aimd_score_job *job, const char *prefix)
{
    aim_buf_printf(out, "{\"id\":\"%s-", prefix);
    aimd_json_escape(out, aimd_exchange_id(job->offload.exchange),
                     strlen(aimd_exchange_id(job->offload.exchange)));
    aim_buf_printf(out, "\",\"created\":%lld,\"model\":", (long long)job->created);
    aimd_json_cstring(out, job->offload.model->id);
}

void aimd_score_write_usage(aim_buf *out, const aimd_score_job *job)
{
    aim_buf_puts(out, ",\"usage\":");
    aimd_write_usage(out, &job->usage, &job->rates);
}

/* ---- events -------------------------------------------------------------- */

static int keep_scores(aimd_score_job *job, const aim_event *e, aim_error *err)
{
    aimd_scored_answer *a = &job->answers[e->prompt_index];
    size_t n = (size_t)e->n_scores, width = (size_t)e->score_width;
    a->width = e->score_width;
    a->outputs = aim_array(n * width, sizeof *a->outputs);
    a->scores = aim_array(n, sizeof *a->scores);
    if (!a->outputs || !a->scores)
        return aim_fail_nomem(err, "scores");
    memcpy(a->outputs, e->scores, n * width * sizeof *a->outputs);
    aim_reward_scores(job->offload.model->reward, a->outputs, e->n_scores, e->score_width,
                      a->scores);
    return AIM_OK;
}

static void on_computed(aimd_score_job *job, const aim_event *e)
{
    aimd_metrics *m = job->offload.daemon->metrics;
    const aimd_model *model = job->offload.model;
    int n_tokens = job->answers[e->prompt_index].input.n_tokens;
    aim_error err = {0};
    if (e->prompt_index == 0) {
        job->queued_ns = e->queued_ns;
        aimd_observe(m, AIMD_M_QUEUE_TIME, model->id, (double)e->queued_ns * 1e-9);
    }
    aimd_count(m, AIMD_M_PROMPT_TOKENS, model->id, NULL, n_tokens);
    aimd_usage_add_scored(&job->usage, n_tokens, e->cached_tokens, e->n_scores);
    if (keep_scores(job, e, &err))
        fail(job, &err, NULL);
}

static void on_finish(aimd_score_job *job, const aim_event *e)
{
    aim_error err = aimd_event_failure(e);
    if (err.code)
        fail(job, &err, aimd_error_code(&err, AIMD_DRAINING));
}

static void on_event(aimd_event_target *target, const aim_event *e)
{
    aimd_score_job *job = (aimd_score_job *)((char *)target - offsetof(aimd_score_job, events));
    if (job->state == AIMD_SCORES_QUEUED) {
        uv_timer_stop(&job->deadline);
        job->state = AIMD_SCORES_RUNNING;
    }
    if (e->kind == AIM_EVENT_PROMPT && job->state == AIMD_SCORES_RUNNING)
        on_computed(job, e);
    if (e->kind != AIM_EVENT_FINISH)
        return;
    if (job->state == AIMD_SCORES_RUNNING)
        on_finish(job, e);
    if (--job->open > 0)
        return;
    if (job->state == AIMD_SCORES_RUNNING)
        complete(job);
    else
        job_end(job);
}

/* ---- the beginning ------------------------------------------------------- */

/* The end of a job that the engine never had. */
static void refuse(aimd_score_job *job)
{
    log_end(job, "error");
    aimd_offload_fail(&job->offload);
    job_end(job);
}

static void submit(aimd_score_job *job)
{
    aimd_offload *o = &job->offload;
    aim_request **requests = job->prepared;
    job->prepared = NULL;
    int code = aim_engine_submit(engine_of(job), requests, job->n_answers, &o->error);
    aim_free(requests);
    if (code == AIM_EBUSY)
        aimd_count(o->daemon->metrics, AIMD_M_REJECTED, NULL, "queue_full", 1);
    if (code) {
        refuse(job);
        return;
    }
    job->state = AIMD_SCORES_QUEUED;
    job->open = job->n_answers;
    aimd_exchange_set_user(o->exchange, job, on_gone);
    uv_timer_start(&job->deadline, on_deadline, (uint64_t)o->daemon->options->queue_timeout * 1000,
                   0);
}

static void on_read(aimd_offload *o)
{
    aimd_score_job *job = (aimd_score_job *)o;
    if (o->exchange && o->error.code == AIM_OK)
        submit(job);
    else
        refuse(job);
}

void aimd_score_start(aimd_daemon *d, aimd_exchange *x, const aimd_score_route *route)
{
    aimd_score_job *job = aim_calloc(1, sizeof *job);
    if (!job) {
        aim_error err = {0};
        aim_fail_nomem(&err, "request");
        aimd_respond_error(x, &err, NULL);
        return;
    }
    job->route = route;
    job->created = (int64_t)time(NULL);
    job->events.deliver = on_event;
    job->offload.route = route->body;
    job->offload.run = read_body;
    job->offload.done = on_read;
    uv_timer_init(d->loop, &job->deadline);
    job->deadline.data = job;
    aimd_offload_start(&job->offload, d, x);
}
