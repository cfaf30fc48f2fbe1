/* SPDX-License-Identifier: Apache-2.0 */
/* engine_load.h - requests straight into the engine, and when their tokens came.
 *
 * One run at a time: engine_load_begin, requests, a wait for their end. Its answers
 * are numbered as sequences, candidate by candidate, request by request. */
#ifndef AIM_BENCH_ENGINE_LOAD_H
#define AIM_BENCH_ENGINE_LOAD_H

#include "engine/served_model.h"

typedef struct load_request {
    int prompt; /* its number: see prompt.h */
    int prompt_tokens;
    int candidates;
    int tokens;         /* of each answer */
    double temperature; /* 0: greedy */
} load_request;

typedef struct token_time {
    int sequence;
    uint64_t ns;
} token_time;

/* Two moments of a run: when every sequence was decoding, and when the first of them
 * had ended. */
typedef struct decode_window {
    uint64_t begin_ns, end_ns;
    aim_engine_stats begin, end;
} decode_window;

/* The number of a prompt that no request had before, so that nothing of it is in the
 * prefix cache; those below 10,000 are for prompts that should be. */
int engine_load_new_prompt(void);

/* What a run left behind; valid until the next begins. */
typedef struct engine_log {
    uint64_t submitted_ns; /* the last submit */
    int sequences;
    int n_tokens;
    const token_time *tokens; /* [n_tokens] in the order they came */
    uint64_t last_ns;         /* the last of them */
    decode_window window;
    double rate; /* tokens a second in the window */
} engine_log;

/* Open a model whose events this module receives. */
aim_model *engine_load_open(const aim_model_options *o, aim_error *err);

void engine_load_begin(const aim_model *m);
/* Submits n of these, with prompt numbers counted on from the first; returns the number
 * of their first sequence. Ends the program if the engine refuses. */
int engine_load_submit(const load_request *r, int n);
/* Until every sequence has so many tokens. */
void engine_load_wait_tokens(int tokens);
/* Until this sequence has ended. */
void engine_load_wait_sequence(int sequence);
void engine_load_cancel(void);
/* Until all have ended. */
engine_log engine_load_end(void);

/* All of it for n of these. */
engine_log engine_load_run(const aim_model *m, const load_request *r, int n);

#endif
