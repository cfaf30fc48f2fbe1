/* SPDX-License-Identifier: Apache-2.0 */
/* readout_avx512.inc.h - what readout.inc.h defines, a panel's sixteen channels to a
 * register. With tiles of few inputs at few rows the readout weighs as much as the
 * products do, so that what belongs to a channel is loaded once for all rows.
 *
 * VMINPS and VMAXPS return their second operand unless the first one is less or
 * greater: with the value as the second they are the comparisons of converter.h,
 * NaN included. */
#include "tensor/product.h"

#include <float.h>
#include <immintrin.h>

/* Rows of a panel that are to be read out, and what stands behind its channels. */
struct readout {
    const struct product *product;
    int row, rows;
    const struct sums *sums; /* [rows] */
    size_t channel;          /* the first one */
    __mmask16 exists;        /* channels that y has */
    __m512 scale, gain, bias;
    __m512 full_scale, step; /* of inputs of one range for all rows */
    __m512 largest;          /* of inputs of a range of each row's own */
};

/* The flags of the functions below are constants where read_all_rows calls them. */

/* Two planes are exact in double, which is rounded once. */
INLINE __m256 joined(const int32_t *high, const int32_t *low)
{
    __m512d h = _mm512_cvtepi32_pd(_mm256_load_si256((const __m256i *)high));
    __m512d l = _mm512_cvtepi32_pd(_mm256_load_si256((const __m256i *)low));
    return _mm512_cvtpd_ps(_mm512_add_pd(_mm512_mul_pd(h, _mm512_set1_pd(256.0)), l));
}

INLINE __m512 sum_of(const struct sums *s, bool two_planes)
{
    if (!two_planes)
        return _mm512_cvtepi32_ps(_mm512_load_si512(s->plane[0]));
    __m512 first = _mm512_castps256_ps512(joined(s->plane[0], s->plane[1]));
    return _mm512_insertf32x8(first, joined(s->plane[0] + 8, s->plane[1] + 8), 1);
}

INLINE __m512 limit(__m512 v, __m512 bound)
{
    __m512 minus = _mm512_xor_ps(bound, _mm512_set1_ps(-0.0f));
    return _mm512_max_ps(minus, _mm512_min_ps(bound, v));
}

INLINE __m512 converter_step(double res, __m512 bound)
{
    __m512 whole = _mm512_mul_ps(_mm512_set1_ps(2.0f), bound), by = _mm512_set1_ps((float)res);
    return res > 1.0 ? _mm512_div_ps(whole, by) : _mm512_mul_ps(whole, by);
}

INLINE __m512 convert(const struct readout *out, size_t row, enum aim_adc_kind kind, bool by_row,
                      __m512 v)
{
    const aim_adc *adc = out->product->adc;
    if (kind == AIM_ADC_NONE)
        return v;
    __m512 full_scale = out->full_scale, step = out->step;
    if (by_row)
        full_scale = _mm512_mul_ps(_mm512_set1_ps(adc->row_factor[row]), out->largest);
    if (kind == AIM_ADC_LIMIT)
        return limit(v, full_scale);
    if (by_row)
        step = converter_step(adc->res, full_scale);
    __m512 code = _mm512_div_ps(v, _mm512_max_ps(_mm512_set1_ps(FLT_MIN), step));
    code = _mm512_roundscale_ps(code, _MM_FROUND_CUR_DIRECTION);
    return limit(_mm512_mul_ps(code, step), full_scale);
}

/* The sum of a row's readings leaves. */
INLINE void store_row(const struct readout *out, size_t row, __m512 sum)
{
    const aim_output *to = out->product->out;
    float *y = to->y + row * to->ldy + out->channel;
    if (to->bias)
        sum = _mm512_add_ps(out->bias, sum);
    if (to->residual) {
        y = to->residual + row * to->ld_residual + out->channel;
        sum = _mm512_add_ps(_mm512_maskz_loadu_ps(out->exists, y), sum);
    }
    _mm512_mask_storeu_ps(y, out->exists, sum);
}

INLINE void read_rows(const struct readout *out, bool two_planes, enum aim_adc_kind kind,
                      bool by_row)
{
    const struct product *p = out->product;
    const aim_adc *adc = p->adc;
    for (int i = 0; i < out->rows; i++) {
        const size_t row = (size_t)(out->row + i);
        __m512 noise = _mm512_setzero_ps(), before = _mm512_setzero_ps();
        if (adc->noise)
            noise = _mm512_loadu_ps(adc->noise + row * adc->noise_stride + out->channel);
        if (!p->out->first)
            before =
                _mm512_maskz_loadu_ps(out->exists, p->out->y + row * p->out->ldy + out->channel);
        __m512 scale = _mm512_mul_ps(_mm512_set1_ps(p->x_step[row]), out->scale);
        __m512 v = _mm512_add_ps(_mm512_mul_ps(sum_of(&out->sums[i], two_planes), scale), noise);
        v = _mm512_mul_ps(convert(out, row, kind, by_row, v), out->gain);
        store_row(out, row, _mm512_add_ps(before, v));
    }
}

#include "tensor/readout_kinds.inc.h"

/* What an array of channels says about those that y has, `missing` without one. */
INLINE __m512 of_channels(const struct readout *out, const float *channels, float missing)
{
    __m512 without = _mm512_set1_ps(missing);
    return channels ? _mm512_mask_loadu_ps(without, out->exists, channels + out->channel) : without;
}

/* y of some rows of a panel from their sums [rows]. Not inlined: one copy serves tiles of
 * all sizes. */
__attribute__((noinline)) static void read_out(const struct product *p, int panel, int row,
                                               int rows, const struct sums *sums)
{
    struct readout out = {
        .product = p,
        .row = row,
        .rows = rows,
        .sums = sums,
        .channel = (size_t)panel * AIM_PANEL,
        .exists = (__mmask16)((1u << aim__panel_channels(p->w, panel)) - 1),
    };
    out.scale = of_channels(&out, p->w->scale, 0);
    out.gain = of_channels(&out, p->adc->gain, 1);
    out.bias = of_channels(&out, p->out->bias, 0);
    out.full_scale = of_channels(&out, p->adc->full_scale, 0);
    out.step = of_channels(&out, p->adc->step, 0);
    out.largest = of_channels(&out, p->adc->largest, 0);
    read_all_rows(&out);
}
