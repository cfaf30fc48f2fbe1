/* SPDX-License-Identifier: Apache-2.0 */
/* cpu.h - what the CPU offers, and the clock. */
#ifndef AIM_BASE_CPU_H
#define AIM_BASE_CPU_H

#include <stdint.h>

enum aim_cpu_feature {
    AIM_CPU_AVX2 = 1u << 0,        /* with FMA3 and F16C, as every AVX2 machine has */
    AIM_CPU_AVX512_VNNI = 1u << 1, /* with F, BW, DQ, VL */
    AIM_CPU_AVX_VNNI = 1u << 2,    /* with AVX2 */
    AIM_CPU_NEON_DOT = 1u << 3,    /* the dot products of Armv8.2 */
};

/* Bits of enum aim_cpu_feature. */
unsigned aim_cpu_features(void);

/* Monotonic time in nanoseconds. */
uint64_t aim_now_ns(void);

#endif
