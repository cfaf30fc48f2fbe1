/* SPDX-License-Identifier: Apache-2.0 */
/* programming.c - how long a chip takes to program, and the work pool to run nothing. */
#include "analog/normals.h"
#include "base/cpu.h"
#include "bench/cases.h"
#include "bench/limits.h"

enum {
    NORMALS_A_ROW = 2048, /* the width of a typical layer */
    ROWS_A_TASK = 16,
};

static void draw_rows(void *arg, int task, int worker)
{
    (void)arg;
    (void)worker;
    float row[NORMALS_A_ROW];
    for (int i = 0; i < ROWS_A_TASK; i++) {
        aim_device_row at = {.seed = 1, .channel = (uint32_t)(task * ROWS_A_TASK + i)};
        aim_normals(&at, AIM_STREAM_PROGRAMMING, NORMALS_A_ROW, row);
    }
}

static aim_pool *new_pool(int threads)
{
    aim_error err = {0};
    aim_pool *pool = aim_pool_new(threads ? threads : aim_cpu_count(), &err);
    if (!pool)
        bench_fail(err.text);
    return pool;
}

/* Seconds that all cores need for n normals that nobody keeps. */
static double draw_normals(size_t n)
{
    aim_pool *pool = new_pool(0);
    int tasks = (int)(n / (NORMALS_A_ROW * ROWS_A_TASK)) + 1;
    double seconds = limit_best_seconds(pool, draw_rows, NULL, tasks, 1);
    aim_pool_free(pool);
    return seconds;
}

/* Seconds until the model is ready, and how many weights it has; negative if it cannot
 * be opened. */
static double open_seconds(const bench_case *c, bool exact, size_t *weights)
{
    aim_error err = {0};
    uint64_t start = aim_now_ns();
    aim_model *m = models_open(c->shape, ANALOG8, c->threads, exact, &err);
    double seconds = (double)(aim_now_ns() - start) * 1e-9;
    if (!m) {
        report_skipped(c->name, err.text);
        return -1;
    }
    *weights = aim_decoder_macs(m->decoder, true);
    aim_model_close(m);
    return seconds;
}

/* The noise is the difference to a chip without: the rest is making up the weights,
 * packing them and page faults. */
void bench_programming(const bench_case *c)
{
    figure ready = case_figure(c, 0, "s", true);
    figure noise = case_figure(c, 1, "s", true);
    for (int i = 0; i <= cases_rounds(); i++) {
        size_t weights = 0;
        double exact = open_seconds(c, true, &weights);
        double noisy = exact < 0 ? -1 : open_seconds(c, false, &weights);
        if (noisy < 0)
            return;
        if (i == 0) /* the first ones warm up */
            continue;
        figure_add(&ready, noisy, draw_normals(weights));
        figure_add(&noise, noisy - exact, 0);
    }
    figure_report(&ready);
    figure_report(&noise);
}

/* ---- the work pool --------------------------------------------------------------------- */

enum { EMPTY_RUNS = 20000 };

static void do_nothing(void *arg, int task, int worker)
{
    (void)arg;
    (void)task;
    (void)worker;
}

/* As many tasks as threads, again and again, as the layers of a step come. */
void bench_barrier(const bench_case *c)
{
    figure f = figure_named(c->name, "us", true);
    aim_pool *pool = new_pool(c->threads);
    int tasks = c->threads ? c->threads : aim_cpu_count();
    for (int i = 0; i < cases_rounds(); i++) {
        uint64_t start = aim_now_ns();
        for (int run = 0; run < EMPTY_RUNS; run++)
            aim_pool_run(pool, do_nothing, NULL, tasks);
        figure_add(&f, (double)(aim_now_ns() - start) * 1e-3 / EMPTY_RUNS, 0);
    }
    aim_pool_free(pool);
    figure_report(&f);
}
