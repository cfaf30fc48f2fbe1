/* SPDX-License-Identifier: Apache-2.0 */
/* read_limit.c - the read bandwidth of memory, or of caches. */
#include "config.h"

#include "bench/limits.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

enum {
    PIECE = 1 << 22,        /* bytes a task reads, at most: small enough to even out the threads */
    LEAST_BYTES = 256 << 20 /* a pass reads so many at least, to be long enough for the clock */
};

double limit_best_seconds(aim_pool *pool, aim_task_fn *fn, void *arg, int n_tasks, int passes)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < passes; i++) {
        uint64_t start = aim_now_ns();
        aim_pool_run(pool, fn, arg, n_tasks);
        uint64_t took = aim_now_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best * 1e-9;
}

/* ---- readers ------------------------------------------------------------------- */

/* A cache line: the compiler makes of it the widest loads that the target has. */
typedef uint64_t line __attribute__((vector_size(64), may_alias));
enum { STEP = 4 * sizeof(line) }; /* bytes a round of a reader; pieces are multiples of it */

/* Returns the OR of what was read, so that the reads cannot be left out. */
typedef uint64_t read_fn(const unsigned char *p, size_t n);

static inline __attribute__((always_inline)) uint64_t read_lines(const unsigned char *p, size_t n)
{
    line a = {0}, b = {0}, c = {0}, d = {0};
    for (size_t i = 0; i < n; i += STEP) {
        const line *from = (const line *)(p + i);
        a |= from[0];
        b |= from[1];
        c |= from[2];
        d |= from[3];
    }
    a |= b | c | d;
    uint64_t all = 0;
    for (int i = 0; i < 8; i++)
        all |= a[i];
    return all;
}

static uint64_t read_portable(const unsigned char *p, size_t n)
{
    return read_lines(p, n);
}

#ifdef HAVE_X86_KERNELS
__attribute__((target("avx2"))) static uint64_t read_avx2(const unsigned char *p, size_t n)
{
    return read_lines(p, n);
}

__attribute__((target("avx512f"))) static uint64_t read_avx512(const unsigned char *p, size_t n)
{
    return read_lines(p, n);
}
#endif

static read_fn *best_reader(void)
{
#ifdef HAVE_X86_KERNELS
    unsigned cpu = aim_cpu_features();
    if (cpu & AIM_CPU_AVX512_VNNI)
        return read_avx512;
    if (cpu & AIM_CPU_AVX2)
        return read_avx2;
#endif
    return read_portable;
}

/* ---- the array ------------------------------------------------------------------- */

/* Untouched pages of a mapping are one and the same page of zeros. */
static void touch_piece(void *arg, int task, int worker)
{
    const limit_array *a = arg;
    (void)worker;
    memset(a->data + (size_t)task * PIECE, 1, PIECE);
}

/* 1 GiB is beyond the caches of large servers; a small machine gives an eighth
 * of its memory. */
int limit_array_init(limit_array *a, aim_pool *pool, aim_error *err)
{
    uint64_t room = aim_memory_read("").total / 8;
    a->size = room < (1u << 30) ? (size_t)(room / PIECE + 1) * PIECE : (size_t)1 << 30;
    a->data = aim_big_alloc(a->size);
    if (!a->data)
        return aim_fail_nomem(err, "array to measure the read bandwidth");
    aim_pool_run(pool, touch_piece, a, (int)(a->size / PIECE));
    return AIM_OK;
}

/* ---- the limit --------------------------------------------------------------------- */

struct reading {
    const unsigned char *data;
    size_t piece;
    int repeats;
    read_fn *read;
    _Atomic uint64_t sink;
};

/* Each task reads its piece again and again: what fits the caches of its core
 * comes from there. */
static void read_piece(void *arg, int task, int worker)
{
    struct reading *r = arg;
    (void)worker;
    for (int i = 0; i < r->repeats; i++)
        r->sink |= r->read(r->data + (size_t)task * r->piece, r->piece);
}

double limit_read_bandwidth(aim_pool *pool, const limit_array *a, size_t bytes, int passes)
{
    size_t size = bytes && bytes < a->size ? bytes : a->size;
    size_t share = size / (size_t)aim_pool_threads(pool) / STEP * STEP;
    struct reading r = {.data = a->data, .read = best_reader()};
    r.piece = share > PIECE ? PIECE : share > STEP ? share : STEP;
    int pieces = (int)(size / r.piece);
    size = r.piece * (size_t)pieces;
    r.repeats = size < LEAST_BYTES ? (int)(LEAST_BYTES / size) : 1;
    return (double)size * r.repeats / limit_best_seconds(pool, read_piece, &r, pieces, passes);
}
