/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "base/cpu.h"

#define ROW aim__noise_avx512
#define ROW_NAME "avx512"
#define ROW_NEEDS AIM_CPU_AVX512_VNNI
#include "analog/noise_loops.inc.h"
