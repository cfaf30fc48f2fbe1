/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/cpu.h"

#include <time.h>

unsigned aim_cpu_features(void)
{
    unsigned features = 0;
#ifdef HAVE_X86_KERNELS
    __builtin_cpu_init(); /* also asks XGETBV whether the system saves the registers */
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        features |= AIM_CPU_AVX2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512vnni"))
        features |= AIM_CPU_AVX512_VNNI;
#endif
    return features;
}

uint64_t aim_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
