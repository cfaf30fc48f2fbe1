/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/score, as vLLM has it: scores of answers to questions. */
#include "server/score_job.h"

#include "server/json_out.h"
#include "server/routes.h"

/* /rerank has query: here it would be an unknown field, and queries missing. */
static int check_names(const json_t *body, aim_error *err)
{
    if (!json_object_get(body, "query"))
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, "query",
                          "query is a field of /rerank: here it is queries");
}

static int read_score(aimd_score_job *job, const aimd_body *b, aim_error *err)
{
    static const char *const queries[] = {"queries", "text_1", "data_1", NULL};
    static const char *const documents[] = {"documents", "items", "text_2", "data_2", NULL};
    aimd_texts questions, answers;
    int code = check_names(b->json, err);
    if (!code)
        code = aimd_texts_read(b->json, queries, &questions, err);
    if (!code)
        code = aimd_texts_read(b->json, documents, &answers, err);
    if (code)
        return code;
    if (questions.n > 1 && questions.n != answers.n)
        return aim_fail_param(err, AIM_EINVAL, answers.field,
                              "%s has %zu texts and %s %zu: one for all, or one for each",
                              questions.field, questions.n, answers.field, answers.n);
    return aimd_score_lay_out_all(job, &questions, &answers, err);
}

static void write_score(aim_buf *out, const aimd_score_job *job)
{
    aimd_score_write_head(out, job, "score");
    aim_buf_puts(out, ",\"object\":\"list\",\"data\":[");
    for (int i = 0; i < job->n_answers; i++) {
        aim_buf_printf(out, "%s{\"index\":%d,\"object\":\"score\",\"score\":", i ? "," : "", i);
        aimd_json_score(out, aimd_score_of(job, &job->answers[i]));
        aim_buf_puts(out, "}");
    }
    aim_buf_puts(out, "]");
    aimd_score_write_usage(out, job);
    aim_buf_puts(out, "}");
}

void aimd_post_score(aimd_daemon *d, aimd_exchange *x)
{
    static const aimd_score_route route = {AIMD_SCORE, read_score, write_score};
    aimd_score_start(d, x, &route);
}
