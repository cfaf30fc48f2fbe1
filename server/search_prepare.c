/* SPDX-License-Identifier: Apache-2.0 */
/* The part of a search that runs on the worker thread that has read the request. */
#include "server/search_job.h"

#include "base/alloc.h"
#include "server/score_request.h"

static int find_reward_model(aimd_job *job, aim_error *err)
{
    aimd_daemon *d = job->offload.daemon;
    const aimd_search_request *s = &job->request.search;
    if (!s->with_rewards)
        return AIM_OK;
    job->search->reward_model =
        aimd_models_find_reward(&d->models, s->reward_model, job->model, err);
    job->search->rewards.deliver = aimd__search_on_reward;
    job->usage.with_rewards = true;
    return job->search->reward_model ? AIM_OK : (int)err->code;
}

/* A question that leaves no room for an answer would fail every candidate, after all
 * the work. */
static int check_question(const aimd_model *reward, const aim_reward_input *input, aim_error *err)
{
    int most = aim_engine_max_context(reward->model->engine);
    if (input->n_tokens < most)
        return AIM_OK;
    return aim_fail_param(err, AIM_ECONTEXT, "reward_question",
                          "The question has %d tokens for the reward model %s, whose context is "
                          "%d",
                          input->n_tokens, reward->id, most);
}

static aim_request *question_request(aimd_search_run *run, aim_reward_input *input)
{
    aim_request *q = aimd_score_request(run->job->search->reward_model->reward, input, 0);
    if (q)
        q->user = &run->question;
    run->question.deliver = aimd__search_on_question;
    run->warming = true;
    return q;
}

static int prepare_question(aimd_search_run *run, aim_error *err)
{
    aimd_search_job *s = run->job->search;
    const aimd_model *reward = s->reward_model;
    const aim_buf *question = &run->job->request.search.questions[run->prompt];
    aim_reward_input input = {0};
    int code = aim_reward_lay_out_question(reward->reward, question->data ? question->data : "",
                                           question->len, &input, err);
    if (!code)
        code = check_question(reward, &input, err);
    if (!code && input.n_tokens > 0)
        code = aimd_request_list_take(&s->questions, question_request(run, &input), err);
    aim_reward_input_free(&input);
    return code;
}

static int prepare_run(aimd_search_run *run, aim_error *err)
{
    aimd_job *job = run->job;
    const aimd_model *reward = job->search->reward_model;
    aim_search_options options =
        aimd_search_options(&job->request, (size_t)run->prompt, reward ? reward->reward : NULL);
    run->search = aim_search_new(&options, err);
    if (!run->search)
        return (int)err->code;
    int code = reward ? prepare_question(run, err) : AIM_OK;
    aim_search_work w;
    while (!code && (w = aim_search_next(run->search)).task == AIM_TASK_SAMPLE)
        code = aimd__search_sample(run, &w, false, &job->prepared, err);
    return code;
}

int aimd__search_new(aimd_job *job, aim_error *err)
{
    job->search = aim_calloc(1, sizeof *job->search);
    return job->search ? find_reward_model(job, err) : aim_fail_nomem(err, "search");
}

int aimd__search_prepare(aimd_job *job, aim_error *err)
{
    aimd_search_job *s = job->search;
    int code = AIM_OK;
    s->runs = aim_calloc(job->request.n_prompts, sizeof *s->runs);
    if (!s->runs)
        return aim_fail_nomem(err, "search");
    s->n_runs = job->request.n_prompts;
    for (size_t i = 0; i < s->n_runs && !code; i++) {
        s->runs[i].job = job;
        s->runs[i].prompt = (int)i;
        code = prepare_run(&s->runs[i], err);
    }
    return code;
}

static void free_run(aimd_search_run *run)
{
    for (size_t i = 0; i < run->n_candidates; i++) {
        if (run->candidates[i])
            aimd_choice_free(&run->candidates[i]->choice);
        aim_free(run->candidates[i]);
    }
    aim_free(run->candidates);
    aim_search_free(run->search);
}

void aimd__search_free(aimd_search_job *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->n_runs; i++)
        free_run(&s->runs[i]);
    aim_free(s->runs);
    aimd_request_list_free(&s->questions);
    aim_buf_free(&s->members);
    aim_free(s);
}
