/* SPDX-License-Identifier: Apache-2.0 */
/* What a job tells the metrics and the request log. Times are seconds between
 * monotonic stamps of the engine and the listener. */
#include "server/search_job.h"

static double seconds(uint64_t from, uint64_t to)
{
    return to > from ? (double)(to - from) * 1e-9 : 0;
}

static void observe(aimd_job *job, enum aimd_metric id, double value)
{
    aimd_observe(job->offload.daemon->metrics, id, job->model->id, value);
}

static uint64_t arrival(const aimd_job *job)
{
    return aimd_exchange_start_ns(job->offload.exchange);
}

/* The moment the first prompt left the queue. */
static uint64_t start_of_work(const aimd_job *job)
{
    return job->submit_ns + job->queued_ns;
}

void aimd__job_count_prompt(aimd_job *job, const aim_event *e)
{
    aimd_metrics *m = job->offload.daemon->metrics;
    const aimd_prompt *prompt = &job->request.prompts[e->prompt_index];
    int n_tokens = prompt->n_tokens;
    if (job->end_ns == 0) {
        job->queued_ns = e->queued_ns;
        observe(job, AIMD_M_QUEUE_TIME, (double)e->queued_ns * 1e-9);
    }
    job->end_ns = e->time_ns;
    aimd_usage_add_prompt(&job->usage, n_tokens, e->cached_tokens, e->prompt_logprob != NULL,
                          prompt->max_tokens > 0);
    aimd_count(m, AIMD_M_PROMPT_TOKENS, job->model->id, NULL, n_tokens);
}

void aimd__job_count_token(aimd_job *job, uint64_t *last, bool from_prompt, const aim_event *e)
{
    aimd_usage_add_token(&job->usage, from_prompt);
    aimd_count(job->offload.daemon->metrics, AIMD_M_GENERATION_TOKENS, job->model->id, NULL, 1);
    if (*last)
        observe(job, AIMD_M_ITL, seconds(*last, e->time_ns));
    *last = e->time_ns;
    if (job->first_token_ns)
        return;
    job->first_token_ns = e->time_ns;
    observe(job, AIMD_M_TTFT, seconds(arrival(job), e->time_ns));
    observe(job, AIMD_M_PREFILL_TIME, seconds(start_of_work(job), e->time_ns));
}

static const char *finish_name(enum aim_finish finish)
{
    return finish == AIM_FINISH_STOP ? "stop" : finish == AIM_FINISH_LENGTH ? "length" : "abort";
}

void aimd__job_log(aimd_job *job, const char *finish)
{
    if (!job->offload.exchange || !job->model)
        return;
    aimd_request_log log = {
        .model = job->model->id,
        .finish = finish,
        .prompt_tokens = (int)job->usage.prompt_tokens,
        .cached_tokens = (int)job->usage.cached_tokens,
        .completion_tokens = (int)job->usage.completion_tokens,
        .queue_ms = (double)job->queued_ns * 1e-6,
        .ttft_ms = seconds(arrival(job), job->first_token_ns) * 1e3,
        .candidates = aimd__search_count(job),
        .reward_tokens = job->usage.reward_tokens,
    };
    aimd_set_request_log(job->offload.exchange, &log);
}

void aimd__job_count_end(aimd_job *job)
{
    aimd_metrics *m = job->offload.daemon->metrics;
    if (job->search)
        aimd__search_count_end(job);
    for (int i = 0; i < job->n_choices; i++)
        aimd_count(m, AIMD_M_REQUEST_SUCCESS, job->model->id, finish_name(job->choices[i].finish),
                   1);
    observe(job, AIMD_M_E2E, seconds(arrival(job), job->end_ns));
    observe(job, AIMD_M_INFERENCE_TIME, seconds(start_of_work(job), job->end_ns));
    if (job->first_token_ns)
        observe(job, AIMD_M_DECODE_TIME, seconds(job->first_token_ns, job->end_ns));
    observe(job, AIMD_M_REQUEST_PROMPT_TOKENS, (double)job->usage.prompt_tokens);
    observe(job, AIMD_M_REQUEST_GENERATION_TOKENS, (double)job->usage.completion_tokens);
    observe(job, AIMD_M_REQUEST_MAX_TOKENS, job->request.prompts[0].max_tokens);
    observe(job, AIMD_M_REQUEST_N, (double)job->request.params.n);
    aimd__job_log(job, finish_name(job->choices[0].finish));
}
