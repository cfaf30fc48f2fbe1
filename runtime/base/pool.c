/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* sched_getaffinity is a GNU extension */

#include "base/pool.h"

#include "base/alloc.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

/* One run at a time: the owner publishes (fn, arg, n_tasks), bumps `round`,
 * and takes tasks off `next` beside the workers. A worker joins a round by
 * incrementing `active` under the lock of the round number: see join(). */
struct aim_pool {
    int threads;
    pthread_t *workers;
    int n_started;

    aim_task_fn *fn;
    void *arg;
    int n_tasks;
    _Atomic uint64_t round; /* odd while a run is open to workers */
    _Atomic int next;       /* the next task to take */
    _Atomic int active;     /* workers inside the open run */

    pthread_mutex_t lock; /* guards sleeping */
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

static void take_tasks(aim_pool *p, int worker)
{
    int i;
    while ((i = atomic_fetch_add(&p->next, 1)) < p->n_tasks)
        p->fn(p->arg, i, worker);
}

/* Enter the open run `round`, unless it has been closed meanwhile. The owner
 * closes a run (round becomes even) and then waits for active to be 0; a worker
 * increments first and looks second, so one of the two sees the other. */
static bool join(aim_pool *p, uint64_t round)
{
    atomic_fetch_add(&p->active, 1);
    if (atomic_load(&p->round) == round)
        return true;
    atomic_fetch_sub(&p->active, 1);
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
    uint64_t seen = 0, round;
    pthread_setname_np(pthread_self(), "worker");
    while (wait_round(p, seen, &round)) {
        seen = round;
        if (!join(p, round))
            continue;
        take_tasks(p, start.worker);
        atomic_fetch_sub(&p->active, 1);
    }
    return NULL;
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

aim_pool *aim_pool_new(int threads, aim_error *err)
{
    if (threads < 1) {
        aim_fail(err, AIM_EINVAL, "work pool of %d threads: needs at least 1", threads);
        return NULL;
    }
    aim_pool *p = aim_calloc(1, sizeof *p);
    if (!p || !(p->workers = aim_calloc((size_t)threads, sizeof *p->workers))) {
        aim_free(p);
        aim_fail_nomem(err, "work pool");
        return NULL;
    }
    p->threads = threads;
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->wake, NULL);
    for (int i = 1; i < threads; i++)
        if (start_worker(p, i, err) != AIM_OK) {
            aim_pool_free(p);
            return NULL;
        }
    return p;
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
    aim_free(p);
}

int aim_pool_threads(const aim_pool *p)
{
    return p->threads;
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
    p->n_tasks = n_tasks;
    atomic_store(&p->next, 0);
    atomic_fetch_add(&p->round, 1); /* open */
    if (atomic_load(&p->sleepers) > 0) {
        pthread_mutex_lock(&p->lock);
        pthread_cond_broadcast(&p->wake);
        pthread_mutex_unlock(&p->lock);
    }
    take_tasks(p, 0);
    atomic_fetch_add(&p->round, 1); /* close: nobody may join now */
    for (int i = 0; atomic_load(&p->active) > 0; i++) {
        if (i < SPINS)
            relax();
        else
            sched_yield(); /* a worker was taken off its CPU in the middle of a task */
    }
}

/* "quota period" in microseconds, or "max period". */
static int quota_cpus(void)
{
    FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
    long quota = 0, period = 0;
    if (f) {
        if (fscanf(f, "%ld %ld", &quota, &period) != 2)
            quota = period = 0;
        fclose(f);
    }
    return quota > 0 && period > 0 ? (int)((quota + period - 1) / period) : 0;
}

int aim_cpu_count(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set)
                                                        : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = quota_cpus();
    if (quota > 0 && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}
