/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX2.
 *
 * VPMADDUBSW multiplies unsigned by signed bytes and saturates sums of two
 * products to 16 bits. |w| goes in as the unsigned side and x with the sign of
 * w as the signed side; 2 * 128 * 127 = 32512 stays below 32768, so with x in
 * [-127, 127] nothing saturates, even for w = -128.
 *
 * 4-bit codes are stored unsigned, 0 to 15, and need no signs: what that adds is taken
 * off at the end. Sums of 16 of their products stay within 16 bits, so they are
 * widened to 32 only every eighth time. */
#include "base/optimise.h"

#include "tensor/readout.inc.h"

#include <immintrin.h>

enum {
    MAX_ROWS = 4,      /* 8 sums; the other registers hold codes, |codes|, inputs and ones */
    NARROW_GROUPS = 8, /* groups of 4-bit codes that are added up in 16 bits */
};

#include "tensor/registers_avx2.inc.h"

INLINE codes load_codes(const int8_t *at)
{
    return load_pairs(at);
}

/* Sums of two neighbours, in 32 bits. */
INLINE part widen(__m256i sums)
{
    return _mm256_madd_epi16(sums, _mm256_set1_epi16(1));
}

INLINE part dot4(part sum, codes w, inputs x, const int group)
{
    __m256i signed_x = _mm256_sign_epi8(broadcast_group(x, group), w);
    return add_part(sum, widen(_mm256_maddubs_epi16(_mm256_abs_epi8(w), signed_x)));
}

#define GROUPS_AT_ONCE(rows, bits) ((rows) < 3 ? 4 : 1)
#include "tensor/panel_sums.inc.h"

/* sums[r * PARTS + i] of 16 bits += products of two groups of 4-bit codes at `at`. */
INLINE void add_narrow(__m256i *sums, const int8_t *at, const int8_t *x, size_t ldx, const int rows)
{
    codes low[PARTS], high[PARTS];
    prefetch(at);
    for (int i = 0; i < (int)PARTS; i++) {
        codes pairs = load_pairs(at + i * (int)sizeof(part));
        low[i] = low_codes(pairs);
        high[i] = high_codes(pairs);
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < (int)PARTS; i++) {
            const int8_t *row = x + (size_t)r * ldx;
            __m256i *sum = sums + r * (int)PARTS + i;
            *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(low[i], broadcast_group(row, 0)));
            *sum = _mm256_add_epi16(*sum, _mm256_maddubs_epi16(high[i], broadcast_group(row, 1)));
        }
}

/* A panel of 4-bit codes by `rows` rows. */
INLINE void narrow_panel_sums(const int8_t *at, const int8_t *x, size_t ldx, int in_padded,
                              const int rows, struct sums *sums)
{
    part acc[MAX_ROWS * PARTS];
    for (int i = 0; i < rows * (int)PARTS; i++)
        acc[i] = zero_part();
    for (int k = 0; k < in_padded; k += NARROW_GROUPS * AIM_K_GROUP) {
        __m256i narrow[MAX_ROWS * PARTS];
        for (int i = 0; i < rows * (int)PARTS; i++)
            narrow[i] = zero_part();
#pragma GCC unroll 1
        for (int g = 0; g < NARROW_GROUPS; g += 2, at += AIM__PANEL_ROW)
            add_narrow(narrow, at, x + k + g * AIM_K_GROUP, ldx, rows);
        for (int i = 0; i < rows * (int)PARTS; i++)
            acc[i] = add_part(acc[i], widen(narrow[i]));
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < (int)PARTS; i++)
            store_part(sums[r].plane[0] + i * (AIM_PANEL / (int)PARTS), acc[r * (int)PARTS + i]);
}

INLINE void plane_sums(const int8_t *at, const int8_t *x, size_t ldx, int in_padded, const int bits,
                       const int rows, int plane, struct sums *sums)
{
    if (bits == 8)
        panel_sums(at, x, ldx, in_padded, bits, rows, plane, sums);
    else
        narrow_panel_sums(at, x, ldx, in_padded, rows, sums);
}

#define OFFSET(bits) ((bits) == 8 ? 0 : 8)
#define KERNEL aim__matmul_tile_avx2
#include "tensor/panel_tiles.inc.h"
