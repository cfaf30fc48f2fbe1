/* SPDX-License-Identifier: Apache-2.0 */
/* A job whose stream has a reader that is behind: its sequences are stopped. A search counts
 * the wait in job->open, because between two rounds nothing else is under way, and it is not
 * over. For the same reason the daemon lists it: the end of the engines tells it nothing. */
#include "server/search_job.h"

static void list(aimd_job *job)
{
    aimd_daemon *d = job->offload.daemon;
    job->next_paused = d->paused_searches;
    job->paused_link = &d->paused_searches;
    if (job->next_paused)
        job->next_paused->paused_link = &job->next_paused;
    d->paused_searches = job;
}

static void unlist(aimd_job *job)
{
    *job->paused_link = job->next_paused;
    if (job->next_paused)
        job->next_paused->paused_link = job->paused_link;
}

void aimd__job_pause(aimd_job *job)
{
    job->paused = true;
    aim_engine_pause(job->model->model->engine, &job->events, true);
    if (!job->search)
        return;
    job->open++;
    list(job);
}

bool aimd__job_end_pause(aimd_job *job)
{
    bool counted = job->paused && job->search;
    if (counted)
        unlist(job);
    job->paused = false;
    return counted;
}

void aimd__job_on_drain(void *user)
{
    aimd_job *job = user;
    if (!job || !job->paused)
        return;
    bool counted = aimd__job_end_pause(job);
    aim_engine_pause(job->model->model->engine, &job->events, false);
    if (!counted)
        return;
    aimd__search_resume(job);
    aimd__job_settle(job);
}

void aimd_jobs_fail_paused(aimd_daemon *d)
{
    aim_error err = {0};
    aim_fail(&err, AIM_EUNAVAILABLE, "The server is shutting down");
    while (d->paused_searches) {
        aimd_job *job = d->paused_searches;
        job->open++; /* it must not end before it is settled */
        aimd__job_fail(job, &err, aimd_error_code(&err, AIMD_DRAINING));
        aimd__job_settle(job);
    }
}
