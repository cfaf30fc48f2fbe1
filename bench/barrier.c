/* SPDX-License-Identifier: Apache-2.0 */
/* barrier.c - what a run of the work pool takes beside its work. */
#include "base/cpu.h"
#include "bench/cases.h"
#include "bench/machine.h"
#include "bench/statistics.h"

#include <sched.h>
#include <stdatomic.h>

enum { RUNS = 20000, PATIENCE = 10000 };

struct meeting {
    int threads;
    _Atomic int arrived;
};

/* Each task waits for all the others, so that every thread has to take one: left to
 * themselves, the quickest would do all of them before the others have noticed. */
static void meet(void *arg, int task, int worker)
{
    struct meeting *m = arg;
    (void)task;
    (void)worker;
    atomic_fetch_add(&m->arrived, 1);
    for (int i = 0; atomic_load(&m->arrived) < m->threads; i++)
        if (i > PATIENCE)
            sched_yield();
}

/* Runs follow each other as the layers of a step do. Their median: a thread that the
 * system takes off its CPU holds up one of them, for milliseconds. */
static double median_microseconds(aim_pool *pool, struct meeting *m)
{
    static double run_us[RUNS];
    for (int run = 0; run < RUNS; run++) {
        uint64_t start = aim_now_ns();
        atomic_store(&m->arrived, 0);
        aim_pool_run(pool, meet, m, m->threads);
        run_us[run] = (double)(aim_now_ns() - start) * 1e-3;
    }
    return median(run_us, RUNS);
}

void bench_barrier(const bench_case *c)
{
    figure f = figure_named(c->name, "us", true);
    aim_pool *pool = machine_pool(c->threads);
    struct meeting m = {.threads = aim_pool_threads(pool)};
    for (int i = 0; i < cases_rounds(); i++)
        figure_add(&f, median_microseconds(pool, &m), 0);
    figure_report(&f);
}
