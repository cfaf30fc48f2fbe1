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
    ROWS_A_PIECE = AIM_PANEL,
    WEIGHTS_A_REPORT = 4 << 20,
    LEAST_STEP = 8, /* pieces of a thread between two reports: threads hardly wait then */
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
    /* Each run takes `step` pieces of every thread's share of all pieces, from the one
     * `first` behind its beginning: who will read weights is then who stores them first,
     * which is what decides about their place in memory. */
    const aim_pool *pool;
    int pieces, step, first;
    _Atomic size_t read; /* weights */
    _Atomic int bad;     /* a row that holds NaN or infinity, or -1 */
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

static void load_piece(struct load *l, int piece, unsigned char *room)
{
    float *values = (float *)(void *)room;
    int begin = piece * ROWS_A_PIECE, end = begin + ROWS_A_PIECE;
    end = end < l->rows->rows ? end : l->rows->rows;
    for (int row = begin; row < end; row++) {
        aim__weight_row(l->rows, row, values);
        if (!all_finite(values, l->rows->in))
            atomic_store(&l->bad, row);
        else if (l->store->store)
            l->store->store(l->store->arg, row, values, room + l->values_bytes);
    }
    atomic_fetch_add(&l->read, (size_t)(end - begin) * (size_t)l->rows->in);
}

static void load_task(void *arg, int task, int worker)
{
    struct load *l = arg;
    int share = task / l->step;
    int piece = aim_pool_share(l->pool, l->pieces, share) + l->first + task % l->step;
    if (piece < aim_pool_share(l->pool, l->pieces, share + 1))
        load_piece(l, piece, l->room + (size_t)worker * l->thread_bytes);
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

/* Rows are read in several runs, with a report after each. */
static void load_all(struct load *l, const aim_compute *c)
{
    int threads = aim_pool_threads(c->pool);
    int largest_share = (l->pieces + threads - 1) / threads;
    int step = WEIGHTS_A_REPORT / ROWS_A_PIECE / l->rows->in / threads;
    l->step = step > LEAST_STEP ? step : LEAST_STEP;
    for (; l->first < largest_share && atomic_load(&l->bad) < 0; l->first += l->step) {
        size_t before = atomic_load(&l->read);
        aim_pool_run(c->pool, load_task, l, threads * l->step);
        if (c->weights_read)
            c->weights_read(c->weights_read_arg, atomic_load(&l->read) - before);
    }
}

int aim__weight_rows_load(const aim_weight_rows *w, const aim_compute *c,
                          const aim_row_store *store, aim_error *err)
{
    struct load l = {.rows = w, .store = store, .pool = c->pool, .bad = -1};
    l.pieces = (w->rows + ROWS_A_PIECE - 1) / ROWS_A_PIECE;
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
