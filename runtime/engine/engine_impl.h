/* SPDX-License-Identifier: Apache-2.0 */
/* engine_impl.h - the engine's own state: what belongs to the engine thread, and
 * what is shared under the lock. */
#ifndef AIM_ENGINE_ENGINE_IMPL_H
#define AIM_ENGINE_ENGINE_IMPL_H

#include "engine/engine.h"
#include "engine/step.h"

#include <pthread.h>
#include <stdatomic.h>

enum aim_signal_kind { AIM_SIGNAL_CANCEL, AIM_SIGNAL_PAUSE, AIM_SIGNAL_RESUME };

/* Meant for the groups of `user` that were submitted before it: a user's address
 * may be in use again by the time it is read. */
typedef struct aim_signal {
    enum aim_signal_kind kind;
    void *user;
    uint64_t serial;
} aim_signal;

struct aim_engine {
    aim_engine_config config;
    const aim_decoder *decoder;
    const aim_tokenizer *tokenizer;
    size_t token_room; /* bytes of the longest token's text */
    aim_compute compute;
    aim_event_sink *sink;
    void *sink_arg;
    pthread_t thread;
    bool thread_started;

    /* Engine thread only. */
    aim_kv_cache *kv;
    aim_stepper *stepper;
    aim_scheduler scheduler;
    aim_event_list events;

    /* Shared, under `lock`; the engine thread waits on `wake`. */
    pthread_mutex_t lock;
    pthread_cond_t wake;
    aim_group *incoming, **incoming_tail;
    aim_signal *signals;
    size_t n_signals, signals_room;
    uint64_t serial; /* of the last submission */
    int queued;      /* submissions that wait to start */
    bool stop, hang;
    aim_engine_stats stats;
    uint64_t seen_heartbeat, seen_at_ns;

    _Atomic uint64_t heartbeat;
    atomic_bool busy; /* has work that a step could do */
};

/* Fill in the defaults that depend on the model and the machine; refuse what
 * cannot work. */
int aim__engine_resolve_config(aim_engine_config *c, const aim_hf_config *model,
                               const aim_backend *backend, aim_error *err);
int aim__engine_threads(const aim_engine_config *c);
/* Prompt rows a step can score, of a model with so many outputs. */
int aim__engine_score_rows(const aim_engine_config *c, int outputs);

/* Is every token in the vocabulary? AIM_EINVAL names the first that is not. */
int aim__check_tokens(const int32_t *tokens, int n, int vocab, aim_error *err);

/* The engine thread; arg is the engine. */
void *aim__engine_main(void *arg);

#endif
