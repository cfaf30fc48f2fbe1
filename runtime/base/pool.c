/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* affinity is a GNU extension */

#include "base/pool.h"

#include "base/alloc.h"

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

    aim_task_fn *fn;
    void *arg;
    _Alignas(LINE) _Atomic uint64_t round; /* odd while a run is open to workers */

    _Alignas(LINE) pthread_mutex_t lock; /* guards sleeping */
    pthread_cond_t wake;
    _Atomic int sleepers;
    _Atomic bool stop;
};

/* How long a worker looks for the next run before it sleeps. The layers of a
 * step follow each other within a few microseconds. */
enum { SPINS = 4000 };

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

/* Wait for a run other than `seen`; false when the pool stops. */
static bool wait_round(aim_pool *p, uint64_t seen, uint64_t *round)
{
    for (int i = 0; i < SPINS; i++) {
        if (open_round(p, seen, round))
            return true;
        if (atomic_load(&p->stop))
            return false;
        relax();
    }
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
};

static void *work(void *arg)
{
    struct start start = *(struct start *)arg;
    aim_free(arg);
    aim_pool *p = start.pool;
    struct seat *seat = &p->seats[start.worker];
    uint64_t seen = 0, round;
    pthread_setname_np(pthread_self(), "worker");
    while (wait_round(p, seen, &round)) {
        seen = round;
        if (!join(p, seat, round))
            continue;
        take_tasks(p, start.worker);
        atomic_store(&seat->busy, false);
    }
    return NULL;
}

/* Keep a worker on the node that its place among the CPUs lies in. No more than that:
 * within a node the kernel knows better what else runs there. A hint, which may fail. */
static void bind_worker(const aim_pool *p, int worker, const aim_cpu_map *map)
{
    if (map->n_nodes < 2 || map->n_cpus == 0)
        return;
    int node = map->node[(int64_t)map->n_cpus * worker / p->threads];
    cpu_set_t set;
    CPU_ZERO(&set);
    for (int i = 0; i < map->n_cpus; i++)
        if (map->node[i] == node)
            CPU_SET(map->cpu[i], &set);
    pthread_setaffinity_np(p->workers[worker - 1], sizeof set, &set);
}

static int start_worker(aim_pool *p, int worker, aim_error *err)
{
    struct start *start = aim_malloc(sizeof *start);
    if (!start)
        return aim_fail_nomem(err, "work pool");
    *start = (struct start){p, worker};
    int rc = pthread_create(&p->workers[p->n_started], NULL, work, start);
    if (rc != 0) {
        aim_free(start);
        return aim_fail(err, AIM_ENOMEM, "cannot start worker thread %d", worker);
    }
    p->n_started++;
    return AIM_OK;
}

static int start_workers(aim_pool *p, aim_error *err)
{
    aim_cpu_map map = {0};
    if (p->threads > 1)
        aim_cpu_map_read(&map);
    for (int i = 1; i < p->threads; i++) {
        int code = start_worker(p, i, err);
        if (code)
            return code;
        bind_worker(p, i, &map);
    }
    return AIM_OK;
}

static int allocate(aim_pool *p, aim_error *err)
{
    p->workers = aim_calloc((size_t)p->threads, sizeof *p->workers);
    p->seats = aim_big_alloc((size_t)p->threads * sizeof *p->seats);
    return p->workers && p->seats ? AIM_OK : aim_fail_nomem(err, "work pool");
}

aim_pool *aim_pool_new(int threads, aim_error *err)
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
    if (allocate(p, err) == AIM_OK && start_workers(p, err) == AIM_OK)
        return p;
    aim_pool_free(p);
    return NULL;
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

/* For something that other threads bring about: soon, unless they were taken off their
 * CPUs. */
static void wait_while(const _Atomic bool *busy)
{
    for (int i = 0; atomic_load(busy); i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield();
    }
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
