/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "engine/engine.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "engine/deliver.h"
#include "engine/step.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { SCORE_ROWS = 32 }; /* logit rows a step keeps for scoring prompts */

enum signal_kind { SIGNAL_CANCEL, SIGNAL_PAUSE, SIGNAL_RESUME };

/* Meant for the groups of `user` that were submitted before it: a user's address
 * may be in use again by the time it is read. */
typedef struct signal {
    enum signal_kind kind;
    void *user;
    uint64_t serial;
} signal;

struct aim_engine {
    aim_engine_config config;
    const aim_decoder *decoder;
    const aim_tokenizer *tokenizer;
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
    signal *signals;
    size_t n_signals, signals_room;
    uint64_t serial; /* of the last submission */
    int queued;      /* submissions that wait to start */
    bool stop, hang;
    aim_engine_stats stats;
    uint64_t seen_heartbeat, seen_at_ns;

    _Atomic uint64_t heartbeat;
    atomic_bool busy; /* has work that a step could do */
};

/* ---- configuration ---------------------------------------------------------- */

static int blocks_for(int tokens)
{
    return (tokens + AIM_KV_BLOCK - 1) / AIM_KV_BLOCK;
}

static int blocks_in(size_t bytes, size_t block)
{
    size_t n = bytes / block;
    return n > INT32_MAX / AIM_KV_BLOCK ? INT32_MAX / AIM_KV_BLOCK : (int)n;
}

/* Room for 16 full contexts, but at most a quarter of the memory, and at least
 * one context. */
static int default_blocks(int context_blocks, size_t block)
{
    int wish = context_blocks > INT32_MAX / 16 ? context_blocks : 16 * context_blocks;
    int most = blocks_in(aim_memory_limit() / 4, block);
    int n = wish < most ? wish : most;
    return n > context_blocks ? n : context_blocks;
}

static int resolve_config(aim_engine *e, aim_error *err)
{
    aim_engine_config *c = &e->config;
    aim_kv_shape shape = aim_decoder_kv_shape(e->decoder);
    size_t block = aim_kv_block_bytes(&shape);
    int positions = aim_decoder_config(e->decoder)->max_positions;
    if (c->max_context == 0)
        c->max_context = positions;
    if (c->max_context > positions)
        return aim_fail(err, AIM_EINVAL, "max_context %d is more than the model's %d positions",
                        c->max_context, positions);
    if (c->max_sequences < 1 || c->max_batch_tokens < c->max_sequences || c->prefill_chunk < 1)
        return aim_fail(err, AIM_EINVAL,
                        "max_batch_tokens (%d) must be at least max_sequences (%d), and "
                        "prefill_chunk (%d) at least 1",
                        c->max_batch_tokens, c->max_sequences, c->prefill_chunk);
    int context_blocks = blocks_for(c->max_context);
    if (c->kv_blocks == 0)
        c->kv_blocks = c->kv_bytes ? blocks_in(c->kv_bytes, block)
                                   : default_blocks(context_blocks, block);
    c->kv_bytes = (size_t)c->kv_blocks * block;
    if (c->kv_blocks < context_blocks)
        return aim_fail(err, AIM_EINVAL,
                        "a KV cache of %zu MiB is too small for one context of %d tokens, which "
                        "needs %zu MiB: raise kv_cache or lower max_context",
                        c->kv_bytes >> 20, c->max_context, ((size_t)context_blocks * block) >> 20);
    return AIM_OK;
}

/* ---- what other threads ask for ----------------------------------------------- */

int aim_engine_check_room(aim_engine *e, int requests, aim_error *err)
{
    pthread_mutex_lock(&e->lock);
    int queued = e->queued;
    pthread_mutex_unlock(&e->lock);
    if (queued + requests > e->config.max_queue)
        return aim_fail(err, AIM_EBUSY, "the queue is full: %d requests wait", queued);
    return AIM_OK;
}

static int check_tokens(const aim_request *r, int vocab, aim_error *err)
{
    for (int i = 0; i < r->n_tokens; i++)
        if (r->tokens[i] < 0 || r->tokens[i] >= vocab)
            return aim_fail(err, AIM_EINVAL, "token id %d is outside the vocabulary of %d",
                            r->tokens[i], vocab);
    return AIM_OK;
}

/* Shared prompt blocks, and for each candidate its tail and a private copy of
 * the block where prompt and answer meet. */
static bool fits_cache(const aim_engine *e, const aim_request *r)
{
    int64_t tail = blocks_for(r->n_tokens + r->max_tokens) - r->n_tokens / AIM_KV_BLOCK;
    return r->n_tokens / AIM_KV_BLOCK + r->n * tail <= e->config.kv_blocks;
}

static int check_request(const aim_engine *e, const aim_request *r, aim_error *err)
{
    const aim_engine_config *c = &e->config;
    if (r->n_tokens < 1)
        return aim_fail(err, AIM_EINVAL, "the prompt is empty");
    if (r->n_tokens > c->max_context || r->max_tokens > c->max_context - r->n_tokens)
        return aim_fail(err, AIM_ECONTEXT,
                        "the prompt has %d tokens and max_tokens is %d, together more than the "
                        "context of %d",
                        r->n_tokens, r->max_tokens, c->max_context);
    if (r->n < 1 || r->n > c->max_sequences)
        return aim_fail(err, AIM_EINVAL, "%d candidates, but at most %d sequences run at once",
                        r->n, c->max_sequences);
    if (!fits_cache(e, r))
        return aim_fail(err, AIM_EINVAL,
                        "%d candidates of %d + %d tokens do not fit the KV cache of %d tokens",
                        r->n, r->n_tokens, r->max_tokens, c->kv_blocks * AIM_KV_BLOCK);
    return check_tokens(r, aim_decoder_config(e->decoder)->vocab, err);
}

static void free_groups(aim_group *g)
{
    for (aim_group *next; g; g = next) {
        next = g->next;
        aim__group_free(g);
    }
}

/* Requests [0, n) as a list of groups; takes all of them over. */
static aim_group *make_groups(aim_engine *e, aim_request **requests, int n, aim_error *err)
{
    aim_submission *submission = aim_malloc(sizeof *submission);
    aim_group *head = NULL, **tail = &head;
    bool ok = submission;
    if (ok)
        *submission = (aim_submission){.waiting = n, .alive = n};
    for (int i = 0; i < n; i++) {
        aim_group *g = NULL;
        if (ok)
            g = aim__group_new(requests[i], e->tokenizer);
        else
            aim_request_free(requests[i]);
        ok = g;
        if (!g)
            continue;
        g->submitted_ns = aim_now_ns();
        *tail = g;
        tail = &g->next;
    }
    if (ok) {
        for (aim_group *g = head; g; g = g->next)
            g->submission = submission;
        return head;
    }
    free_groups(head);
    aim_free(submission);
    aim_fail_nomem(err, "request");
    return NULL;
}

/* Under the lock: append the groups of one submission, or say why not. */
static int enqueue(aim_engine *e, aim_group *groups, aim_error *err)
{
    if (e->stop)
        return aim_fail(err, AIM_EUNAVAILABLE, "the engine is stopping");
    if (e->queued >= e->config.max_queue)
        return aim_fail(err, AIM_EBUSY, "the queue is full: %d requests wait", e->queued);
    e->queued++;
    groups->submission->serial = ++e->serial;
    *e->incoming_tail = groups;
    for (; groups; groups = groups->next)
        e->incoming_tail = &groups->next;
    pthread_cond_signal(&e->wake);
    return AIM_OK;
}

int aim_engine_submit(aim_engine *e, aim_request **requests, int n, aim_error *err)
{
    aim_error own = {0};
    err = err ? err : &own;
    int code = AIM_OK;
    for (int i = 0; i < n && code == AIM_OK; i++)
        code = check_request(e, requests[i], err);
    if (code != AIM_OK) {
        for (int i = 0; i < n; i++)
            aim_request_free(requests[i]);
        return code;
    }
    aim_group *groups = make_groups(e, requests, n, err);
    if (!groups)
        return (int)err->code;
    pthread_mutex_lock(&e->lock);
    code = enqueue(e, groups, err);
    pthread_mutex_unlock(&e->lock);
    if (code != AIM_OK)
        free_groups(groups);
    return code;
}

static bool replaces(const signal *old, enum signal_kind kind, const void *user)
{
    return old->user == user && (old->kind == SIGNAL_CANCEL) == (kind == SIGNAL_CANCEL);
}

/* Without memory a signal is lost: a cancelled answer then runs to its end, a
 * slow reader meets the hard limit of its buffer. */
static void send_signal(aim_engine *e, enum signal_kind kind, void *user)
{
    pthread_mutex_lock(&e->lock);
    size_t i = 0;
    while (i < e->n_signals && !replaces(&e->signals[i], kind, user))
        i++;
    if (aim_grow(&e->signals, &e->signals_room, i + 1, sizeof *e->signals)) {
        e->signals[i] = (signal){kind, user, e->serial};
        if (i == e->n_signals)
            e->n_signals++;
    }
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void aim_engine_cancel(aim_engine *e, void *user)
{
    send_signal(e, SIGNAL_CANCEL, user);
}

void aim_engine_pause(aim_engine *e, void *user, bool paused)
{
    send_signal(e, paused ? SIGNAL_PAUSE : SIGNAL_RESUME, user);
}

void aim_engine_hang(aim_engine *e)
{
    pthread_mutex_lock(&e->lock);
    e->hang = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

void aim_engine_get_stats(aim_engine *e, aim_engine_stats *out)
{
    pthread_mutex_lock(&e->lock);
    *out = e->stats;
    pthread_mutex_unlock(&e->lock);
    out->heartbeat = atomic_load(&e->heartbeat);
}

uint64_t aim_engine_stalled_ns(aim_engine *e)
{
    uint64_t now = aim_now_ns(), beat = atomic_load(&e->heartbeat);
    pthread_mutex_lock(&e->lock);
    if (beat != e->seen_heartbeat || e->seen_at_ns == 0 || !atomic_load(&e->busy)) {
        e->seen_heartbeat = beat;
        e->seen_at_ns = now;
    }
    uint64_t stalled = now - e->seen_at_ns;
    pthread_mutex_unlock(&e->lock);
    return stalled;
}

int aim_engine_max_context(const aim_engine *e)
{
    return e->config.max_context;
}

const aim_engine_config *aim_engine_get_config(const aim_engine *e)
{
    return &e->config;
}

/* ---- the engine thread ----------------------------------------------------------- */

/* The group leaves the queue: it starts, or is cancelled before. */
static void on_leave_queue(void *arg, aim_group *g)
{
    aim_engine *e = arg;
    if (--g->submission->waiting > 0)
        return;
    pthread_mutex_lock(&e->lock);
    e->queued--;
    pthread_mutex_unlock(&e->lock);
}

static void cancel_group(aim_engine *e, aim_group *g)
{
    for (int i = 0; i < g->request->n; i++)
        if (g->sequences[i].state != AIM_SEQ_ENDED)
            aim__end_sequence(&e->scheduler, &g->sequences[i], AIM_FINISH_ABORT, NULL, &e->events);
    if (g->started_ns == 0)
        on_leave_queue(e, g);
}

static void apply_to(aim_engine *e, aim_group *list, const signal *s)
{
    for (aim_group *g = list; g; g = g->next) {
        if (g->request->user != s->user || g->submission->serial > s->serial || g->alive == 0)
            continue;
        if (s->kind == SIGNAL_CANCEL)
            cancel_group(e, g);
        else
            g->paused = s->kind == SIGNAL_PAUSE;
    }
}

static void cancel_all(aim_engine *e, aim_group *list)
{
    for (aim_group *g = list; g; g = g->next)
        if (g->alive > 0)
            cancel_group(e, g);
}

/* Under the lock. The lists of groups are the engine thread's; taking them over
 * here keeps submit and cancel in order. */
static void take_incoming(aim_engine *e)
{
    for (aim_group *g = e->incoming, *next; g; g = next) {
        next = g->next;
        aim__scheduler_add(&e->scheduler, g);
    }
    e->incoming = NULL;
    e->incoming_tail = &e->incoming;
}

/* Copy the pending signals out, so that they are handled without the lock. */
static size_t take_signals(aim_engine *e, signal *out, size_t room)
{
    size_t n = e->n_signals < room ? e->n_signals : room;
    if (n == 0)
        return 0;
    memcpy(out, e->signals, n * sizeof *out);
    memmove(e->signals, e->signals + n, (e->n_signals - n) * sizeof *out);
    e->n_signals -= n;
    return n;
}

static bool has_message(const aim_engine *e)
{
    return e->incoming || e->n_signals > 0 || e->stop || e->hang;
}

/* The next messages; waits for one if `idle`. false: stop. */
static bool read_messages(aim_engine *e, bool idle)
{
    signal signals[32];
    size_t n;
    do {
        pthread_mutex_lock(&e->lock);
        while (idle && !has_message(e))
            pthread_cond_wait(&e->wake, &e->lock);
        take_incoming(e);
        n = take_signals(e, signals, sizeof signals / sizeof signals[0]);
        bool stop = e->stop;
        pthread_mutex_unlock(&e->lock);
        for (size_t i = 0; i < n; i++) {
            apply_to(e, e->scheduler.waiting.head, &signals[i]);
            apply_to(e, e->scheduler.live.head, &signals[i]);
        }
        if (stop)
            return false;
        idle = false;
    } while (n > 0);
    return true;
}

static void count_rows(aim_engine_stats *st, int rows)
{
    int bucket = 0;
    while (bucket < AIM_BATCH_BUCKETS - 1 && rows > 1 << bucket)
        bucket++;
    st->step_rows[bucket]++;
    st->step_rows_sum += rows;
    st->steps++;
}

static void publish_stats(aim_engine *e, int rows, const aim_step_times *t, uint64_t busy_ns)
{
    const aim_scheduler *s = &e->scheduler;
    pthread_mutex_lock(&e->lock);
    aim_engine_stats *st = &e->stats;
    if (rows > 0)
        count_rows(st, rows);
    st->running = aim__scheduler_running(s);
    st->waiting = aim__scheduler_waiting(s);
    st->paused = aim__scheduler_paused(s);
    st->kv_held = aim_kv_held(e->kv);
    st->kv_available = aim_kv_available(e->kv);
    st->preemptions = s->preemptions;
    st->prefix_queries = s->prefix_queries;
    st->prefix_hits = s->prefix_hits;
    st->prompt_tokens += t->prompt_tokens;
    st->generated_tokens += t->generated_tokens;
    st->forward_seconds += (double)t->forward_ns * 1e-9;
    st->sample_seconds += (double)t->sample_ns * 1e-9;
    st->busy_seconds += (double)busy_ns * 1e-9;
    pthread_mutex_unlock(&e->lock);
}

static void send_events(aim_engine *e)
{
    aim_event *head = e->events.head;
    aim__event_list_init(&e->events);
    if (head)
        e->sink(e->sink_arg, head);
}

/* One round; returns whether there was anything to do. */
static bool run_step(aim_engine *e)
{
    uint64_t start = aim_now_ns();
    aim_step_times times = {0};
    aim__scheduler_sweep(&e->scheduler); /* of what was cancelled */
    int rows = aim__scheduler_plan(&e->scheduler, start, on_leave_queue, e);
    atomic_store(&e->busy, rows > 0);
    if (rows > 0) {
        aim__stepper_run(e->stepper, &e->scheduler, &e->heartbeat, &e->events, &times);
        aim__scheduler_sweep(&e->scheduler);
        atomic_fetch_add(&e->heartbeat, 1);
    }
    /* Figures first: who hears of the end of a request finds it counted. */
    publish_stats(e, rows, &times, rows > 0 ? aim_now_ns() - start : 0);
    send_events(e);
    return rows > 0;
}

static void hang_if_asked(aim_engine *e)
{
    pthread_mutex_lock(&e->lock);
    while (e->hang && !e->stop) {
        atomic_store(&e->busy, true);
        pthread_cond_wait(&e->wake, &e->lock);
    }
    pthread_mutex_unlock(&e->lock);
}

static void *engine_main(void *arg)
{
    aim_engine *e = arg;
    bool idle = true;
    pthread_setname_np(pthread_self(), "engine");
    while (read_messages(e, idle)) {
        hang_if_asked(e);
        idle = !run_step(e);
    }
    cancel_all(e, e->scheduler.waiting.head);
    cancel_all(e, e->scheduler.live.head);
    aim__scheduler_sweep(&e->scheduler);
    send_events(e);
    return NULL;
}

/* ---- life ------------------------------------------------------------------------- */

static int build(aim_engine *e, aim_error *err)
{
    int code = resolve_config(e, err);
    if (code != AIM_OK)
        return code;
    aim_kv_shape shape = aim_decoder_kv_shape(e->decoder);
    int logit_room = e->config.max_sequences + SCORE_ROWS;
    e->kv = aim_kv_new(&shape, e->config.kv_blocks, e->config.prefix_cache, err);
    if (e->kv)
        e->stepper = aim__stepper_new(&e->config, e->decoder, &e->compute, logit_room, err);
    if (!e->stepper)
        return AIM_ENOMEM;
    aim__scheduler_init(&e->scheduler, &e->config, e->kv, logit_room);
    aim__event_list_init(&e->events);
    e->stats.kv_total = e->stats.kv_available = aim_kv_total(e->kv);
    if (pthread_create(&e->thread, NULL, engine_main, e) != 0)
        return aim_fail(err, AIM_EIO, "cannot start the engine thread");
    e->thread_started = true;
    return AIM_OK;
}

aim_engine *aim_engine_new(const aim_engine_config *config, const aim_decoder *decoder,
                           const aim_tokenizer *tokenizer, const aim_compute *compute,
                           aim_event_sink *sink, void *sink_arg, aim_error *err)
{
    aim_engine *e = aim_calloc(1, sizeof *e);
    if (!e) {
        aim_fail_nomem(err, "engine");
        return NULL;
    }
    e->config = *config;
    e->decoder = decoder;
    e->tokenizer = tokenizer;
    e->compute = *compute;
    e->sink = sink;
    e->sink_arg = sink_arg;
    e->incoming_tail = &e->incoming;
    pthread_mutex_init(&e->lock, NULL);
    pthread_cond_init(&e->wake, NULL);
    if (build(e, err) == AIM_OK)
        return e;
    aim_engine_free(e);
    return NULL;
}

void aim_engine_free(aim_engine *e)
{
    if (!e)
        return;
    if (e->thread_started) {
        pthread_mutex_lock(&e->lock);
        e->stop = true;
        pthread_cond_signal(&e->wake);
        pthread_mutex_unlock(&e->lock);
        pthread_join(e->thread, NULL);
    }
    aim__stepper_free(e->stepper);
    aim_kv_free(e->kv);
    aim_free(e->signals);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    aim_free(e);
}
