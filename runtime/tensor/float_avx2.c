/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "base/cpu.h"

#define NATIVE_LANES 8
#define ROW aim__kernels_avx2
#define ROW_NAME "avx2"
#define ROW_NEEDS AIM_CPU_AVX2
#define ROW_MATMUL_TILE aim__matmul_tile_avx2
#include "tensor/float_kernels.inc.h"
