/* SPDX-License-Identifier: Apache-2.0 */
/* readout.inc.h - from the exact sums of a tile to y: the one source of what
 * stands behind the integer products, compiled once an instruction set.
 *
 * Each step treats the channels of a panel one by one, in a loop of constant
 * length that compilers turn into vectors; v [16] is a panel on its way. */

#include "tensor/kernel_rows.h"

#include "tensor/converter.h"

#include <string.h>

/* What all register tiles of one call share. */
struct product {
    const aim_packed *w;
    const int8_t *x;
    size_t ldx;
    const float *x_step;
    const aim_adc *adc;
    bool first;
    float *y;
    size_t ldy;
};

/* Of one row and the channels of a panel; of two planes the first is the high one. */
struct sums {
    _Alignas(64) int32_t plane[AIM_MAX_PLANES][AIM_PANEL];
};

/* Two planes are exact in double, which is rounded once. */
static inline void sums_to_float(const struct sums *s, int planes, float *restrict v)
{
    if (planes == 1)
        for (int i = 0; i < AIM_PANEL; i++)
            v[i] = (float)s->plane[0][i];
    else
        for (int i = 0; i < AIM_PANEL; i++)
            v[i] = (float)(256.0 * (double)s->plane[0][i] + (double)s->plane[1][i]);
}

static inline void apply_steps(float *restrict v, float x_step, const float *restrict scale)
{
    for (int i = 0; i < AIM_PANEL; i++)
        v[i] *= x_step * scale[i];
}

static inline void multiply(float *restrict v, const float *restrict factor)
{
    for (int i = 0; i < AIM_PANEL; i++)
        v[i] *= factor[i];
}

static inline void add_noise(float *restrict v, const float *restrict noise, int channels)
{
    for (int i = 0; i < channels; i++)
        v[i] += noise[i];
}

/* full_scale, step [16] of an ADC whose bound follows the range of the row. */
static inline void scale_to_row(const aim_adc *adc, float row_factor, const float *restrict largest,
                                float *restrict full_scale, float *restrict step)
{
    for (int i = 0; i < AIM_PANEL; i++) {
        full_scale[i] = row_factor * largest[i];
        step[i] = aim_converter_step(adc->res, full_scale[i]);
    }
}

static inline void limit(float *restrict v, const float *restrict full_scale)
{
    for (int i = 0; i < AIM_PANEL; i++)
        v[i] = aim_limit(v[i], full_scale[i]);
}

static inline void round_to_codes(float *restrict v, const float *restrict full_scale,
                                  const float *restrict step)
{
    for (int i = 0; i < AIM_PANEL; i++)
        v[i] = aim_adc_value(aim_converter_code(v[i], step[i]), step[i], full_scale[i]);
}

/* The ADC of one row and the panel that begins with a channel. */
static inline void convert(const aim_adc *adc, int row, size_t channel, float *v)
{
    float row_full_scale[AIM_PANEL], row_step[AIM_PANEL];
    const float *full_scale = adc->full_scale ? adc->full_scale + channel : row_full_scale;
    const float *step = adc->full_scale ? adc->step + channel : row_step;
    if (!adc->full_scale)
        scale_to_row(adc, adc->row_factor[row], adc->largest + channel, row_full_scale, row_step);
    if (adc->kind == AIM_ADC_LIMIT)
        limit(v, full_scale);
    else
        round_to_codes(v, full_scale, step);
}

static inline void store(float *restrict y, const float *restrict v, int channels, bool first)
{
    for (int i = 0; i < channels; i++)
        y[i] = (first ? 0.0f : y[i]) + v[i];
}

/* One row and panel: y from its sums. */
static void read_out(const struct product *p, int row, int panel, const struct sums *s)
{
    const aim_adc *adc = p->adc;
    const size_t channel = (size_t)panel * AIM_PANEL;
    const int channels = aim__panel_channels(p->w, panel);
    float *y = p->y + (size_t)row * p->ldy + channel;
    float v[AIM_PANEL];
    sums_to_float(s, p->w->planes, v);
    apply_steps(v, p->x_step[row], p->w->scale + channel);
    if (adc->noise)
        add_noise(v, adc->noise + (size_t)row * adc->noise_stride + channel, channels);
    if (adc->kind != AIM_ADC_NONE)
        convert(adc, row, channel, v);
    if (adc->gain)
        multiply(v, adc->gain + channel);
    if (channels == AIM_PANEL)
        store(y, v, AIM_PANEL, p->first);
    else
        store(y, v, channels, p->first);
}
