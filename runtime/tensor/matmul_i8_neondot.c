/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for Arm's dot products (SDOT, of Armv8.2 on), which multiply
 * signed by signed bytes: 8-bit codes go in as they are, 4-bit codes as they are
 * stored, with 8 added, which is taken off at the end. */
#include "base/optimise.h"

#include "tensor/readout.inc.h"

#include <arm_neon.h>

enum { MAX_ROWS = 5 }; /* 20 sums; 4 of the 32 registers hold codes, 5 inputs */

typedef int32x4_t part;
typedef int8x16_t codes, inputs;

INLINE part zero_part(void)
{
    return vdupq_n_s32(0);
}

INLINE part add_part(part a, part b)
{
    return vaddq_s32(a, b);
}

INLINE void store_part(int32_t *to, part sum)
{
    vst1q_s32(to, sum);
}

INLINE codes load_codes(const int8_t *at)
{
    return vld1q_s8(at);
}

INLINE codes load_pairs(const int8_t *at)
{
    return vld1q_s8(at);
}

INLINE codes low_codes(codes pairs)
{
    return vandq_s8(pairs, vdupq_n_s8(15));
}

INLINE codes high_codes(codes pairs)
{
    return vreinterpretq_s8_u8(vshrq_n_u8(vreinterpretq_u8_s8(pairs), 4));
}

INLINE inputs load_inputs(const int8_t *x)
{
    return vld1q_s8(x);
}

/* The group is part of the instruction. */
INLINE part dot4(part sum, codes w, inputs x, const int group)
{
    switch (group) {
    case 0:
        return vdotq_laneq_s32(sum, w, x, 0);
    case 1:
        return vdotq_laneq_s32(sum, w, x, 1);
    case 2:
        return vdotq_laneq_s32(sum, w, x, 2);
    default:
        return vdotq_laneq_s32(sum, w, x, 3);
    }
}

#define GROUPS_AT_ONCE(rows, bits) 4
#include "tensor/panel_sums.inc.h"

#define OFFSET(bits) ((bits) == 8 ? 0 : 8)
#define KERNEL aim__matmul_tile_neondot
#define plane_sums panel_sums
#include "tensor/panel_tiles.inc.h"
