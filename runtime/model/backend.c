/* SPDX-License-Identifier: Apache-2.0 */
#include "model/backend_impl.h"

#include "analog/digital_profile.h"

#include <stdio.h>
#include <string.h>

static const aim_backend *const table[] = {&aim__backend_int8,         &aim__backend_int4,
                                           &aim__backend_f32,          &aim__backend_analog,
                                           &aim__backend_analog_exact, NULL};

const aim_backend *const *aim_backends(void)
{
    return table;
}

const aim_backend *aim_backend_find(const char *name, aim_error *err)
{
    char known[128] = "";
    size_t used = 0;
    for (int i = 0; table[i]; i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 table[i]->name);
    }
    aim_fail_param(err, AIM_EUNSUPPORTED, "backend", "backend \"%.50s\" is not one of: %s", name,
                   known);
    return NULL;
}

const aim_chip *aim_backend_chip(const aim_backend *backend, const aim_chip *chip)
{
    if (!backend->on_tiles)
        return NULL;
    return chip || backend->analog ? chip : &aim_digital_chip;
}

enum {
    /* Below this many multiply-adds waking the pool costs more than it brings. */
    SMALL_MATMUL = 1 << 18,
    /* The same for elements that are treated one by one. */
    SMALL_STEP = 1 << 14,
    /* Ranges of panels a thread: more than one, since threads may be held up. */
    RANGES_A_THREAD = 8,
};

/* Rows in tasks of about the same size. */
struct row_tasks {
    aim_task_fn *fn;
    void *arg;
    int rows, n_tasks;
};

static int first_row(const struct row_tasks *t, int task)
{
    return (int)((int64_t)t->rows * task / t->n_tasks);
}

static void run_rows(void *arg, int task, int worker)
{
    const struct row_tasks *t = arg;
    for (int r = first_row(t, task); r < first_row(t, task + 1); r++)
        t->fn(t->arg, r, worker);
}

void aim__for_rows(aim_pool *pool, aim_task_fn *fn, void *arg, int rows, int width)
{
    int rows_a_task = SMALL_STEP / width + 1;
    struct row_tasks tasks = {fn, arg, rows, (rows + rows_a_task - 1) / rows_a_task};
    aim_pool_run(pool, run_rows, &tasks, tasks.n_tasks);
}

/* ---- products that end in plain sums ------------------------------------------ */

struct finish {
    const aim_kernels *kernels;
    const aim_output *out;
    int n;
};

static void finish_row(void *arg, int row, int worker)
{
    (void)worker;
    const struct finish *f = arg;
    const aim_output *out = f->out;
    float *y = out->y + (size_t)row * out->ldy;
    if (out->bias)
        f->kernels->add(y, out->bias, f->n);
    if (out->residual)
        f->kernels->add(out->residual + (size_t)row * out->ld_residual, y, f->n);
}

void aim__finish_output(const aim_compute *c, int rows, int n, const aim_output *out)
{
    struct finish f = {c->kernels, out, n};
    if (out->bias || out->residual)
        aim__for_rows(c->pool, finish_row, &f, rows, n);
}

int aim__panels_a_task(const aim_pool *pool, int n_panels, int64_t work)
{
    int ranges = work > SMALL_MATMUL ? RANGES_A_THREAD * aim_pool_threads(pool) : 1;
    return (n_panels + ranges - 1) / ranges;
}
