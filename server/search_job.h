/* SPDX-License-Identifier: Apache-2.0 */
/* search_job.h - what a generation job has more if its choices are found by a search: a
 * search for each prompt, the reward model, and work on both engines and on worker
 * threads, which job->open counts.
 *
 * What a search wants sampled goes to the generator's engine. What it wants scored is
 * laid out by a worker thread and goes to the reward model's engine. When a round is
 * complete, a worker thread lets the search decide, which says what comes next.
 *
 * Beforehand the reward model is given the questions alone, for its prefix cache. No
 * answer waits for these: they are cancelled with the first scores, or at the end. */
#ifndef AIMD_SEARCH_JOB_H
#define AIMD_SEARCH_JOB_H

#include "server/job.h"

/* One candidate of a prompt, under its number in the search. */
typedef struct aimd_search_candidate {
    aimd_choice choice; /* as far as it is sampled */
    uint64_t last_token_ns;
    bool resumed;      /* its next token is the first of a segment */
    bool told_end;     /* to the reader of a stream of candidates */
    uint64_t score_ns; /* when its scores were asked for */
} aimd_search_candidate;

/* The search for one prompt. */
typedef struct aimd_search_run {
    aimd_job *job;
    int prompt; /* its index */
    aim_search *search;
    aimd_search_candidate **candidates; /* [n_candidates] by number; NULL: pruned */
    size_t n_candidates, room;
    bool begun;                 /* its prompt has been computed */
    bool has_pruned;            /* since the last decision, and they have not been forgotten yet */
    aimd_event_target question; /* of the request that computes its question beforehand */
    bool warming;               /* it may be under way */
    /* A worker has the search, and nobody else may touch it: */
    bool deciding;
    uv_work_t work;
    aim_error error;
} aimd_search_run;

typedef struct aimd_search_job {
    aimd_search_run *runs; /* [n_runs] one a prompt */
    size_t n_runs;
    aimd_model *reward_model;    /* held; NULL: without rewards */
    aimd_event_target rewards;   /* of its engine's requests for scores */
    aimd_request_list questions; /* to be computed before there are answers */
    aim_buf members;             /* of the answer: "candidates" */
} aimd_search_job;

/* Worker thread: job->search, which may be there on failure too, with its reward model
 * (search_prepare.c). */
int aimd__search_new(aimd_job *job, aim_error *err);
/* The same thread: the searches of a request that was read, and the engines' first
 * requests. */
int aimd__search_prepare(aimd_job *job, aim_error *err);
/* Loop thread. NULL is fine. */
void aimd__search_free(aimd_search_job *s);

/* Submit what was prepared: the questions, then the first candidates of all prompts, all
 * or none. On failure questions may be under way. */
int aimd__search_submit(aimd_job *job, aim_error *err);
/* An event of the generator's engine. */
void aimd__search_take(aimd_job *job, const aim_event *e);
/* Nobody waits for the answer: end what the reward model has. */
void aimd__search_cancel(aimd_job *job);
/* ... and let go of it, when it has nothing any more. */
void aimd__search_release(aimd_job *job);
/* Go on with what was held back while the reader was slow. */
void aimd__search_resume(aimd_job *job);
/* Everything has ended: fill job->choices, best first, and job->search->members. */
int aimd__search_choose(aimd_job *job, aim_error *err);

/* ---- between the files of the search ------------------------------------- */

/* Engine requests of one piece of sampling, at most max_sequences candidates each, go to
 * list; new candidates begin as copies of their parents (search_sample.c). */
int aimd__search_sample(aimd_search_run *run, const aim_search_work *w, bool urgent,
                        aimd_request_list *list, aim_error *err);
/* NULL: pruned, or there is none. */
aimd_search_candidate *aimd__search_candidate(const aimd_search_run *run, int number);
/* Forget the candidates that were pruned, once nothing begins as their copy. */
void aimd__search_drop_pruned(aimd_search_run *run);

/* Begin the scoring of a candidate (search_score.c). */
void aimd__search_score(aimd_search_run *run, const aim_search_work *w);
/* An event of the reward model's engine; target: job->search->rewards. */
void aimd__search_on_reward(aimd_event_target *target, const aim_event *e);
/* The same; target: run->question. */
void aimd__search_on_question(aimd_event_target *target, const aim_event *e);
/* What has not begun by now is of no use. */
void aimd__search_end_warming(aimd_search_run *run);

/* Begin all that can be begun, or decide. May fail the job. */
void aimd__search_drive(aimd_search_run *run);

/* Candidates so far, over all prompts; 0 without a search (search_stats.c). */
int aimd__search_count(const aimd_job *job);
/* Figures, when the job is complete. */
void aimd__search_count_end(aimd_job *job);

#endif
