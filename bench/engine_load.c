/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/engine_load.h"

#include "base/alloc.h"
#include "bench/prompt.h"
#include "bench/rate.h"
#include "bench/report.h"

#include <pthread.h>

static struct {
    pthread_mutex_t lock;
    pthread_cond_t done;
    decode_rate rate;
    int ended;
} load = {.lock = PTHREAD_MUTEX_INITIALIZER, .done = PTHREAD_COND_INITIALIZER};

static void sink(void *arg, aim_event *events)
{
    (void)arg;
    pthread_mutex_lock(&load.lock);
    for (aim_event *next; events; events = next) {
        next = events->next;
        if (events->kind == AIM_EVENT_TOKEN)
            rate_token(&load.rate, events->prompt_index, events->time_ns);
        load.ended += events->finish != AIM_FINISH_NONE;
        aim_event_free(events);
    }
    pthread_cond_signal(&load.done);
    pthread_mutex_unlock(&load.lock);
}

aim_model *engine_load_open(const aim_model_options *o, aim_error *err)
{
    return aim_model_open(o, sink, NULL, NULL, NULL, err);
}

static aim_request *make_request(int i, int prompt_tokens, int tokens)
{
    aim_request *r = aim_request_new();
    if (!r)
        return NULL;
    r->prompt_index = i;
    r->user = &load;
    r->tokens = aim_array((size_t)prompt_tokens, sizeof *r->tokens);
    for (int t = 0; r->tokens && t < prompt_tokens; t++)
        r->tokens[t] = bench_prompt_token(i, t);
    r->n_tokens = prompt_tokens;
    r->max_tokens = tokens;
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    return r;
}

double engine_load_run(aim_model *m, int sequences, int prompt_tokens, int tokens)
{
    aim_request *requests[RATE_MAX];
    aim_error err = {0};
    for (int i = 0; i < sequences; i++)
        requests[i] = make_request(i, prompt_tokens, tokens);
    rate_init(&load.rate, sequences, tokens);
    load.ended = 0;
    if (aim_engine_submit(m->engine, requests, sequences, &err) != AIM_OK)
        bench_fail(err.text);
    pthread_mutex_lock(&load.lock);
    while (load.ended < sequences)
        pthread_cond_wait(&load.done, &load.lock);
    pthread_mutex_unlock(&load.lock);
    return rate_per_second(&load.rate);
}
