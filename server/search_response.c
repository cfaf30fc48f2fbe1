/* SPDX-License-Identifier: Apache-2.0 */
#include "server/search_response.h"

#include "server/json_out.h"

#include <math.h>

/* ---- the list ---------------------------------------------------------------- */

/* "name":number, or null. */
static void write_number(aim_buf *out, const char *name, double v)
{
    aim_buf_printf(out, ",\"%s\":", name);
    aimd_json_score(out, v);
}

static double mean(double sum, int n)
{
    return n > 0 ? sum / n : (double)NAN;
}

static void write_steps(aim_buf *out, const aim_candidate *c)
{
    if (!c->step_scores) {
        aim_buf_puts(out, ",\"rewards\":null");
        return;
    }
    aim_buf_puts(out, ",\"rewards\":[");
    for (int i = 0; i < c->n_steps; i++) {
        aim_buf_puts(out, i ? "," : "");
        aimd_json_score(out, (double)c->step_scores[i]);
    }
    aim_buf_puts(out, "]");
}

static void write_candidate(aim_buf *out, const aimd_search_run *run, const aim_candidate *c)
{
    enum aim_select select = run->job->request.search.select;
    aim_buf_printf(out, "{\"prompt_index\":%d,\"index\":%d,\"text\":", run->prompt, c->number);
    aimd_json_string(out, c->text.data, c->text.len);
    aim_buf_puts(out, ",\"answer\":");
    if (c->has_answer)
        aimd_json_string(out, c->answer.data, c->answer.len);
    else
        aim_buf_puts(out, "null");
    write_number(out, "logprob", mean(c->logprob_sum, c->n_tokens));
    if (select == AIM_SELECT_SELF_CERTAINTY)
        write_number(out, "self_certainty", mean(c->certainty_sum, c->n_tokens));
    write_steps(out, c);
    write_number(out, "reward", c->reward);
    write_number(out, "score", c->score);
    aim_buf_printf(out, ",\"tokens\":%d,\"finish_reason\":", c->n_tokens);
    aimd_json_cstring(out, aim_candidate_end_name(c->end));
    aim_buf_puts(out, ",\"error\":");
    aimd_json_cstring(out, c->unscored ? c->unscored->text : NULL);
    aim_buf_puts(out, "}");
}

void aimd__search_write_candidates(const aimd_job *job, aim_buf *out)
{
    const char *separator = "";
    aim_buf_puts(out, ",\"candidates\":[");
    for (size_t i = 0; i < job->search->n_runs; i++) {
        const aimd_search_run *run = &job->search->runs[i];
        int count;
        const aim_candidate *const *ranking = aim_search_ranking(run->search, &count);
        for (int j = 0; j < count; j++) {
            aim_buf_puts(out, separator);
            write_candidate(out, run, ranking[j]);
            separator = ",";
        }
    }
    aim_buf_puts(out, "]");
}

/* ---- the stream ---------------------------------------------------------------- */

/* ,"candidate":{...}: with the number of its parent where it begins as a copy. */
static void write_step(aim_buf *out, const aimd_search_run *run, const aim_candidate *c,
                       const char *text, size_t len, const char *reason)
{
    bool chat = run->job->request.route == AIMD_CHAT;
    aim_buf_printf(out, ",\"candidate\":{\"prompt_index\":%d,\"index\":%d", run->prompt, c->number);
    if (c->parent >= 0)
        aim_buf_printf(out, ",\"parent\":%d", c->parent);
    aim_buf_puts(out, chat ? ",\"delta\":{\"content\":" : ",\"text\":");
    aimd_json_string(out, text, len);
    aim_buf_puts(out, chat ? "},\"finish_reason\":" : ",\"finish_reason\":");
    aimd_json_cstring(out, reason);
    aim_buf_puts(out, "}");
}

static void tell(aimd_search_run *run, const aim_candidate *c, const char *text, size_t len,
                 const char *reason)
{
    aimd_job *job = run->job;
    aim_buf members = AIM_BUF_INIT;
    write_step(&members, run, c, text, len, reason);
    aim_buf_clear(&job->out);
    aimd_write_more_event(&job->out, &job->format, &members, &job->usage);
    job->out.failed |= members.failed;
    aim_buf_free(&members);
    aimd__job_send(job);
}

void aimd__search_tell_token(aimd_search_run *run, const aim_event *e)
{
    const aim_candidate *c = aim_search_candidate(run->search, e->candidate);
    bool ends = e->finish == AIM_FINISH_STOP || e->finish == AIM_FINISH_LENGTH;
    if (!run->job->request.params.stream_candidates)
        return;
    aimd__search_candidate(run, e->candidate)->told_end = ends;
    tell(run, c, e->text, e->text_len,
         !ends                          ? NULL
         : e->finish == AIM_FINISH_STOP ? "stop"
                                        : "length");
}

void aimd__search_tell_ends(aimd_search_run *run)
{
    const aimd_job *job = run->job;
    if (!job->request.params.stream_candidates)
        return;
    for (size_t i = 0; i < run->n_candidates && aimd__job_is_live(job); i++) {
        const aim_candidate *c = aim_search_candidate(run->search, (int)i);
        aimd_search_candidate *mine = run->candidates[i];
        if (!mine || mine->told_end || c->end == AIM_CANDIDATE_OPEN)
            continue;
        mine->told_end = true;
        const char *held = c->held > 0 ? c->text.data + c->text.len - c->held : "";
        tell(run, c, held, c->held, aim_candidate_end_name(c->end));
    }
}
