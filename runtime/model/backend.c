/* SPDX-License-Identifier: Apache-2.0 */
#include "model/backend_impl.h"

#include <stdio.h>
#include <string.h>

static const aim_backend *const table[] = {&aim__backend_int8, &aim__backend_f32,
                                           &aim__backend_analog, &aim__backend_analog_exact, NULL};

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

enum {
    /* Below this many multiply-adds waking the pool costs more than it brings. */
    SMALL_MATMUL = 1 << 18,
    /* The same for inputs that are turned into codes. */
    SMALL_CONVERSION = 1 << 14,
    /* Ranges of panels a thread: more than one, since threads may be held up. */
    RANGES_A_THREAD = 4,
};

void aim__for_rows(aim_pool *pool, aim_task_fn *fn, void *arg, int rows, int width)
{
    if ((int64_t)rows * width > SMALL_CONVERSION)
        aim_pool_run(pool, fn, arg, rows);
    else
        for (int r = 0; r < rows; r++)
            fn(arg, r, 0);
}

int aim__panels_a_task(const aim_pool *pool, int n_panels, int64_t work)
{
    int ranges = work > SMALL_MATMUL ? RANGES_A_THREAD * aim_pool_threads(pool) : 1;
    return (n_panels + ranges - 1) / ranges;
}
