/* SPDX-License-Identifier: Apache-2.0 */
/* job.h - one generation request, from its body to its last event.
 *
 * PARSING -> QUEUED -> RUNNING -> done, all on the loop thread but for the
 * parsing. When the client leaves, or the answer is an error, a job that the
 * engine has becomes ABANDONED: the engine is told to cancel it, and the job
 * lives until the last event of each choice has come, because events carry its
 * address. */
#ifndef AIMD_JOB_H
#define AIMD_JOB_H

#include "server/mailbox.h"
#include "server/offload.h"
#include "server/request_list.h"
#include "server/response.h"
#include "server/routes.h"

enum aimd_job_state {
    AIMD_JOB_PARSING,   /* a worker reads the body */
    AIMD_JOB_QUEUED,    /* the engine has it; no event has come; the deadline runs */
    AIMD_JOB_RUNNING,   /* a prompt has left the queue */
    AIMD_JOB_ABANDONED, /* nobody waits for the answer; last events are counted */
};

typedef struct aimd_job {
    aimd_offload offload;     /* first: the two share an address */
    aimd_event_target events; /* of the engine's requests */
    enum aimd_job_state state;
    aimd_model *model; /* as offload.model, once the body was read well */
    aimd_request request;
    struct aimd_search_job *search; /* search_job.h; NULL: every candidate is a choice */
    aimd_request_list prepared;     /* for the engine; empty once submitted */
    aimd_format format;
    aimd_prompt_part *parts; /* [n_prompts] */
    aimd_choice *choices;    /* [n_choices] */
    uint64_t *last_token_ns; /* [n_choices] 0: none yet */
    int n_choices;           /* of a search: 0 until it has chosen */
    int open;      /* candidates whose last event is to come, tasks of workers, a search's wait */
    int unawaited; /* requests whose last events its memory waits for, but no answer */
    bool streaming, paused;                      /* the stream has begun; its reader is behind */
    struct aimd_job *next_paused, **paused_link; /* of the daemon's list */
    aim_buf out;                                 /* events under way to the stream */
    uv_timer_t deadline;                         /* of the wait to start */
    aimd_usage usage;
    uint64_t queued_ns;                         /* time the first prompt waited */
    uint64_t submit_ns, first_token_ns, end_ns; /* monotonic; 0: not yet */
} aimd_job;

/* Start a job for this exchange. Loop thread. */
void aimd_job_start(aimd_daemon *d, aimd_exchange *x, enum aimd_body_route route);
/* Fail the searches that wait for their readers: the daemon stops. */
void aimd_jobs_fail_paused(aimd_daemon *d);

/* ---- between the files of the job --------------------------------------- */

/* Worker thread: fill the job from the body (job_prepare.c). */
void aimd__job_prepare(aimd_offload *o);
/* Free what prepare made, not the job itself. */
void aimd__job_unprepare(aimd_job *job);
/* Tell the client, if it is there, and abandon. code: OpenAI's. */
void aimd__job_fail(aimd_job *job, const aim_error *err, const char *code);
/* Does anybody wait for the answer? */
bool aimd__job_is_live(const aimd_job *job);
/* Something that open counts has ended: with the last of it the answer is complete, and
 * the job is freed. */
void aimd__job_settle(aimd_job *job);
/* Something that unawaited counts has ended. */
void aimd__job_settle_unawaited(aimd_job *job);
/* Send the events in job->out at once; a reader that falls behind stops its own
 * sequences, nobody else's. May fail the job. */
void aimd__job_send(aimd_job *job);
/* Wait for the reader of a stream (job_pause.c) ... */
void aimd__job_pause(aimd_job *job);
/* ... no longer. Was it a wait that job->open counts? */
bool aimd__job_end_pause(aimd_job *job);
/* The reader of a stream has caught up. user: the job, or NULL if it is over. */
void aimd__job_on_drain(void *user);
/* Figures of a job whose answer is complete, and of its way there (job_stats.c). */
void aimd__job_count_prompt(aimd_job *job, const aim_event *e);
/* last: when the candidate had its token before this one; 0: never. from_prompt: the token
 * comes from the row of a prompt. */
void aimd__job_count_token(aimd_job *job, uint64_t *last, bool from_prompt, const aim_event *e);
void aimd__job_count_end(aimd_job *job);
/* What the request's log line says of the job, if its exchange and model are
 * known: finish is "stop" or "length" of the first choice, "cancelled" if the
 * client left, "error". */
void aimd__job_log(aimd_job *job, const char *finish);

#endif
