/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "bench/limits.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/memory.h"

#include <stdint.h>
#include <string.h>

#ifdef HAVE_X86_KERNELS
#include <immintrin.h>
#endif

enum { PASSES = 7 };

/* Seconds of the fastest of several runs of n_tasks tasks. */
static double best_seconds(aim_pool *pool, aim_task_fn *fn, void *arg, int n_tasks)
{
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < PASSES; i++) {
        uint64_t start = aim_now_ns();
        aim_pool_run(pool, fn, arg, n_tasks);
        uint64_t took = aim_now_ns() - start;
        best = took < best ? took : best;
    }
    return (double)best * 1e-9;
}

/* ---- reading ----------------------------------------------------------------- */

/* Returns the OR of what was read, so that the reads cannot be left out. */
typedef uint64_t read_fn(const unsigned char *p, size_t n);

enum { READ_STEP = 512 }; /* bytes a round of each reader; pieces are multiples of it */

static uint64_t read_words(const unsigned char *p, size_t n)
{
    uint64_t words[READ_STEP / sizeof(uint64_t)], all = 0;
    for (size_t i = 0; i < n; i += READ_STEP) {
        memcpy(words, p + i, sizeof words);
        for (size_t j = 0; j < sizeof words / sizeof words[0]; j++)
            all |= words[j];
    }
    return all;
}

#ifdef HAVE_X86_KERNELS
__attribute__((target("avx2"))) static uint64_t read_avx2(const unsigned char *p, size_t n)
{
    __m256i all[4] = {_mm256_setzero_si256(), _mm256_setzero_si256(), _mm256_setzero_si256(),
                      _mm256_setzero_si256()};
    for (size_t i = 0; i < n; i += READ_STEP)
        for (size_t j = 0; j < READ_STEP; j += 128)
            for (size_t l = 0; l < 4; l++) {
                const void *from = p + i + j + 32 * l;
                all[l] = _mm256_or_si256(all[l], _mm256_load_si256((const __m256i *)from));
            }
    __m256i one = _mm256_or_si256(_mm256_or_si256(all[0], all[1]), _mm256_or_si256(all[2], all[3]));
    return (uint64_t)_mm256_movemask_epi8(one);
}

__attribute__((target("avx512f"))) static uint64_t read_avx512(const unsigned char *p, size_t n)
{
    __m512i all[4] = {_mm512_setzero_si512(), _mm512_setzero_si512(), _mm512_setzero_si512(),
                      _mm512_setzero_si512()};
    for (size_t i = 0; i < n; i += READ_STEP)
        for (size_t j = 0; j < READ_STEP; j += 256)
            for (size_t l = 0; l < 4; l++)
                all[l] = _mm512_or_si512(all[l], _mm512_load_si512(p + i + j + 64 * l));
    __m512i one = _mm512_or_si512(_mm512_or_si512(all[0], all[1]), _mm512_or_si512(all[2], all[3]));
    return (uint64_t)_mm512_reduce_or_epi64(one);
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
    return read_words;
}

enum {
    PIECE = 1 << 22,        /* bytes a task reads, at most: small enough to even out the threads */
    LEAST_BYTES = 256 << 20 /* a run reads so many at least, to be long enough for the clock */
};

struct reading {
    unsigned char *data;
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

/* Untouched pages of a mapping are one and the same page of zeros. */
static void touch_piece(void *arg, int task, int worker)
{
    struct reading *r = arg;
    (void)worker;
    memset(r->data + (size_t)task * r->piece, 1, r->piece);
}

/* 1 GiB is beyond the caches of large servers; a small machine gives an eighth
 * of its memory. */
static size_t beyond_caches(void)
{
    uint64_t room = aim_memory_read("").total / 8;
    return room < (1u << 30) ? (size_t)room : (size_t)1 << 30;
}

double aim_limit_read_bandwidth(aim_pool *pool, size_t bytes, aim_error *err)
{
    size_t size = bytes ? bytes : beyond_caches();
    size_t share = size / (size_t)aim_pool_threads(pool) / READ_STEP * READ_STEP;
    struct reading r = {.read = best_reader()};
    r.piece = share > PIECE ? PIECE : share > READ_STEP ? share : READ_STEP;
    int pieces = (int)(size / r.piece);
    size = r.piece * (size_t)pieces;
    r.repeats = size < LEAST_BYTES ? (int)(LEAST_BYTES / size) : 1;
    r.data = aim_big_alloc(size);
    if (!r.data) {
        aim_fail_nomem(err, "array to measure the read bandwidth");
        return 0;
    }
    aim_pool_run(pool, touch_piece, &r, pieces);
    double seconds = best_seconds(pool, read_piece, &r, pieces);
    aim_big_free(r.data, size);
    return (double)size * r.repeats / seconds;
}

/* ---- multiply-adds ------------------------------------------------------------- */

/* Runs `rounds` rounds and returns the multiply-adds of one round. */
typedef long mac_fn(long rounds);

static long mac_words(long rounds)
{
    enum { LANES = 64 };
    static _Thread_local int16_t a[LANES], b[LANES];
    static _Thread_local int32_t acc[LANES];
    for (long i = 0; i < rounds; i++) {
        for (int l = 0; l < LANES; l++)
            acc[l] += a[l] * b[l];
        __asm__ volatile("" ::: "memory"); /* each round is done for real */
    }
    return LANES;
}

#ifdef HAVE_X86_KERNELS
/* Assembly, because a compiler may see that equal sums need adding up once.
 * The contents of the registers do not matter. */
__attribute__((target("avx2"))) static long mac_avx2(long rounds)
{
    __asm__ volatile("1:\n\t"
                     ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
                     "vpmaddubsw %%ymm12, %%ymm13, %%ymm14\n\t"
                     "vpmaddwd %%ymm15, %%ymm14, %%ymm14\n\t"
                     "vpaddd %%ymm14, %%ymm\\r, %%ymm\\r\n\t"
                     ".endr\n\t"
                     "dec %0\n\t"
                     "jnz 1b"
                     : "+r"(rounds)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm14");
    return 12 * 32;
}

/* 24 independent sums hide the latency of the instruction on every CPU known. */
__attribute__((target("avx512f,avx512vnni"))) static long mac_avx512(long rounds)
{
    __asm__ volatile("1:\n\t"
                     ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
                     "vpdpbusd %%zmm24, %%zmm25, %%zmm\\r\n\t"
                     ".endr\n\t"
                     ".irp r, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23\n\t"
                     "vpdpbusd %%zmm24, %%zmm25, %%zmm\\r\n\t"
                     ".endr\n\t"
                     "dec %0\n\t"
                     "jnz 1b"
                     : "+r"(rounds)
                     :
                     : "cc", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8",
                       "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "xmm16",
                       "xmm17", "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23");
    return 24 * 64;
}
#endif

static mac_fn *best_multiplier(void)
{
#ifdef HAVE_X86_KERNELS
    unsigned cpu = aim_cpu_features();
    if (cpu & AIM_CPU_AVX512_VNNI)
        return mac_avx512;
    if (cpu & AIM_CPU_AVX2)
        return mac_avx2;
#endif
    return mac_words;
}

struct multiplying {
    mac_fn *run;
    long rounds;
};

static void multiply(void *arg, int task, int worker)
{
    struct multiplying *m = arg;
    (void)task;
    (void)worker;
    m->run(m->rounds);
}

double aim_limit_int8_macs(aim_pool *pool)
{
    struct multiplying m = {best_multiplier(), 20000};
    /* Many short tasks: no thread waits long for the last one. */
    int tasks = 32 * aim_pool_threads(pool);
    double macs = (double)m.run(1) * (double)m.rounds * (double)tasks;
    return macs / best_seconds(pool, multiply, &m, tasks);
}
