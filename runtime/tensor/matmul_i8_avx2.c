/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX2.
 *
 * VPMADDUBSW multiplies unsigned by signed bytes and saturates sums of two
 * products to 16 bits. |w| goes in as the unsigned side and x with the sign of
 * w as the signed side; 2 * 128 * 127 = 32512 stays below 32768, so with x in
 * [-127, 127] nothing saturates, even for w = -128. */
#include "base/optimise.h"

#include "tensor/readout.inc.h"

#include <immintrin.h>

enum {
    MAX_ROWS = 4, /* rows of the largest register tile: 8 accumulators of 16 registers */
    MAX_UNROLL = 2,
    PREFETCH = 2048, /* bytes ahead */
};

/* Sums of one row for the 16 channels of a panel, on their way. */
struct accumulator {
    __m256i lo, hi;
};

INLINE __m256i broadcast_group(const int8_t *x)
{
    int32_t group;
    memcpy(&group, x, sizeof group);
    return _mm256_set1_epi32(group);
}

/* acc += dot products of four codes with four inputs, in each 32-bit lane. */
INLINE __m256i dot4(__m256i acc, __m256i w, __m256i magnitude, __m256i x)
{
    __m256i pairs = _mm256_maddubs_epi16(magnitude, _mm256_sign_epi8(x, w));
    return _mm256_add_epi32(acc, _mm256_madd_epi16(pairs, _mm256_set1_epi16(1)));
}

INLINE struct accumulator add(struct accumulator a, struct accumulator b)
{
    return (struct accumulator){_mm256_add_epi32(a.lo, b.lo), _mm256_add_epi32(a.hi, b.hi)};
}

/* One plane of a panel by `rows` rows; `unroll` groups at a time, each with sums
 * of its own, so that few rows keep the multipliers busy too. */
INLINE void plane_sums(const int8_t *codes, const int8_t *x, size_t ldx, int in_padded,
                       const int rows, const int unroll, struct accumulator *sums)
{
    struct accumulator acc[MAX_ROWS][MAX_UNROLL];
    for (int r = 0; r < rows; r++)
        for (int u = 0; u < unroll; u++)
            acc[r][u] = (struct accumulator){_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int k = 0; k < in_padded; k += AIM_K_GROUP * unroll)
        for (int u = 0; u < unroll; u++) {
            _mm_prefetch((const char *)((uintptr_t)codes + PREFETCH), _MM_HINT_T0);
            __m256i lo = _mm256_loadu_si256((const __m256i *)codes);
            __m256i hi = _mm256_loadu_si256((const __m256i *)(codes + 32));
            __m256i abs_lo = _mm256_abs_epi8(lo), abs_hi = _mm256_abs_epi8(hi);
            codes += AIM__PANEL_ROW;
            for (int r = 0; r < rows; r++) {
                __m256i group = broadcast_group(x + (size_t)r * ldx + k + u * AIM_K_GROUP);
                acc[r][u].lo = dot4(acc[r][u].lo, lo, abs_lo, group);
                acc[r][u].hi = dot4(acc[r][u].hi, hi, abs_hi, group);
            }
        }
    for (int r = 0; r < rows; r++) {
        sums[r] = acc[r][0];
        for (int u = 1; u < unroll; u++)
            sums[r] = add(sums[r], acc[r][u]);
    }
}

INLINE void panel_tile(const struct product *p, int row, int panel, const int rows,
                       const int unroll)
{
    struct sums sums[MAX_ROWS];
    for (int plane = 0; plane < aim_packed_planes(p->w); plane++) {
        struct accumulator acc[MAX_ROWS];
        plane_sums(aim__plane(p->w, panel, plane), p->x + (size_t)row * p->ldx, p->ldx,
                   p->w->in_padded, rows, unroll, acc);
        for (int r = 0; r < rows; r++)
            memcpy(sums[r].plane[plane], &acc[r], sizeof acc[r]);
    }
    read_out(p, panel, row, rows, sums);
}

/* The tile with its size made a constant. */
static void tile(const struct product *p, int row, int panel, int rows)
{
    switch (rows) {
    case 1:
        panel_tile(p, row, panel, 1, 2);
        break;
    case 2:
        panel_tile(p, row, panel, 2, 2);
        break;
    case 3:
        panel_tile(p, row, panel, 3, 1);
        break;
    default:
        panel_tile(p, row, panel, 4, 1);
        break;
    }
}

void aim__matmul_tile_avx2(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
                           const float *x_step, int rows, const aim_adc *adc, const aim_output *out)
{
    if (w->bits == 4) {
        aim__matmul_tile_portable(w, panel0, panel1, x, ldx, x_step, rows, adc, out);
        return;
    }
    const struct product product = {w, x, ldx, x_step, adc, out};
    int tiles = (rows + MAX_ROWS - 1) / MAX_ROWS;
    for (int p = panel0; p < panel1; p++)
        for (int t = 0; t < tiles; t++) {
            int row = (int)((int64_t)rows * t / tiles);
            int end = (int)((int64_t)rows * (t + 1) / tiles);
            tile(&product, row, p, end - row);
        }
}
