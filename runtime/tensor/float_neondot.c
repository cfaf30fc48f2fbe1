/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "base/cpu.h"

#define NATIVE_LANES 4
#define ROW aim__kernels_neondot
#define ROW_NAME "neondot"
#define ROW_NEEDS AIM_CPU_NEON_DOT
#define ROW_MATMUL_TILE aim__matmul_tile_neondot
#include "tensor/float_kernels.inc.h"
