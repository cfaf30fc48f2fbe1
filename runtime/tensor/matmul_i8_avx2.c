/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel for AVX2.
 *
 * VPMADDUBSW multiplies unsigned by signed bytes and saturates sums of two
 * products to 16 bits. |w| goes in as the unsigned side and x with the sign of
 * w as the signed side; 2 * 128 * 127 = 32512 stays below 32768, so with x in
 * [-127, 127] nothing saturates, even for w = -128. */
#include "base/optimise.h"

#include "tensor/kernel_rows.h"

#include <immintrin.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))

enum {
    MAX_ROWS = 4, /* rows of the largest register tile: 8 accumulators of 16 registers */
    MAX_UNROLL = 2,
    PREFETCH = 2048, /* bytes ahead */
};

/* What every tile of one call shares. */
struct call {
    const aim_packed *w;
    const int8_t *x;
    size_t ldx;
    const float *x_scale;
    float *y;
    size_t ldy;
};

/* The sums of one row for the 16 channels of a panel. */
struct sums {
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

INLINE __m256 scaled(__m256i sums, __m256 x_scale, const float *scale)
{
    return _mm256_mul_ps(_mm256_cvtepi32_ps(sums), _mm256_mul_ps(x_scale, _mm256_loadu_ps(scale)));
}

INLINE void store_panel(const struct call *c, int row, int panel, struct sums sums)
{
    const float *scale = c->w->scale + panel * AIM_PANEL;
    __m256 x_scale = _mm256_set1_ps(c->x_scale[row]);
    float out[AIM_PANEL];
    _mm256_storeu_ps(out, scaled(sums.lo, x_scale, scale));
    _mm256_storeu_ps(out + 8, scaled(sums.hi, x_scale, scale + 8));
    memcpy(c->y + (size_t)row * c->ldy + (size_t)panel * AIM_PANEL, out,
           (size_t)aim__panel_channels(c->w, panel) * sizeof out[0]);
}

/* `rows` rows by one panel; `unroll` groups at a time, each with sums of its
 * own, so that few rows keep the multipliers busy too. */
INLINE void panel_tile(const struct call *c, int row, int panel, const int rows, const int unroll)
{
    struct sums acc[MAX_ROWS][MAX_UNROLL];
    for (int r = 0; r < rows; r++)
        for (int u = 0; u < unroll; u++)
            acc[r][u] = (struct sums){_mm256_setzero_si256(), _mm256_setzero_si256()};
    const int8_t *codes = aim__panel(c->w, panel);
    const int8_t *x = c->x + (size_t)row * c->ldx;
    for (int k = 0; k < c->w->in_padded; k += AIM_K_GROUP * unroll)
        for (int u = 0; u < unroll; u++) {
            _mm_prefetch((const char *)((uintptr_t)codes + PREFETCH), _MM_HINT_T0);
            __m256i lo = _mm256_loadu_si256((const __m256i *)codes);
            __m256i hi = _mm256_loadu_si256((const __m256i *)(codes + 32));
            __m256i abs_lo = _mm256_abs_epi8(lo), abs_hi = _mm256_abs_epi8(hi);
            codes += AIM__PANEL_ROW;
            for (int r = 0; r < rows; r++) {
                __m256i group = broadcast_group(x + (size_t)r * c->ldx + k + u * AIM_K_GROUP);
                acc[r][u].lo = dot4(acc[r][u].lo, lo, abs_lo, group);
                acc[r][u].hi = dot4(acc[r][u].hi, hi, abs_hi, group);
            }
        }
    for (int r = 0; r < rows; r++) {
        for (int u = 1; u < unroll; u++) {
            acc[r][0].lo = _mm256_add_epi32(acc[r][0].lo, acc[r][u].lo);
            acc[r][0].hi = _mm256_add_epi32(acc[r][0].hi, acc[r][u].hi);
        }
        store_panel(c, row + r, panel, acc[r][0]);
    }
}

/* The tile with its size made a constant. */
static void tile(const struct call *c, int row, int panel, int rows)
{
    switch (rows) {
    case 1:
        panel_tile(c, row, panel, 1, 2);
        break;
    case 2:
        panel_tile(c, row, panel, 2, 2);
        break;
    case 3:
        panel_tile(c, row, panel, 3, 1);
        break;
    default:
        panel_tile(c, row, panel, 4, 1);
        break;
    }
}

void aim__matmul_i8_avx2(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
                         const float *x_scale, int rows, float *y, size_t ldy)
{
    const struct call c = {w, x, ldx, x_scale, y, ldy};
    int tiles = (rows + MAX_ROWS - 1) / MAX_ROWS;
    for (int p = panel0; p < panel1; p++)
        for (int t = 0; t < tiles; t++) {
            int row = (int)((int64_t)rows * t / tiles);
            int end = (int)((int64_t)rows * (t + 1) / tiles);
            tile(&c, row, p, end - row);
        }
}
