/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX-VNNI: VPDPBUSD on registers of 256 bits, of CPUs without
 * AVX-512.
 *
 * It multiplies unsigned by signed bytes. 8-bit codes are made unsigned by adding 128
 * (flipping the top bit), once a load whatever the number of rows; 4-bit codes are
 * stored unsigned. What that adds is taken off at the end. */
#include "base/optimise.h"

#include "tensor/readout.inc.h"

#include <immintrin.h>

/* The same instruction has another encoding where there is AVX-512. */
#ifndef DOT_BYTES
#define DOT_BYTES _mm256_dpbusd_avx_epi32
#endif

enum { MAX_ROWS = 6 }; /* 12 sums; 4 of the 16 registers are left for codes and inputs */

#include "tensor/registers_avx2.inc.h"

INLINE codes load_codes(const int8_t *at)
{
    return _mm256_xor_si256(load_pairs(at), _mm256_set1_epi8((char)0x80));
}

INLINE part dot4(part sum, codes w, inputs x, const int group)
{
    return DOT_BYTES(sum, w, broadcast_group(x, group));
}

#define GROUPS_AT_ONCE(rows, bits) 4
#include "tensor/panel_sums.inc.h"

#define OFFSET(bits) ((bits) == 8 ? 128 : 8)
#define KERNEL aim__matmul_tile_avxvnni
#define plane_sums panel_sums
#include "tensor/panel_tiles.inc.h"
