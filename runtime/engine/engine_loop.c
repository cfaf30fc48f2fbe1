/* SPDX-License-Identifier: Apache-2.0 */
/* engine_loop.c - the engine thread: read messages, plan a step, run it, tell. */
#include "config.h" /* pthread_setname_np */

#include "engine/engine_impl.h"

#include "base/cpu.h"
#include "engine/deliver.h"

#include <string.h>

/* The group leaves the queue: it starts, or is cancelled before. */
static void leave_queue(aim_engine *e, aim_group *g)
{
    if (--g->submission->waiting > 0 || !g->submission->queued)
        return;
    pthread_mutex_lock(&e->lock);
    e->queued--;
    pthread_mutex_unlock(&e->lock);
}

static bool on_start(void *arg, aim_group *g)
{
    aim_engine *e = arg;
    leave_queue(e, g);
    return aim__deliver_start(&e->scheduler, g, &e->events);
}

static void cancel_group(aim_engine *e, aim_group *g)
{
    for (int i = 0; i < g->request->n; i++)
        if (g->sequences[i].state != AIM_SEQ_ENDED)
            aim__end_sequence(&e->scheduler, &g->sequences[i], AIM_FINISH_ABORT, NULL, &e->events);
    if (g->started_ns == 0)
        leave_queue(e, g);
}

static void apply_to(aim_engine *e, aim_group *list, const aim_signal *s)
{
    for (aim_group *g = list; g; g = g->next) {
        if (g->request->user != s->user || g->submission->serial > s->serial || g->alive == 0)
            continue;
        if (s->kind == AIM_SIGNAL_CANCEL)
            cancel_group(e, g);
        else
            g->paused = s->kind == AIM_SIGNAL_PAUSE;
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
static size_t take_signals(aim_engine *e, aim_signal *out, size_t room)
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
    aim_signal signals[32];
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
            apply_to(e, e->scheduler.urgent.head, &signals[i]);
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
    st->scored_positions += t->scored_positions;
    st->rows += t->rows;
    st->head_rows += t->head_rows;
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
    int rows = aim__scheduler_plan(&e->scheduler, start, on_start, e);
    atomic_store(&e->busy, rows > 0);
    if (rows > 0) {
        aim__stepper_run(e->stepper, &e->scheduler, &e->heartbeat, &e->events, &times);
        aim__scheduler_took(&e->scheduler, (double)(aim_now_ns() - start) * 1e-9);
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

void *aim__engine_main(void *arg)
{
    aim_engine *e = arg;
    bool idle = true;
    pthread_setname_np(pthread_self(), "engine");
    aim_pool_bind_owner(e->compute.pool, NULL);
    while (read_messages(e, idle)) {
        hang_if_asked(e);
        idle = !run_step(e);
    }
    cancel_all(e, e->scheduler.urgent.head);
    cancel_all(e, e->scheduler.waiting.head);
    cancel_all(e, e->scheduler.live.head);
    aim__scheduler_sweep(&e->scheduler);
    send_events(e);
    return NULL;
}
