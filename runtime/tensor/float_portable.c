/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#define NATIVE_LANES 4
#define ROW aim__kernels_portable
#define ROW_NAME "portable"
#define ROW_NEEDS 0
#define ROW_MATMUL_TILE aim__matmul_tile_portable
#include "tensor/float_kernels.inc.h"
