/* SPDX-License-Identifier: Apache-2.0 */
/* backend_impl.h - the rows of the table in backend.c, and what they share. To add a
 * backend, write backend_NAME.c, declare its row here and list it there. */
#ifndef AIM_MODEL_BACKEND_IMPL_H
#define AIM_MODEL_BACKEND_IMPL_H

#include "model/backend.h"

extern const aim_backend aim__backend_int8;
extern const aim_backend aim__backend_int4;
extern const aim_backend aim__backend_f32;
extern const aim_backend aim__backend_analog;
extern const aim_backend aim__backend_analog_exact;

/* Panels that hold so many channels. */
static inline int aim__panels(int channels)
{
    return (channels + AIM_PANEL - 1) / AIM_PANEL;
}

/* Bytes, rounded up to whole cache lines. */
static inline size_t aim__whole_lines(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

/* fn(arg, row, worker) for rows that touch about `width` elements each: as many a task
 * as waking the pool is worth. */
void aim__for_rows(aim_pool *pool, aim_task_fn *fn, void *arg, int rows, int width);

/* The end of a product by something that only stores sums [rows, n] in out->y: its bias,
 * and its way into the residual. */
void aim__finish_output(const aim_compute *c, int rows, int n, const aim_output *out);

/* How many panels a task of an integer product of `work` multiply-adds takes. */
int aim__panels_a_task(const aim_pool *pool, int n_panels, int64_t work);

#endif
