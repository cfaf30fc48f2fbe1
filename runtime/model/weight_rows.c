/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "model/weight_rows.h"

#include "analog/normals.h"
#include "base/alloc.h"
#include "model/backend_impl.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

enum {
    ROWS_A_TASK = AIM_PANEL,
    WEIGHTS_A_REPORT = 4 << 20,
    TASKS_A_THREAD = 8, /* between two reports, so that threads hardly wait for each other */
};

aim_weight_rows aim__weight_rows_of(const aim_linear_source *source)
{
    const aim_linear_shape *shape = &source->shape;
    return (aim_weight_rows){source->parts, shape->n_parts, shape->out, shape->in,
                             source->random_seed};
}

/* The part that holds a row of the stack, and which of its rows that is. */
static const aim_tensor *part_of(const aim_weight_rows *w, int row, size_t *local)
{
    int64_t r = row;
    int i = 0;
    while (i + 1 < w->n_parts && r >= w->parts[i].weight->shape[0])
        r -= w->parts[i++].weight->shape[0];
    *local = (size_t)r;
    return w->parts[i].weight;
}

enum { WEIGHTS_A_BLOCK = 8, BLOCKS_A_TIME = 64 };

static inline float weight_of(uint32_t bits, float step)
{
    return ((float)(int32_t)bits - 32767.5f) * step;
}

/* Eight numbers of 16 bits, the lower half of a word first. */
static inline void scale_block(const aim_rng_block *block, float step, float *out)
{
    for (int i = 0; i < 4; i++) {
        out[2 * i] = weight_of(block->v[i] & 0xFFFF, step);
        out[2 * i + 1] = weight_of(block->v[i] >> 16, step);
    }
}

static void scale_blocks(const aim_rng_block *block, float step, int n, float *out)
{
    int whole = n / WEIGHTS_A_BLOCK, rest = n % WEIGHTS_A_BLOCK;
    float last[WEIGHTS_A_BLOCK];
    for (int b = 0; b < whole; b++)
        scale_block(&block[b], step, out + b * WEIGHTS_A_BLOCK);
    if (rest) {
        scale_block(&block[whole], step, last);
        memcpy(out + whole * WEIGHTS_A_BLOCK, last, (size_t)rest * sizeof *out);
    }
}

/* Uniform on [-sqrt(3 / in), sqrt(3 / in)]. */
static void random_row(const aim_weight_rows *w, int row, float *out)
{
    float step = sqrtf(3.0f / (float)w->in) / 32768.0f;
    uint64_t block = (uint64_t)row * (((uint64_t)w->in + 7) / WEIGHTS_A_BLOCK);
    for (int k = 0; k < w->in; k += BLOCKS_A_TIME * WEIGHTS_A_BLOCK, block += BLOCKS_A_TIME) {
        aim_rng_block blocks[BLOCKS_A_TIME];
        int n = BLOCKS_A_TIME * WEIGHTS_A_BLOCK;
        n = n < w->in - k ? n : w->in - k;
        aim_random_blocks(w->seed, AIM_STREAM_WEIGHTS, block,
                          (n + WEIGHTS_A_BLOCK - 1) / WEIGHTS_A_BLOCK, blocks);
        scale_blocks(blocks, step, n, out + k);
    }
}

void aim__weight_row(const aim_weight_rows *w, int row, float *out)
{
    if (!w->parts) {
        random_row(w, row, out);
        return;
    }
    size_t local, in = (size_t)w->in;
    const aim_tensor *t = part_of(w, row, &local);
    aim_tensor_read(t, local * in, in, out);
}

struct load {
    const aim_weight_rows *rows;
    const aim_row_store *store;
    unsigned char *room; /* [threads]: values [in], then scratch */
    size_t values_bytes, thread_bytes;
    int first;       /* task of the run */
    _Atomic int bad; /* a row that holds NaN or infinity, or -1 */
};

/* Written without branches and without an order of summation, so that it is
 * vectorised: infinities and NaNs have all bits of the exponent set. */
static bool all_finite(const float *x, int n)
{
    const uint32_t exponent = 0x7F800000;
    uint32_t bad = 0;
    for (int i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        bad |= (bits & exponent) == exponent;
    }
    return !bad;
}

static void load_rows(void *arg, int task, int worker)
{
    struct load *l = arg;
    unsigned char *room = l->room + (size_t)worker * l->thread_bytes;
    float *values = (float *)(void *)room;
    int begin = (l->first + task) * ROWS_A_TASK, end = begin + ROWS_A_TASK;
    for (int row = begin; row < end && row < l->rows->rows; row++) {
        aim__weight_row(l->rows, row, values);
        if (!all_finite(values, l->rows->in))
            atomic_store(&l->bad, row);
        else if (l->store->store)
            l->store->store(l->store->arg, row, values, room + l->values_bytes);
    }
}

static int check_finite(const aim_weight_rows *w, int bad, aim_error *err)
{
    if (bad < 0)
        return AIM_OK;
    size_t local;
    const aim_tensor *t = part_of(w, bad, &local);
    return aim_fail(err, AIM_EFORMAT, "tensor \"%s\" holds NaN or infinity in row %zu", t->name,
                    local);
}

/* Rows are read in runs of tasks, with a report after each. */
static void load_all(struct load *l, const aim_compute *c)
{
    int rows = l->rows->rows, tasks = (rows + ROWS_A_TASK - 1) / ROWS_A_TASK;
    int step = WEIGHTS_A_REPORT / ROWS_A_TASK / l->rows->in;
    int least = TASKS_A_THREAD * aim_pool_threads(c->pool);
    step = step > least ? step : least;
    for (int end; l->first < tasks && atomic_load(&l->bad) < 0; l->first = end) {
        end = step < tasks - l->first ? l->first + step : tasks;
        aim_pool_run(c->pool, load_rows, l, end - l->first);
        int last_row = end < tasks ? end * ROWS_A_TASK : rows;
        if (c->weights_read)
            c->weights_read(c->weights_read_arg,
                            (size_t)(last_row - l->first * ROWS_A_TASK) * (size_t)l->rows->in);
    }
}

int aim__weight_rows_load(const aim_weight_rows *w, const aim_compute *c,
                          const aim_row_store *store, aim_error *err)
{
    struct load l = {.rows = w, .store = store, .bad = -1};
    l.values_bytes = aim__whole_lines((size_t)w->in * sizeof(float));
    l.thread_bytes = l.values_bytes + aim__whole_lines(store->scratch_bytes);
    size_t bytes = (size_t)aim_pool_threads(c->pool) * l.thread_bytes;
    l.room = aim_big_alloc(bytes);
    if (!l.room)
        return aim_fail_nomem(err, "reading weights");
    load_all(&l, c);
    aim_big_free(l.room, bytes);
    return check_finite(w, atomic_load(&l.bad), err);
}
