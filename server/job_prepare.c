/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a job that runs on a worker thread: from the body to requests for
 * the engine and an empty answer. */
#include "server/search_job.h"

#include "base/alloc.h"

#include <time.h>

static int prepare_requests(aimd_job *job, aim_error *err)
{
    const aimd_request *r = &job->request;
    int code = AIM_OK;
    for (size_t i = 0; i < r->n_prompts && !code; i++)
        code = aimd_request_list_take(&job->prepared, aimd_request_for_engine(r, i, &job->events),
                                      err);
    return code;
}

static int prepare_parts(aimd_job *job, aim_error *err)
{
    const aimd_request *r = &job->request;
    job->parts = aim_calloc(r->n_prompts, sizeof *job->parts);
    if (!job->parts)
        return aim_fail_nomem(err, "response");
    for (size_t i = 0; i < r->n_prompts; i++) {
        job->parts[i].prompt = &r->prompts[i];
        job->usage.prompt_tokens += r->prompts[i].n_tokens;
    }
    return AIM_OK;
}

static int prepare_choices(aimd_job *job, aim_error *err)
{
    size_t n = job->request.n_prompts * (size_t)job->request.params.n;
    job->choices = aim_calloc(n, sizeof *job->choices);
    job->last_token_ns = aim_calloc(n, sizeof *job->last_token_ns);
    if (!job->choices || !job->last_token_ns)
        return aim_fail_nomem(err, "response");
    job->n_choices = (int)n;
    for (int i = 0; i < job->n_choices; i++)
        aimd_choice_init(&job->choices[i], &job->format, i);
    return AIM_OK;
}

/* The response's own words. What a reward model chose depends on that model as well. */
static int prepare_format(aimd_job *job, const aim_tokenizer *tokenizer, aim_error *err)
{
    char joined[AIMD_FINGERPRINT_SIZE];
    const aimd_model *reward = job->search ? job->search->reward_model : NULL;
    aimd_response_id id = {
        .request_id = aimd_exchange_id(job->offload.exchange),
        .model = job->model->id,
        .fingerprint = job->model->fingerprint,
        .created = (int64_t)time(NULL),
    };
    if (reward) {
        aimd_fingerprint_join(id.fingerprint, reward->fingerprint, joined);
        id.fingerprint = joined;
    }
    int code = aimd_format_init(&job->format, &job->request, tokenizer, &id, err);
    job->format.rates = aimd_chip_rates_of(job->model->model->decoder);
    return code;
}

static int prepare(aimd_job *job, aimd_body *b, aim_error *err)
{
    job->model = job->offload.model;
    job->request.route = job->offload.route;
    job->request.params = b->params;
    int code = aimd_request_read(b->json, &b->scope, &job->request, err);
    if (!code && job->request.search.on)
        code = aimd__search_new(job, err);
    if (!code)
        code = prepare_format(job, b->scope.tokenizer, err);
    if (!code)
        code = prepare_parts(job, err);
    if (!code && job->search)
        return aimd__search_prepare(job, err);
    if (!code)
        code = prepare_requests(job, err);
    return code ? code : prepare_choices(job, err);
}

void aimd__job_prepare(aimd_offload *o)
{
    aimd_job *job = (aimd_job *)o;
    aimd_body b;
    if (aimd_body_open(o, &b) == AIM_OK)
        prepare(job, &b, &o->error);
    aimd_body_close(&b);
}

void aimd__job_unprepare(aimd_job *job)
{
    aimd__search_free(job->search);
    aimd_request_list_free(&job->prepared);
    for (size_t i = 0; job->parts && i < job->request.n_prompts; i++)
        aimd_prompt_part_free(&job->parts[i]);
    aim_free(job->parts);
    for (int i = 0; i < job->n_choices; i++)
        aimd_choice_free(&job->choices[i]);
    aim_free(job->choices);
    aim_free(job->last_token_ns);
    aimd_format_free(&job->format);
    aimd_request_fini(&job->request);
    aim_buf_free(&job->out);
}
