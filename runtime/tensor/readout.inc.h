/* SPDX-License-Identifier: Apache-2.0 */
/* readout.inc.h - from the exact sums of a tile to y: the one source of what
 * stands behind the integer products, compiled once an instruction set. */

#include "tensor/product.h"

#include "tensor/converter.h"

#include <string.h>

/* Rows of a panel that are to be read out, and what stands behind its channels:
 * arrays [16] that begin with its first one. */
struct readout {
    const struct product *product;
    int row, rows;
    const struct sums *sums; /* [rows] */
    size_t channel, bytes;   /* the first channel, and what those that exist take in y */
    const float *scale, *full_scale, *step, *largest, *gain;
    const float *bias; /* NULL: none */
};

/* The same for one row. What is not there is zeros or ones, so that the way of a
 * sum is one straight loop. */
struct row_readout {
    const struct sums *sums;
    float x_step, row_factor;
    const float *noise, *before;
};

static const float zeros[AIM_PANEL];
static const float unity[AIM_PANEL] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};

/* The flags of the functions below are constants where read_all_rows calls them: each
 * combination is a loop of its own, which compilers turn into vectors. */

/* Two planes are exact in double, which is rounded once. */
INLINE float sum_of(const struct sums *s, bool two_planes, int i)
{
    return two_planes ? (float)(256.0 * (double)s->plane[0][i] + (double)s->plane[1][i])
                      : (float)s->plane[0][i];
}

INLINE float convert(const struct readout *out, const struct row_readout *r, enum aim_adc_kind kind,
                     bool by_row, float v, int i)
{
    if (kind == AIM_ADC_NONE)
        return v;
    float full_scale = by_row ? r->row_factor * out->largest[i] : out->full_scale[i];
    if (kind == AIM_ADC_LIMIT)
        return aim_limit(v, full_scale);
    float step = by_row ? aim_converter_step(out->product->adc->res, full_scale) : out->step[i];
    return aim_adc_value(aim_converter_code(v, step), step, full_scale);
}

INLINE void read_row(const struct readout *out, const struct row_readout *r, bool two_planes,
                     enum aim_adc_kind kind, bool by_row, float *restrict y)
{
    for (int i = 0; i < AIM_PANEL; i++) {
        float v = sum_of(r->sums, two_planes, i) * (r->x_step * out->scale[i]) + r->noise[i];
        y[i] = r->before[i] + convert(out, r, kind, by_row, v, i) * out->gain[i];
    }
}

INLINE void add_row(const struct readout *out, const float *x, float *restrict sum)
{
    float padded[AIM_PANEL] = {0};
    memcpy(padded, x, out->bytes);
    for (int i = 0; i < AIM_PANEL; i++)
        sum[i] = padded[i] + sum[i];
}

/* The sums [16] of a row leave. */
INLINE void store_row(const struct readout *out, size_t row, float *sum)
{
    const aim_output *to = out->product->out;
    float *y = to->y + row * to->ldy + out->channel;
    if (out->bias)
        add_row(out, out->bias, sum);
    if (to->residual) {
        y = to->residual + row * to->ld_residual + out->channel;
        add_row(out, y, sum);
    }
    if (out->bytes == AIM_PANEL * sizeof(float))
        memcpy(y, sum, AIM_PANEL * sizeof(float));
    else
        memcpy(y, sum, out->bytes);
}

INLINE void read_rows(const struct readout *out, bool two_planes, enum aim_adc_kind kind,
                      bool by_row)
{
    const struct product *p = out->product;
    const aim_adc *adc = p->adc;
    const bool whole = out->bytes == AIM_PANEL * sizeof(float);
    float before[AIM_PANEL] = {0}, after[AIM_PANEL];
    for (int i = 0; i < out->rows; i++) {
        const size_t row = (size_t)(out->row + i);
        float *y = p->out->y + row * p->out->ldy + out->channel;
        struct row_readout r = {&out->sums[i], p->x_step[row], 0, zeros, zeros};
        if (by_row)
            r.row_factor = adc->row_factor[row];
        if (adc->noise)
            r.noise = adc->noise + row * adc->noise_stride + out->channel;
        if (!p->out->first)
            r.before = whole ? y : memcpy(before, y, out->bytes);
        read_row(out, &r, two_planes, kind, by_row, after);
        store_row(out, row, after);
    }
}

#include "tensor/readout_kinds.inc.h"

static inline const float *from(const float *channels, size_t channel)
{
    return channels ? channels + channel : NULL;
}

/* y of some rows of a panel from their sums [rows]. */
static void read_out(const struct product *p, int panel, int row, int rows, const struct sums *sums)
{
    const aim_adc *adc = p->adc;
    const size_t channel = (size_t)panel * AIM_PANEL;
    const struct readout out = {
        .product = p,
        .row = row,
        .rows = rows,
        .sums = sums,
        .channel = channel,
        .bytes = (size_t)aim__panel_channels(p->w, panel) * sizeof(float),
        .scale = p->w->scale + channel,
        .full_scale = from(adc->full_scale, channel),
        .step = from(adc->step, channel),
        .largest = from(adc->largest, channel),
        .gain = adc->gain ? adc->gain + channel : unity,
        .bias = from(p->out->bias, channel),
    };
    read_all_rows(&out);
}
