/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/rerank, as vLLM has it: answers to one question, the best first. */
#include "server/score_job.h"

#include "base/alloc.h"
#include "server/json_out.h"
#include "server/routes.h"

#include <math.h>
#include <stdlib.h>

static int keep_texts(aimd_score_job *job, const aimd_texts *answers, aim_error *err)
{
    for (size_t i = 0; i < answers->n; i++) {
        aimd_scored_answer *a = &job->answers[i];
        const char *text = aimd_texts_get(answers, i, &a->text_len);
        a->text = aim_strndup(text, a->text_len);
        if (!a->text)
            return aim_fail_nomem(err, answers->field);
    }
    return AIM_OK;
}

static int read_rerank(aimd_score_job *job, const aimd_body *b, aim_error *err)
{
    static const char *const query[] = {"query", NULL};
    aimd_texts question, answers;
    int code = aimd_texts_read(b->json, query, &question, err);
    if (!code && json_is_array(question.value))
        code = aim_fail_param(err, AIM_EINVAL, "query", "query must be a string");
    if (!code)
        code = aimd_documents_read(b->json, "documents", &answers, err);
    if (!code)
        code = aimd_score_lay_out_all(job, &question, &answers, err);
    return !code && b->params.return_documents ? keep_texts(job, &answers, err) : code;
}

typedef struct ranked {
    int index;
    double score;
} ranked;

/* The better one first, of equals that which was sent first. */
static int by_rank(const void *x, const void *y)
{
    const ranked *a = x, *b = y;
    if (a->score != b->score)
        return a->score > b->score ? -1 : 1;
    return a->index - b->index;
}

static void write_result(aim_buf *out, const aimd_scored_answer *a, const ranked *r)
{
    aim_buf_printf(out, "{\"index\":%d,", r->index);
    if (a->text) {
        aim_buf_puts(out, "\"document\":{\"text\":");
        aimd_json_string(out, a->text, a->text_len);
        aim_buf_puts(out, "},");
    }
    aim_buf_puts(out, "\"relevance_score\":");
    aimd_json_score(out, r->score);
    aim_buf_puts(out, "}");
}

static void rank(const aimd_score_job *job, ranked *order)
{
    for (int i = 0; i < job->n_answers; i++) {
        double score = aimd_score_of(job, &job->answers[i]);
        order[i] = (ranked){i, isnan(score) ? -INFINITY : score};
    }
    qsort(order, (size_t)job->n_answers, sizeof *order, by_rank);
}

static void write_rerank(aim_buf *out, const aimd_score_job *job)
{
    int64_t top_n = job->params.top_n, n = job->n_answers;
    ranked *order = aim_array((size_t)n, sizeof *order);
    if (!order) {
        out->failed = true;
        return;
    }
    rank(job, order);
    aimd_score_write_head(out, job, "rerank");
    aim_buf_puts(out, ",\"results\":[");
    for (int i = 0; i < n && (top_n == 0 || i < top_n); i++) {
        aim_buf_puts(out, i ? "," : "");
        write_result(out, &job->answers[order[i].index], &order[i]);
    }
    aim_buf_puts(out, "]");
    aimd_score_write_usage(out, job);
    aim_buf_puts(out, "}");
    aim_free(order);
}

void aimd_post_rerank(aimd_daemon *d, aimd_exchange *x)
{
    static const aimd_score_route route = {AIMD_RERANK, read_rerank, write_rerank};
    aimd_score_start(d, x, &route);
}
