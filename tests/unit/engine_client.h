/* SPDX-License-Identifier: Apache-2.0 */
/* engine_client.h - for tests of the engine: the shipped model, and clients that collect
 * what is told of their requests. */
#ifndef AIM_TESTS_UNIT_ENGINE_CLIENT_H
#define AIM_TESTS_UNIT_ENGINE_CLIENT_H

#include "base/buf.h"
#include "engine/served_model.h"

#include <check.h>

/* ---- a client ------------------------------------------------------------------- */

enum { MAX_CANDIDATES = 8 };

typedef struct answer {
    aim_buf text, trace; /* trace: ids, logprobs and tops as text, to compare */
    aim_ids ids;
    int tokens, events_after_end;
    enum aim_finish finish;
    bool at_separator;
    aim_buf held; /* at the end of the segment */
    int stop_string, stop_id;
} answer;

typedef struct client {
    answer answers[MAX_CANDIDATES]; /* by their number, counted from first_candidate */
    aim_buf prompt_trace;
    float *scores; /* [n_scores][score_width], NULL: none were told */
    int n_scores, score_width;
    int first_candidate, n, ended, starts, prompts, cached;
    int order;                     /* how many requests had started when it did */
    int cancel_after, pause_after; /* tokens; 0: never */
    aim_engine *engine;
} client;

void wait_end(client *c); /* until each candidate has its last event */
int tokens_of(const client *c);
void client_free(client *c); /* what it collected; it may be used again */

/* Did both hear the same, to the last bit? i: which request, for the message. */
void same_answers(const client *a, const client *b, int i);

/* ---- models --------------------------------------------------------------------- */

aim_model_options options(void); /* of the shipped model; two threads */
aim_model *open_model(const aim_model_options *o);
/* A stand-in for models whose rotary factors change with the length of a sequence:
 * random weights in the shipped model's shape and with its tokenizer. Prompts of
 * the evaluation set are shorter than CHANGE or longer, and answers cross it. The
 * middle layers see a window only. */
enum { CHANGE = 96, WINDOW = 21 };
aim_model *open_stretched(const aim_model_options *o);
void close_model(aim_model *m); /* nothing may be left in it */

/* What something is tried on, and how it is run. */
typedef struct engine_subject {
    const char *backend;
    aim_model *(*open)(const aim_model_options *o);
    aim_chip (*chip)(void); /* NULL: none */
} engine_subject;
typedef struct engine_way {
    const char *name;
    bool prefix_cache;
    int chunk, kv_blocks, max_context; /* as in aim_engine_config */
} engine_way;
aim_model *open_way(const engine_subject *s, const engine_way *w);

/* ---- requests ------------------------------------------------------------------- */

/* Problem i of the evaluation set: its prompt and reference answer. */
void problem(int i, char **prompt, char **greedy);
aim_request *new_request(const aim_model *m, client *c, const char *prompt);
void submit(const aim_model *m, client *c, aim_request *r);

#endif
