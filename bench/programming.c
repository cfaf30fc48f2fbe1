/* SPDX-License-Identifier: Apache-2.0 */
/* programming.c - how long a chip takes to program. */
#include "analog/normals.h"
#include "base/cpu.h"
#include "bench/cases.h"
#include "bench/limits.h"
#include "bench/machine.h"

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

/* Seconds that all cores need for n normals that nobody keeps. */
static double draw_normals(size_t n)
{
    int tasks = (int)(n / (NORMALS_A_ROW * ROWS_A_TASK)) + 1;
    return limit_best_seconds(machine_pool(0), draw_rows, NULL, tasks, 1);
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
