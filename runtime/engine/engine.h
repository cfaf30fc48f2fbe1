/* SPDX-License-Identifier: Apache-2.0 */
/* engine.h - continuous batching: many requests, one forward at a time.
 *
 * One engine thread owns the sequences, the KV cache and the work pool. Other
 * threads talk to it through submit, cancel, pause and stop, and hear from it
 * through one sink that receives events. A response is a pure function of the
 * model and the request: batching, chunking, caching and preemption change when
 * something is computed, never what. */
#ifndef AIM_ENGINE_ENGINE_H
#define AIM_ENGINE_ENGINE_H

#include "base/error.h"
#include "engine/sampler.h"
#include "model/decoder.h"
#include "text/tokenizer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aim_engine aim_engine;

typedef struct aim_engine_config {
    int max_sequences;    /* sequences decoded together */
    int max_batch_tokens; /* rows of one step */
    int prefill_chunk;    /* prompt rows of one step, at most */
    int prefill_beside;   /* of a step in which others decode; 0: as many as about double
                             the time of that step */
    int max_context;      /* tokens of prompt and answer; 0: the model's */
    int kv_blocks;        /* blocks of the cache; 0: from kv_bytes */
    size_t kv_bytes;      /* 0: room for 16 full contexts, or 1/4 of memory if less */
    int max_queue;        /* requests that wait to start */
    int threads;          /* of the pool; 0: CPUs */
    bool prefix_cache;
} aim_engine_config;
void aim_engine_config_init(aim_engine_config *c); /* defaults */

/* ---- a request ---------------------------------------------------------- */

enum aim_finish {
    AIM_FINISH_NONE,
    AIM_FINISH_STOP,
    AIM_FINISH_LENGTH,
    AIM_FINISH_ABORT,
    AIM_FINISH_SEGMENT, /* interrupted where aim_request.segment_tokens or .separator has it */
};

enum { AIM_MAX_SCORE_IDS = 16 };

/* One prompt with n candidates. The engine takes it over at submit. */
typedef struct aim_request {
    void *user;       /* comes back in every event; also the handle of cancel */
    int prompt_index; /* i of this prompt inside the user's request, for seeds */
    int32_t *tokens;  /* the prompt, at least one token, aim_free'd by the engine */
    int n_tokens;
    int n; /* candidates */
    uint64_t seed;
    aim_sampling sampling;
    int max_tokens; /* >= 0; 0 only scores the prompt */
    char **stop;    /* stop strings (NUL-terminated), engine frees */
    size_t n_stop;
    bool include_stop;   /* leave the stop text in the answer */
    bool skip_special;   /* special tokens give no text */
    bool continues;      /* the answer goes on from the prompt's text: it keeps a space at
                            its start that a text of its own would not have */
    int logprobs;        /* top entries a generated token; -1: none, 0: chosen only */
    int prompt_logprobs; /* the same for prompt tokens; -1: none */
    bool self_certainty; /* tell aim_event.certainty of each token */
    /* Candidates are numbered first_candidate + j, j in [0, n): their seeds and their
     * events go by that number. */
    int first_candidate;
    /* The last so many of tokens are the beginning of the answer, made before: the
     * answer goes on as if it had never been interrupted, bit for bit, if the candidate
     * has the number that it had. n_tokens and max_tokens count them too. With n > 1 the
     * candidates go on from one beginning, each as if it had been its own: with read noise
     * its rows are read with the noise of each candidate. */
    int n_answered;
    /* Interrupt the answer (AIM_FINISH_SEGMENT) after so many new tokens, 0: never, and
     * at the new token that completes this text, NULL: never. It is looked for in the whole
     * answer, so that it may begin in tokens made before, but not in text that completed it
     * already. The text is told as it is. The engine frees it. */
    int segment_tokens;
    char *separator;
    /* Work that belongs to a request which was let in before: it takes no place in the
     * queue, be it full, and starts before what waits there that is not urgent, of which
     * one is let in now and then. */
    bool urgent;
    /* Wanted of these positions of tokens, ascending: the model's outputs. max_tokens is
     * then 0 and prompt_logprobs -1. NULL: none. The engine frees it. */
    int32_t *score_at;
    int n_scores;
    /* Which of the outputs, such as the logits of label tokens; n_score_ids 0: all, for
     * models whose head has few. */
    int32_t score_ids[AIM_MAX_SCORE_IDS];
    int n_score_ids;
} aim_request;
aim_request *aim_request_new(void); /* zeroed, neutral values, -1 logprobs */
void aim_request_free(aim_request *r);

/* ---- events ------------------------------------------------------------- */

enum aim_event_kind {
    AIM_EVENT_START,  /* the prompt leaves the queue, its prefill begins */
    AIM_EVENT_PROMPT, /* prefill done; with prompt logprobs if asked for */
    AIM_EVENT_TOKEN,  /* one generated token of one candidate */
    AIM_EVENT_FINISH, /* a candidate ended without a further token: max_tokens
                         0, cancelled, or failed (error set). Last of the candidate */
};

typedef struct aim_event {
    struct aim_event *next;
    struct aim_event_pool *pool; /* of its group, where it is brought back; NULL: none */
    enum aim_event_kind kind;
    void *user;
    int prompt_index, candidate;
    uint64_t time_ns; /* monotonic, when it happened */
    /* TOKEN: */
    int32_t token;
    bool hidden_token; /* an end-of-sequence or stop token: it has no text */
    char *text;        /* newly certain text, may be "" (owned by the event) */
    size_t text_len;
    /* With AIM_FINISH_SEGMENT: was it the separator? And text behind `text` that is held
     * back because a stop string could begin with it: the answer's as it stands, told
     * when the answer goes on if it still is. A character that is not whole is no text. */
    bool at_separator;
    char *held; /* owned by the event */
    size_t held_len;
    float logprob; /* of the token, if logprobs >= 0 */
    int rank;
    int n_top;
    aim_token_logprob *top;
    float certainty; /* if self_certainty: aim_self_certainty of the raw logits */
    /* TOKEN or FINISH: */
    enum aim_finish finish; /* not NONE: the last event of this candidate */
    int32_t stop_id;        /* >= 0: the stop token id asked for that ended it */
    int stop_string;        /* >= 0: index of the stop string that ended it */
    const aim_error *error; /* why the candidate failed, constant; NULL: it did not */
    /* PROMPT: */
    int cached_tokens;  /* prompt tokens found in the prefix cache */
    uint64_t queued_ns; /* time between submit and first prefill step */
    /* Prompt token i (from 1 on) has logprob, rank and n_prompt_top top entries
     * at index i; entry 0 is unused. NULL unless asked for. */
    int n_prompt, n_prompt_top;
    float *prompt_logprob;
    int *prompt_rank;
    aim_token_logprob *prompt_top; /* [n_prompt][n_prompt_top] */
    /* Outputs [n_scores][score_width] of the positions asked for; NULL: none were. */
    int n_scores, score_width;
    float *scores;
} aim_event;
void aim_event_free(aim_event *e);

/* Called on the engine thread with a list of events in order (link: next),
 * which the sink owns. Must not block. */
typedef void aim_event_sink(void *arg, aim_event *events);

/* ---- life --------------------------------------------------------------- */

/* Start the engine thread. decoder and tokenizer must outlive the engine.
 * compute: kernels and pool, used by the engine thread alone from now on.
 * NULL on failure. */
aim_engine *aim_engine_new(const aim_engine_config *config, const aim_decoder *decoder,
                           const aim_tokenizer *tokenizer, const aim_compute *compute,
                           aim_event_sink *sink, void *sink_arg, aim_error *err);
/* End every sequence and take in nothing more: each candidate still gets its
 * last event (AIM_FINISH_ABORT), submits get AIM_EUNAVAILABLE. Any thread; does
 * not wait. */
void aim_engine_stop(aim_engine *e);
/* Stops, joins the thread, frees everything. */
void aim_engine_free(aim_engine *e);

/* The rest may be called from any thread. */

/* Would `requests` more with these sequences be queued? Used before costly
 * work: AIM_EBUSY if not. Does not reserve. */
int aim_engine_check_room(aim_engine *e, int requests, aim_error *err);
/* Take over a list of n requests, all or none. Errors: AIM_EBUSY (queue full),
 * AIM_ECONTEXT (prompt or max_tokens exceed the context), AIM_EINVAL (n over
 * max_sequences, KV need over the whole cache), AIM_EUNSUPPORTED (tokens or their
 * logprobs of a model whose head gives rewards), AIM_EUNAVAILABLE (stopping).
 * On failure the requests are freed too. */
int aim_engine_submit(aim_engine *e, aim_request **requests, int n, aim_error *err);
/* End all sequences of this user's requests within one step. Events already
 * under way may still arrive; each candidate still gets its last event
 * (AIM_FINISH_ABORT), so that the user can count them. */
void aim_engine_cancel(aim_engine *e, void *user);
/* Stop and go on decoding for a user whose reader is slow. Results do not
 * change. */
void aim_engine_pause(aim_engine *e, void *user, bool paused);

int aim_engine_max_context(const aim_engine *e);
/* The largest n of a request with these tokens that submit takes: what may run at once and
 * what the KV cache holds at once. 0 if not even one candidate fits. */
int aim_engine_most_candidates(const aim_engine *e, int n_tokens, int n_answered, int max_tokens);

enum { AIM_BATCH_BUCKETS = 16 };
typedef struct aim_engine_stats {
    int running, waiting, paused; /* sequences running, requests waiting */
    int kv_total, kv_held, kv_available;
    uint64_t steps, heartbeat;
    uint64_t prompt_tokens, generated_tokens;
    uint64_t scored_positions; /* of aim_request.score_at */
    uint64_t rows, head_rows;  /* rows that went through the blocks, and through lm_head */
    uint64_t prefix_queries, prefix_hits; /* tokens */
    uint64_t preemptions;
    /* Steps by rows: bucket i counts steps with at most 2^i rows. */
    uint64_t step_rows[AIM_BATCH_BUCKETS];
    double step_rows_sum;
    double busy_seconds, forward_seconds, sample_seconds; /* of the engine thread */
} aim_engine_stats;
void aim_engine_get_stats(aim_engine *e, aim_engine_stats *out);

/* Has the engine work but made no progress for this long (nanoseconds since
 * the heartbeat last changed; 0 when idle)? */
uint64_t aim_engine_stalled_ns(aim_engine *e);
/* Test hook: the engine thread stops for good before its next step. */
void aim_engine_hang(aim_engine *e);

#endif
