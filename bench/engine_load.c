/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/engine_load.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "bench/prompt.h"
#include "bench/rate.h"
#include "bench/report.h"

#include <pthread.h>

enum { MAX_TOKENS = 1 << 16 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    aim_engine *engine;
    int sequences, ended, requests;
    int first_sequence[RATE_MAX]; /* of each request */
    int seen[RATE_MAX];           /* tokens of each sequence */
    bool over[RATE_MAX];
    decode_rate rate;
    decode_window window;
    uint64_t submitted_ns;
    token_time tokens[MAX_TOKENS];
    int n_tokens;
} load = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* ---- what the engine tells ------------------------------------------------------- */

/* The engine has published its figures before it tells of tokens. */
static void mark(uint64_t *ns, aim_engine_stats *stats)
{
    *ns = aim_now_ns();
    aim_engine_get_stats(load.engine, stats);
}

static void on_token(const aim_event *e, int sequence)
{
    decode_rate *rate = &load.rate;
    int started = rate->started;
    bool over = rate->over;
    if (load.n_tokens < MAX_TOKENS)
        load.tokens[load.n_tokens++] = (token_time){sequence, e->time_ns};
    load.seen[sequence]++;
    if (sequence >= rate->sequences)
        return;
    rate_token(rate, sequence, e->time_ns);
    if (started < rate->sequences && rate->started == rate->sequences)
        mark(&load.window.begin_ns, &load.window.begin);
    if (!over && rate->over)
        mark(&load.window.end_ns, &load.window.end);
}

static void sink(void *arg, aim_event *events)
{
    (void)arg;
    pthread_mutex_lock(&load.lock);
    for (aim_event *next; events; events = next) {
        int sequence = load.first_sequence[events->prompt_index] + events->candidate;
        next = events->next;
        if (events->kind == AIM_EVENT_TOKEN)
            on_token(events, sequence);
        if (events->finish != AIM_FINISH_NONE) {
            load.over[sequence] = true;
            load.ended++;
        }
        aim_event_free(events);
    }
    pthread_cond_signal(&load.changed);
    pthread_mutex_unlock(&load.lock);
}

aim_model *engine_load_open(const aim_model_options *o, aim_error *err)
{
    return aim_model_open(o, sink, NULL, NULL, NULL, err);
}

/* ---- requests ---------------------------------------------------------------------- */

int engine_load_new_prompt(void)
{
    static int last = 10000;
    return ++last;
}

static aim_request *make_request(const load_request *from, int prompt, int index)
{
    aim_request *r = aim_request_new();
    if (!r)
        return NULL;
    r->prompt_index = index;
    r->user = &load;
    r->tokens = aim_array((size_t)from->prompt_tokens, sizeof *r->tokens);
    for (int t = 0; r->tokens && t < from->prompt_tokens; t++)
        r->tokens[t] = bench_prompt_token(prompt, t);
    r->n_tokens = from->prompt_tokens;
    r->n = from->candidates;
    r->max_tokens = from->tokens;
    r->sampling.temperature = (float)from->temperature;
    r->sampling.ignore_eos = true;
    return r;
}

void engine_load_begin(const aim_model *m)
{
    pthread_mutex_lock(&load.lock);
    load.engine = m->engine;
    load.sequences = load.ended = load.requests = load.n_tokens = 0;
    for (int i = 0; i < RATE_MAX; i++) {
        load.seen[i] = 0;
        load.over[i] = false;
    }
    load.window = (decode_window){0};
    pthread_mutex_unlock(&load.lock);
}

/* The window is that of the first submission: later ones run beside it. */
static int number_sequences(const load_request *r, int n)
{
    int first = load.sequences;
    if (first + n * r->candidates > RATE_MAX)
        bench_fail("more sequences than a run can hold");
    if (first == 0)
        rate_init(&load.rate, n * r->candidates, r->tokens);
    for (int i = 0; i < n; i++)
        load.first_sequence[load.requests++] = first + i * r->candidates;
    load.sequences = first + n * r->candidates;
    return first;
}

int engine_load_submit(const load_request *r, int n)
{
    aim_request *requests[RATE_MAX];
    aim_error err = {0};
    pthread_mutex_lock(&load.lock);
    int index = load.requests, first = number_sequences(r, n);
    pthread_mutex_unlock(&load.lock);
    for (int i = 0; i < n; i++)
        if (!(requests[i] = make_request(r, r->prompt + i, index + i)))
            bench_fail("out of memory");
    load.submitted_ns = aim_now_ns();
    if (aim_engine_submit(load.engine, requests, n, &err) != AIM_OK)
        bench_fail(err.text);
    return first;
}

/* ---- waiting ----------------------------------------------------------------------- */

static bool all_have(int tokens)
{
    int i = 0;
    while (i < load.sequences && load.seen[i] >= tokens)
        i++;
    return i == load.sequences;
}

void engine_load_wait_tokens(int tokens)
{
    pthread_mutex_lock(&load.lock);
    while (!all_have(tokens))
        pthread_cond_wait(&load.changed, &load.lock);
    pthread_mutex_unlock(&load.lock);
}

void engine_load_wait_sequence(int sequence)
{
    pthread_mutex_lock(&load.lock);
    while (!load.over[sequence])
        pthread_cond_wait(&load.changed, &load.lock);
    pthread_mutex_unlock(&load.lock);
}

void engine_load_cancel(void)
{
    aim_engine_cancel(load.engine, &load);
}

engine_log engine_load_end(void)
{
    pthread_mutex_lock(&load.lock);
    while (load.ended < load.sequences)
        pthread_cond_wait(&load.changed, &load.lock);
    pthread_mutex_unlock(&load.lock);
    if (load.n_tokens == 0 || load.n_tokens == MAX_TOKENS)
        bench_fail("a run without tokens, or with more than there is room for");
    return (engine_log){.submitted_ns = load.submitted_ns,
                        .sequences = load.sequences,
                        .n_tokens = load.n_tokens,
                        .tokens = load.tokens,
                        .last_ns = load.tokens[load.n_tokens - 1].ns,
                        .window = load.window,
                        .rate = rate_per_second(&load.rate)};
}

engine_log engine_load_run(const aim_model *m, const load_request *r, int n)
{
    engine_load_begin(m);
    engine_load_submit(r, n);
    return engine_load_end();
}
