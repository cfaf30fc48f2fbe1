/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "base/cpu.h"

#define NATIVE_LANES 16
#define ROW aim__kernels_avx512vnni
#define ROW_NAME "avx512vnni"
#define ROW_NEEDS AIM_CPU_AVX512_VNNI
#define ROW_MATMUL_TILE aim__matmul_tile_avx512vnni
#include "tensor/float_kernels.inc.h"
