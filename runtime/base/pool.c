/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* pthread_setname_np */

#include "base/pool.h"

#include "base/alloc.h"
#include "base/cpu.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { LINE = 64 };

/* What a thread has to itself: nobody else writes in its cache line but those who take
 * tasks off it when they have none. */
struct seat {
    _Alignas(LINE) _Atomic uint64_t share; /* tasks not taken yet: first and end, 32 bits each */
    _Atomic bool busy;                     /* in the open run */
};

/* One run at a time: the owner publishes (fn, arg) and the shares, bumps `round`, and
 * takes tasks beside the workers. A worker joins a round by saying that it is busy: see
 * join(). Sleepers need not come: others take their shares. */
struct aim_pool {
    int threads;
    pthread_t *workers;
    int n_started;
    struct seat *seats; /* [threads] */
    aim_cpu_set owner;  /* where it is kept if it asks for that */

    aim_task_fn *fn;
    void *arg;
    _Alignas(LINE) _Atomic uint64_t round; /* odd while a run is open to workers */

    _Alignas(LINE) pthread_mutex_t lock; /* guards sleeping */
    pthread_cond_t wake;
    _Atomic int sleepers;
    _Atomic bool stop;
};

enum {
    /* How long a worker looks for the next run before it sleeps. The layers of a step
     * follow each other within a few microseconds. */
    SPIN_NS = 50000,
    /* Looks between two at the clock, whose pauses take from 10 to 60 ns each. */
    LOOKS = 64,
    /* Looks for the end of a run before the CPU is offered to others. */
    PATIENCE = 4000,
};

static inline void relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    sched_yield();
#endif
}

/* ---- shares of tasks ------------------------------------------------------------ */

static uint64_t share_of(uint32_t first, uint32_t end)
{
    return (uint64_t)end << 32 | first;
}

/* Owners of a share take its first task, others its last: memory is then read in one
 * line for as long as possible. */
static bool take_task(struct seat *seat, bool last, int *task)
{
    uint64_t share = atomic_load(&seat->share), rest;
    uint32_t first, end;
    do {
        first = (uint32_t)share;
        end = (uint32_t)(share >> 32);
        if (first >= end)
            return false;
        rest = last ? share_of(first, end - 1) : share_of(first + 1, end);
    } while (!atomic_compare_exchange_weak(&seat->share, &share, rest));
    *task = (int)(last ? end - 1 : first);
    return true;
}

static void take_tasks(aim_pool *p, int worker)
{
    int task;
    for (int i = 0; i < p->threads; i++) {
        struct seat *seat = &p->seats[(worker + i) % p->threads];
        while (take_task(seat, i > 0, &task))
            p->fn(p->arg, task, worker);
    }
}

int aim_pool_share(const aim_pool *p, int n_tasks, int worker)
{
    return (int)((int64_t)n_tasks * worker / p->threads);
}

static void deal_shares(aim_pool *p, int n_tasks)
{
    for (int i = 0; i < p->threads; i++) {
        int first = aim_pool_share(p, n_tasks, i), end = aim_pool_share(p, n_tasks, i + 1);
        atomic_store_explicit(&p->seats[i].share, share_of((uint32_t)first, (uint32_t)end),
                              memory_order_relaxed);
    }
}

/* ---- workers ---------------------------------------------------------------------- */

/* Enter the open run `round`, unless it has been closed meanwhile. The owner closes a
 * run (round becomes even) and then waits until nobody is busy; a worker is busy first
 * and looks second, so one of the two sees the other. */
static bool join(aim_pool *p, struct seat *seat, uint64_t round)
{
    atomic_store(&seat->busy, true);
    if (atomic_load(&p->round) == round)
        return true;
    atomic_store(&seat->busy, false);
    return false;
}

static bool open_round(aim_pool *p, uint64_t seen, uint64_t *round)
{
    *round = atomic_load(&p->round);
    return (*round & 1) && *round != seen;
}

/* True as soon as there is something to do or the pool stops. */
static bool spin(aim_pool *p, uint64_t seen, uint64_t *round)
{
    uint64_t end = aim_now_ns() + SPIN_NS;
    do {
        for (int i = 0; i < LOOKS; i++) {
            if (open_round(p, seen, round) || atomic_load(&p->stop))
                return true;
            relax();
        }
    } while (aim_now_ns() < end);
    return false;
}

/* Wait for a run other than `seen`; false when the pool stops. */
static bool wait_round(aim_pool *p, uint64_t seen, uint64_t *round)
{
    if (spin(p, seen, round))
        return !atomic_load(&p->stop);
    pthread_mutex_lock(&p->lock);
    atomic_fetch_add(&p->sleepers, 1);
    while (!open_round(p, seen, round) && !atomic_load(&p->stop))
        pthread_cond_wait(&p->wake, &p->lock);
    atomic_fetch_sub(&p->sleepers, 1);
    pthread_mutex_unlock(&p->lock);
    return !atomic_load(&p->stop);
}

struct start {
    aim_pool *pool;
    int worker;
    aim_cpu_set place; /* within a node the kernel knows better what else runs there */
};

static void *work(void *arg)
{
    struct start *start = arg;
    aim_pool *p = start->pool;
    int worker = start->worker;
    struct seat *seat = &p->seats[worker];
    uint64_t seen = 0, round;
    pthread_setname_np(pthread_self(), "worker");
    aim_cpu_keep_to(&start->place, NULL);
    aim_free(start);
    while (wait_round(p, seen, &round)) {
        seen = round;
        if (!join(p, seat, round))
            continue;
        take_tasks(p, worker);
        atomic_store(&seat->busy, false);
    }
    return NULL;
}

static int start_worker(aim_pool *p, int worker, const aim_cpu_map *map, aim_error *err)
{
    struct start *start = aim_malloc(sizeof *start);
    if (!start)
        return aim_fail_nomem(err, "work pool");
    start->pool = p;
    start->worker = worker;
    aim_cpu_place(map, worker, p->threads, &start->place);
    int rc = pthread_create(&p->workers[p->n_started], NULL, work, start);
    if (rc != 0) {
        aim_free(start);
        return aim_fail(err, AIM_ENOMEM, "cannot start worker thread %d", worker);
    }
    p->n_started++;
    return AIM_OK;
}

static int start_workers(aim_pool *p, const aim_cpu_map *map, aim_error *err)
{
    int code = AIM_OK;
    aim_cpu_place(map, 0, p->threads, &p->owner);
    for (int i = 1; i < p->threads && !code; i++)
        code = start_worker(p, i, map, err);
    return code;
}

static int allocate(aim_pool *p, aim_error *err)
{
    p->workers = aim_calloc((size_t)p->threads, sizeof *p->workers);
    p->seats = aim_big_alloc((size_t)p->threads * sizeof *p->seats);
    return p->workers && p->seats ? AIM_OK : aim_fail_nomem(err, "work pool");
}

aim_pool *aim_pool_new_on(const aim_cpu_map *map, int threads, aim_error *err)
{
    if (threads < 1) {
        aim_fail(err, AIM_EINVAL, "work pool of %d threads: needs at least 1", threads);
        return NULL;
    }
    aim_pool *p = aim_big_alloc(sizeof *p); /* on cache lines of its own */
    if (!p) {
        aim_fail_nomem(err, "work pool");
        return NULL;
    }
    p->threads = threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    if (allocate(p, err) == AIM_OK && start_workers(p, map, err) == AIM_OK)
        return p;
    aim_pool_free(p);
    return NULL;
}

aim_pool *aim_pool_new(int threads, aim_error *err)
{
    aim_cpu_set mask;
    aim_cpu_map map;
    aim_cpu_affinity(&mask);
    aim_cpu_map_make("", &mask, &map);
    return aim_pool_new_on(&map, threads, err);
}

void aim_pool_free(aim_pool *p)
{
    if (!p)
        return;
    pthread_mutex_lock(&p->lock);
    atomic_store(&p->stop, true);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
    for (int i = 0; i < p->n_started; i++)
        pthread_join(p->workers[i], NULL);
    pthread_cond_destroy(&p->wake);
    pthread_mutex_destroy(&p->lock);
    aim_free(p->workers);
    aim_big_free(p->seats, (size_t)p->threads * sizeof *p->seats);
    aim_big_free(p, sizeof *p);
}

int aim_pool_threads(const aim_pool *p)
{
    return p->threads;
}

void aim_pool_bind_owner(const aim_pool *p, aim_cpu_set *before)
{
    aim_cpu_keep_to(&p->owner, before);
}

/* For something that other threads bring about: soon, unless they were taken off their
 * CPUs. */
static void wait_while(const _Atomic bool *busy)
{
    for (int i = 0; i < PATIENCE && atomic_load(busy); i++)
        relax();
    while (atomic_load(busy))
        sched_yield();
}

static void wake_sleepers(aim_pool *p)
{
    if (atomic_load(&p->sleepers) == 0)
        return;
    pthread_mutex_lock(&p->lock);
    pthread_cond_broadcast(&p->wake);
    pthread_mutex_unlock(&p->lock);
}

void aim_pool_run(aim_pool *p, aim_task_fn *fn, void *arg, int n_tasks)
{
    if (p->threads == 1 || n_tasks <= 1) {
        for (int i = 0; i < n_tasks; i++)
            fn(arg, i, 0);
        return;
    }
    p->fn = fn;
    p->arg = arg;
    deal_shares(p, n_tasks);
    atomic_fetch_add(&p->round, 1); /* open */
    wake_sleepers(p);
    take_tasks(p, 0);
    atomic_fetch_add(&p->round, 1); /* close: nobody may join now */
    for (int i = 1; i < p->threads; i++)
        wait_while(&p->seats[i].busy);
}
