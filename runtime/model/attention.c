/* SPDX-License-Identifier: Apache-2.0 */
#include "model/attention.h"

/* Below this many elements waking the pool costs more than it brings. */
enum { SMALL_STEP = 1 << 14 };

static int first_position(const aim_attention_call *c, int r)
{
    int position = c->batch->position[r];
    return c->window > 0 && position >= c->window ? position + 1 - c->window : 0;
}

/* Task: one row and the query heads that share one key-value head. */
static void attend_group(void *arg, int task, int worker)
{
    const aim_attention_call *c = arg;
    const aim_attention *a = c->geometry;
    int r = task / a->kv_heads, group = task % a->kv_heads, per_group = a->heads / a->kv_heads;
    c->compute->kernels->attend(
        a, c->batch->blocks[r], first_position(c, r), c->batch->position[r] + 1,
        c->q + (size_t)r * c->ldq, c->out + (size_t)r * c->ldout, group * per_group,
        (group + 1) * per_group, c->scratch + (size_t)worker * c->scratch_room);
}

void aim__attention(const aim_attention_call *c)
{
    const aim_attention *a = c->geometry;
    int tasks = c->batch->n_rows * a->kv_heads;
    int64_t positions = 0;
    for (int r = 0; r < c->batch->n_rows; r++)
        positions += c->batch->position[r] + 1 - first_position(c, r);
    if (positions * a->heads * a->head_dim > SMALL_STEP)
        aim_pool_run(c->compute->pool, attend_group, (void *)c, tasks);
    else
        for (int i = 0; i < tasks; i++)
            attend_group((void *)c, i, 0);
}
