/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/input_statistics.h"

#include "base/float_bits.h"

#include <float.h>
#include <math.h>

enum {
    BIN_SHIFT = 16,                             /* leaves 7 bits of the fraction */
    FIRST_BIN = (127 - 24) << (23 - BIN_SHIFT), /* that of 2^-24 */
};

static int bin_of(float magnitude)
{
    int bin = (int)(aim_float_bits(magnitude) >> BIN_SHIFT) - FIRST_BIN;
    return bin < 0 ? 0 : bin < AIM_INPUT_BINS ? bin : AIM_INPUT_BINS - 1;
}

static float upper_edge(int bin)
{
    return aim_bits_float((uint32_t)(bin + 1 + FIRST_BIN) << BIN_SHIFT);
}

void aim__input_statistics_add(aim_input_statistics *s, const float *x, int n)
{
    for (int i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        if (!isfinite(magnitude))
            continue;
        s->bins[bin_of(magnitude)]++;
        s->n++;
        s->largest = magnitude > s->largest ? magnitude : s->largest;
        s->text_n++;
        s->text_sum += x[i];
        s->text_squares += (double)x[i] * x[i];
    }
}

/* As torch.std has it: unbiased. */
static double text_deviation(const aim_input_statistics *s)
{
    if (s->text_n < 2)
        return 0;
    double n = (double)s->text_n;
    double squares = s->text_squares - s->text_sum * s->text_sum / n;
    return squares > 0 ? sqrt(squares / (n - 1)) : 0;
}

void aim__input_statistics_end_text(aim_input_statistics *s)
{
    double deviation = text_deviation(s);
    if (deviation > 0) {
        double before = (double)s->n_deviations++;
        s->deviation = (s->deviation * before + deviation) / (before + 1);
    }
    s->text_n = 0;
    s->text_sum = s->text_squares = 0;
}

/* The upper edge of the first bin with the share q of all inputs in or before it. */
static float quantile(const aim_input_statistics *s, double q)
{
    double want = ceil(q * (double)s->n);
    uint64_t seen = 0;
    int bin = 0;
    while (bin < AIM_INPUT_BINS - 1 && (double)(seen += s->bins[bin]) < want)
        bin++;
    float edge = upper_edge(bin);
    /* The last bin has no edge. */
    return bin == AIM_INPUT_BINS - 1 || edge > s->largest ? s->largest : edge;
}

float aim__input_statistics_range(const aim_input_statistics *s, const aim_calibration *c)
{
    double range = s->largest;
    if (c->method == AIM_CALIBRATE_QUANTILE)
        range = quantile(s, c->value);
    else if (c->method == AIM_CALIBRATE_STD)
        range = c->value * s->deviation;
    if (range > FLT_MAX)
        range = FLT_MAX;
    return (float)range > 0 ? (float)range : 1.0f;
}
