/* SPDX-License-Identifier: Apache-2.0 */
/* multiply_limit.c - the peak of the integer multipliers. */
#include "config.h"

#include "bench/limits.h"

#include "base/cpu.h"

#include <stdint.h>

/* Runs `rounds` rounds and returns the multiply-adds of one round. */
typedef long mac_fn(long rounds);

static long mac_portable(long rounds)
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

/* The others are assembly, because a compiler may see that equal sums need adding up
 * once. The contents of the registers do not matter. There are as many independent
 * sums as registers leave: 12 hide the latency of the instruction on every CPU known
 * where there are 16, and 24 where there are 32. */

#ifdef HAVE_X86_KERNELS
#define TWELVE_SUMS                                                                                \
    "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11"

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
                     : "cc", TWELVE_SUMS, "xmm14");
    return 12 * 32;
}

#ifdef HAVE_AVXVNNI_KERNELS
__attribute__((target("avxvnni"))) static long mac_avxvnni(long rounds)
{
    __asm__ volatile("1:\n\t"
                     ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
                     "%{vex%} vpdpbusd %%ymm12, %%ymm13, %%ymm\\r\n\t"
                     ".endr\n\t"
                     "dec %0\n\t"
                     "jnz 1b"
                     : "+r"(rounds)
                     :
                     : "cc", TWELVE_SUMS);
    return 12 * 32;
}
#endif

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
                     : "cc", TWELVE_SUMS, "xmm12", "xmm13", "xmm14", "xmm15", "xmm16", "xmm17",
                       "xmm18", "xmm19", "xmm20", "xmm21", "xmm22", "xmm23");
    return 24 * 64;
}
#endif

#ifdef HAVE_ARM_KERNELS
static long mac_neondot(long rounds)
{
    __asm__ volatile(".arch armv8.2-a+dotprod\n\t"
                     "1:\n\t"
                     ".irp r, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11\n\t"
                     "sdot v\\r\\().4s, v24.16b, v25.16b\n\t"
                     ".endr\n\t"
                     ".irp r, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23\n\t"
                     "sdot v\\r\\().4s, v24.16b, v25.16b\n\t"
                     ".endr\n\t"
                     "subs %0, %0, #1\n\t"
                     "b.ne 1b"
                     : "+r"(rounds)
                     :
                     : "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",
                       "v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21",
                       "v22", "v23");
    return 24 * 16;
}
#endif

/* Fastest first; the last one needs nothing. */
static const struct {
    unsigned needs; /* bits of enum aim_cpu_feature */
    mac_fn *run;
} multipliers[] = {
#ifdef HAVE_X86_KERNELS
    {AIM_CPU_AVX512_VNNI, mac_avx512},
#ifdef HAVE_AVXVNNI_KERNELS
    {AIM_CPU_AVX_VNNI, mac_avxvnni},
#endif
    {AIM_CPU_AVX2, mac_avx2},
#endif
#ifdef HAVE_ARM_KERNELS
    {AIM_CPU_NEON_DOT, mac_neondot},
#endif
    {0, mac_portable},
};

static mac_fn *best_multiplier(void)
{
    unsigned cpu = aim_cpu_features();
    int i = 0;
    while (multipliers[i].needs & ~cpu)
        i++;
    return multipliers[i].run;
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

double limit_int8_macs(aim_pool *pool, int passes)
{
    struct multiplying m = {best_multiplier(), 20000};
    /* Many short tasks: no thread waits long for the last one. */
    int tasks = 32 * aim_pool_threads(pool);
    double macs = (double)m.run(1) * (double)m.rounds * (double)tasks;
    return macs / limit_best_seconds(pool, multiply, &m, tasks, passes);
}
