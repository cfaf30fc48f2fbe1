/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "base/cpu.h"

#define NATIVE_LANES 8
#define ROW aim__kernels_avxvnni
#define ROW_NAME "avxvnni"
#define ROW_NEEDS (AIM_CPU_AVX2 | AIM_CPU_AVX_VNNI)
#define ROW_MATMUL_TILE aim__matmul_tile_avxvnni
#include "tensor/float_kernels.inc.h"
