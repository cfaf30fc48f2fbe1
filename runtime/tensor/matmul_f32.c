/* SPDX-License-Identifier: Apache-2.0 */
#include "tensor/matmul_f32.h"

#include "base/alloc.h"
#include "base/rng.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include <cblas.h>

enum {
    ROW_TILE = 4,        /* rows of a call, unless the probe finds that places matter */
    BLOCK_UNIT = 16,     /* channels of a call: a multiple of this ... */
    MAX_BLOCK = 128,     /* ... and at most this, fewer in the last block */
    NO_PACKING = 1000000 /* multiply-adds */
};

/* OpenBLAS must not start threads of its own below the pool's. */
static void one_thread(void)
{
    openblas_set_num_threads(1);
}

static pthread_once_t blas_ready = PTHREAD_ONCE_INIT;

static size_t weight_bytes(const aim_matrix_f32 *m)
{
    return (size_t)m->out * (size_t)m->in * sizeof *m->w;
}

int aim_matrix_f32_init(aim_matrix_f32 *m, int out, int in, aim_error *err)
{
    *m = (aim_matrix_f32){0};
    if (out < 1 || in < 1)
        return aim_fail(err, AIM_EINVAL, "float matrix of %d x %d: needs a positive shape", out,
                        in);
    pthread_once(&blas_ready, one_thread);
    m->out = out;
    m->in = in;
    m->row_tile = 1;
    m->w = aim_big_alloc(weight_bytes(m));
    return m->w ? AIM_OK : aim_fail_nomem(err, "float32 weights");
}

void aim_matrix_f32_fini(aim_matrix_f32 *m)
{
    aim_big_free(m->w, weight_bytes(m));
    *m = (aim_matrix_f32){0};
}

/* Channels of a call, fixed by the depth alone. OpenBLAS multiplies up to so
 * many products straight from the matrices; beyond, it first copies the weights
 * into an order of its own, which for a few rows takes most of the time. */
static int out_block(const aim_matrix_f32 *m)
{
    int n = NO_PACKING / ROW_TILE / m->in / BLOCK_UNIT * BLOCK_UNIT;
    return n < BLOCK_UNIT ? BLOCK_UNIT : n > MAX_BLOCK ? MAX_BLOCK : n;
}

static int n_blocks(const aim_matrix_f32 *m)
{
    return (m->out - 1) / out_block(m) + 1;
}

static int block_channels(const aim_matrix_f32 *m, int b)
{
    int left = m->out - b * out_block(m);
    return left < out_block(m) ? left : out_block(m);
}

/* Channels of block b for `rows` rows: the only shapes OpenBLAS ever sees. */
static void multiply_block(const aim_matrix_f32 *m, int b, int rows, const float *x, size_t ldx,
                           float *y, size_t ldy)
{
    int first = b * out_block(m);
    const float *w = m->w + (size_t)first * (size_t)m->in;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, rows, block_channels(m, b), m->in, 1.0f, x,
                (int)ldx, w, m->in, 0.0f, y + first, (int)ldy);
}

/* ---- the probe ------------------------------------------------------------ */

/* Values of both signs and of sizes that differ, so that another order of
 * summation shows in the last bits. */
static void fill_random(float *x, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++) {
        aim_rng_block b = aim_rng_draw(seed, AIM_STREAM_WEIGHTS, i, 0);
        float sign = b.v[0] & 1 ? -1.0f : 1.0f;
        x[i] = sign * ((float)(b.v[1] >> 8) * 0x1p-24f + (float)(b.v[2] >> 28));
    }
}

/* Does row 0 of x alone (zeros in the other rows) give the same bits as in
 * every other place, among rows of other content? x, y: [ROW_TILE] rows;
 * want: [MAX_BLOCK]. */
static bool places_agree(const aim_matrix_f32 *m, int b, float *x, float *y, float *want)
{
    const size_t in = (size_t)m->in, out = (size_t)m->out;
    const size_t first = (size_t)b * (size_t)out_block(m);
    const size_t n = (size_t)block_channels(m, b);
    memset(x, 0, ROW_TILE * in * sizeof *x);
    fill_random(x, in, 0);
    multiply_block(m, b, ROW_TILE, x, in, y, out);
    memcpy(want, y + first, n * sizeof *y);
    for (size_t place = 0; place < ROW_TILE; place++) {
        fill_random(x, ROW_TILE * in, 1 + place);
        fill_random(x + place * in, in, 0);
        multiply_block(m, b, ROW_TILE, x, in, y, out);
        if (memcmp(want, y + place * out + first, n * sizeof *y) != 0)
            return false;
    }
    return true;
}

int aim_matrix_f32_probe(aim_matrix_f32 *m, aim_error *err)
{
    const size_t row = (size_t)m->in + (size_t)m->out;
    float *room = aim_array(ROW_TILE * row + MAX_BLOCK, sizeof *room);
    if (!room)
        return aim_fail_nomem(err, "probe of a float32 matrix");
    float *x = room, *y = x + ROW_TILE * (size_t)m->in, *want = y + ROW_TILE * (size_t)m->out;
    bool agree = places_agree(m, 0, x, y, want) && places_agree(m, n_blocks(m) - 1, x, y, want);
    m->row_tile = agree ? ROW_TILE : 1;
    aim_free(room);
    return AIM_OK;
}

/* ---- the product ---------------------------------------------------------- */

struct product {
    const aim_matrix_f32 *m;
    const float *x;
    size_t ldx;
    float *y;
    size_t ldy;
    int tiles, whole_tiles;
    const float *x_rest; /* the rows behind the last whole tile, padded with zeros */
    float *y_rest;
};

static void multiply_task(void *arg, int task, int worker)
{
    const struct product *p = arg;
    const aim_matrix_f32 *m = p->m;
    (void)worker;
    int block = task / p->tiles, tile = task % p->tiles;
    size_t row = (size_t)tile * (size_t)m->row_tile;
    if (tile < p->whole_tiles)
        multiply_block(m, block, m->row_tile, p->x + row * p->ldx, p->ldx, p->y + row * p->ldy,
                       p->ldy);
    else
        multiply_block(m, block, m->row_tile, p->x_rest, (size_t)m->in, p->y_rest, (size_t)m->out);
}

size_t aim_matrix_f32_scratch(int out, int in)
{
    return (size_t)ROW_TILE * ((size_t)in + (size_t)out);
}

void aim_matrix_f32_mul(const aim_matrix_f32 *m, aim_pool *pool, const float *x, size_t ldx,
                        int rows, float *y, size_t ldy, float *scratch)
{
    const size_t in = (size_t)m->in, out = (size_t)m->out;
    const size_t rest = (size_t)(rows % m->row_tile), whole = (size_t)rows - rest;
    struct product p = {.m = m, .x = x, .ldx = ldx, .y = y, .ldy = ldy};
    p.whole_tiles = rows / m->row_tile;
    p.tiles = p.whole_tiles + (rest != 0);
    if (rest) {
        memset(scratch, 0, (size_t)m->row_tile * in * sizeof *scratch);
        for (size_t r = 0; r < rest; r++)
            memcpy(scratch + r * in, x + (whole + r) * ldx, in * sizeof *x);
        p.x_rest = scratch;
        p.y_rest = scratch + (size_t)m->row_tile * in;
    }
    aim_pool_run(pool, multiply_task, &p, n_blocks(m) * p.tiles);
    for (size_t r = 0; r < rest; r++)
        memcpy(y + (whole + r) * ldy, p.y_rest + r * out, out * sizeof *y);
}
