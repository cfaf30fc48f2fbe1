/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/cpu.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>

#if defined(HAVE_X86_KERNELS)
#include <cpuid.h>
#elif defined(HAVE_ARM_KERNELS)
#include <sys/auxv.h>
#endif

#if defined(HAVE_X86_KERNELS)
/* Compilers of 2022 have no name for it: bit 4 of EAX in leaf 7, subleaf 1. */
static bool has_avx_vnni(void)
{
    unsigned last_subleaf, eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &last_subleaf, &ebx, &ecx, &edx) && last_subleaf >= 1 &&
           __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) && (eax & 1u << 4);
}

static unsigned ask_cpu(void)
{
    unsigned features = 0;
    __builtin_cpu_init(); /* also asks XGETBV whether the system saves the registers */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        features |= AIM_CPU_AVX2;
    if ((features & AIM_CPU_AVX2) && has_avx_vnni())
        features |= AIM_CPU_AVX_VNNI;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni"))
        features |= AIM_CPU_AVX512_VNNI;
    return features;
}

/* Asked once: CPUID leaves a virtual machine, which takes microseconds, and callers
 * draw noise by the block. */
unsigned aim_cpu_features(void)
{
    enum { ASKED = 1u << 30 };
    static atomic_uint known;
    unsigned features = atomic_load_explicit(&known, memory_order_relaxed);
    if (!features) {
        features = ask_cpu() | ASKED;
        atomic_store_explicit(&known, features, memory_order_relaxed);
    }
    return features & ~(unsigned)ASKED;
}
#elif defined(HAVE_ARM_KERNELS)
unsigned aim_cpu_features(void)
{
    return getauxval(AT_HWCAP) & HWCAP_ASIMDDP ? AIM_CPU_NEON_DOT : 0;
}
#else
unsigned aim_cpu_features(void)
{
    return 0;
}
#endif

uint64_t aim_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
