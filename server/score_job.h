/* SPDX-License-Identifier: Apache-2.0 */
/* score_job.h - one request for scores of a reward model: /score, /rerank, /pooling.
 *
 * A worker thread lays out every answer of the body as the reward model reads it. The
 * engine gets all of them or none, one request each, and when the last one is computed
 * the route writes the response. If the client leaves, the engine is told to cancel
 * them, and the job lives until the last event of each has come. */
#ifndef AIMD_SCORE_JOB_H
#define AIMD_SCORE_JOB_H

#include "search/reward.h"
#include "server/mailbox.h"
#include "server/offload.h"
#include "server/usage.h"

typedef struct aimd_scored_answer {
    aim_reward_input input; /* its tokens are the engine's once that has them */
    /* Outputs of the model [input.n_scores][width], and what they say of each step,
     * [input.n_scores]; NULL until the engine has made them. */
    float *outputs, *scores;
    int width;
    char *text; /* of the answer, where the response repeats it; else NULL */
    size_t text_len;
} aimd_scored_answer;

enum aimd_score_state {
    AIMD_SCORES_PARSING,   /* a worker reads the body */
    AIMD_SCORES_QUEUED,    /* the engine has it; no event has come; the deadline runs */
    AIMD_SCORES_RUNNING,   /* an answer has left the queue */
    AIMD_SCORES_ABANDONED, /* nobody waits for scores; last events are counted */
};

typedef struct aimd_score_job aimd_score_job;

/* What a route does in its own way. */
typedef struct aimd_score_route {
    enum aimd_body_route body;
    /* Make job->answers of the body, with the functions below. Worker thread. */
    int (*read)(aimd_score_job *job, const aimd_body *b, aim_error *err);
    /* Write the response. Loop thread. */
    void (*write)(aim_buf *out, const aimd_score_job *job);
} aimd_score_route;

struct aimd_score_job {
    aimd_offload offload; /* first: the two share an address */
    aimd_event_target events;
    const aimd_score_route *route;
    enum aimd_score_state state;
    aimd_params params;
    enum aim_aggregation aggregation;
    aimd_scored_answer *answers;
    int n_answers, open;    /* open: answers whose last event is to come */
    aim_request **prepared; /* [n_answers] for the engine; NULL once submitted */
    uv_timer_t deadline;    /* of the wait to start */
    aimd_usage usage;
    aimd_chip_rates rates;
    aim_buf out;
    int64_t created;    /* unix time */
    uint64_t queued_ns; /* time the first answer waited */
};

/* Loop thread. */
void aimd_score_start(aimd_daemon *d, aimd_exchange *x, const aimd_score_route *route);

/* ---- for read (score_input.c) ------------------------------------------- */

/* A field that is one text or a list of them. Points into the body. */
typedef struct aimd_texts {
    const char *field;
    const json_t *value;
    size_t n;        /* at least 1 */
    bool in_objects; /* {"text": string} may stand for a string */
} aimd_texts;
/* Read the field under the one of its names that the body has; names ends with NULL. */
int aimd_texts_read(const json_t *body, const char *const names[], aimd_texts *out, aim_error *err);
/* Read a list of strings or of {"text": string}. */
int aimd_documents_read(const json_t *body, const char *field, aimd_texts *out, aim_error *err);
const char *aimd_texts_get(const aimd_texts *t, size_t i, size_t *len);

enum { AIMD_FIELD_BYTES = 64 };
/* "documents[3]"; "documents" if the field is no list. */
void aimd_texts_name(const aimd_texts *t, size_t i, char name[AIMD_FIELD_BYTES]);

/* Room for n answers, which stand in this field. AIM_EINVAL if these are more than
 * max_prompts. */
int aimd_score_make_room(aimd_score_job *job, const char *field, size_t n, aim_error *err);
/* Lay out all answers, each with the only question or with that of the same index. */
int aimd_score_lay_out_all(aimd_score_job *job, const aimd_texts *questions,
                           const aimd_texts *answers, aim_error *err);
/* Lay out answer i. field names it in errors: AIM_EINVAL if there is no step in it,
 * AIM_ECONTEXT if it is longer than the context, AIM_ETOOLARGE as aim_reward_lay_out. */
int aimd_score_lay_out(aimd_score_job *job, size_t i, const char *field, const char *question,
                       size_t question_len, const char *answer, size_t answer_len, aim_error *err);
/* The same for tokens that are laid out already. */
int aimd_score_find_steps(aimd_score_job *job, size_t i, const char *field, const int32_t *tokens,
                          int n, aim_error *err);
/* ---- for write ---------------------------------------------------------- */

/* The score of a whole answer: the aggregate of its steps'. */
double aimd_score_of(const aimd_score_job *job, const aimd_scored_answer *a);
/* {"id":"score-...","created":...,"model":"..." */
void aimd_score_write_head(aim_buf *out, const aimd_score_job *job, const char *prefix);
/* ,"usage":{...} */
void aimd_score_write_usage(aim_buf *out, const aimd_score_job *job);

#endif
