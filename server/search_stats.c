/* SPDX-License-Identifier: Apache-2.0 */
/* What searches tell the metrics when their request is complete. */
#include "server/search_job.h"

int aimd__search_count(const aimd_job *job)
{
    int sum = 0;
    for (size_t i = 0; job->search && i < job->search->n_runs; i++)
        sum += (int)job->search->runs[i].n_candidates;
    return sum;
}

typedef struct tally {
    int64_t chosen_tokens;
    bool stopped_early;
    int unscored;
} tally;

static void count_candidate(const aimd_job *job, const aim_candidate *c, tally *t)
{
    aimd_count(job->offload.daemon->metrics, AIMD_M_SEARCH_CANDIDATES, job->model->id,
               aim_candidate_end_name(c->end), 1);
    t->stopped_early |= c->end == AIM_CANDIDATE_UNNEEDED;
    t->unscored += c->unscored != NULL;
}

/* A step search may choose the same one several times. */
static bool is_listed(const aim_candidate *const *ranking, int n, const aim_candidate *c)
{
    for (int i = 0; i < n; i++)
        if (ranking[i] == c)
            return true;
    return false;
}

static void count_run(const aimd_search_run *run)
{
    const aimd_job *job = run->job;
    aimd_metrics *m = job->offload.daemon->metrics;
    const char *model = job->model->id;
    tally t = {0};
    int count;
    const aim_candidate *const *ranking = aim_search_ranking(run->search, &count);
    for (int i = 0; i < aim_search_count(run->search); i++)
        count_candidate(job, aim_search_candidate(run->search, i), &t);
    for (int j = 0; j < job->request.params.n; j++)
        t.chosen_tokens += is_listed(ranking, j, ranking[j]) ? 0 : ranking[j]->n_tokens;
    int64_t others = aim_search_tokens(run->search) - t.chosen_tokens;
    aimd_count(m, AIMD_M_SEARCHES, model, NULL, 1);
    aimd_count(m, AIMD_M_SEARCH_STOPPED_EARLY, model, NULL, t.stopped_early);
    aimd_count(m, AIMD_M_SEARCH_UNSCORED, model, NULL, t.unscored);
    /* Those chosen may share their first steps, which were sampled once. */
    aimd_count(m, AIMD_M_SEARCH_TOKENS_NOT_CHOSEN, model, NULL, others > 0 ? (double)others : 0);
}

void aimd__search_count_end(aimd_job *job)
{
    for (size_t i = 0; i < job->search->n_runs; i++)
        count_run(&job->search->runs[i]);
}
