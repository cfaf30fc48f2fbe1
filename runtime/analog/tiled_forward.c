/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/tiled_forward.h"

#include "analog/converter.h"

#include <string.h>

/* One row on its way; where its readings are recorded. */
struct passage {
    const aim_tiled_linear *layer;
    const aim_tile_trace *trace; /* or NULL */
    int row, rows;
    float *code, *value; /* [width of the widest tile, the first] */
    float *sum;          /* [out] */
};

static size_t widest(const aim_tiled_linear *l)
{
    return (size_t)aim_tiled_linear_span(l, 0).width;
}

size_t aim__tiled_scratch(const aim_tiled_linear *l)
{
    return 2 * widest(l) + (size_t)l->out;
}

static void record(float *into, size_t index, float value)
{
    if (into)
        into[index] = value;
}

static float range_of(const aim_tiled_linear *l, int tile, const float *x, int width)
{
    switch (l->settings.input_range) {
    case AIM_RANGE_STATIC:
        return l->input_range[tile];
    case AIM_RANGE_DYNAMIC:
        return aim_max_abs(x, width);
    case AIM_RANGE_NONE:
        break;
    }
    return 0.0f;
}

/* Inputs are limited first and rounded then; a dynamic range limits nothing. */
static void limit_inputs(const aim_tiled_linear *l, const float *x, int width, float range,
                         float *value)
{
    for (int j = 0; j < width; j++)
        value[j] = l->settings.input_range == AIM_RANGE_STATIC ? aim_limit(x[j], range) : x[j];
}

static void round_inputs(struct passage *p, const aim__tile_input *in)
{
    size_t traced = (size_t)p->row * (size_t)p->layer->in + (size_t)in->span.first;
    for (int j = 0; j < in->span.width; j++) {
        p->code[j] = aim_converter_code(p->value[j], in->step);
        p->value[j] = p->code[j] * in->step;
        if (p->trace)
            record(p->trace->dac_code, traced + (size_t)j, p->code[j]);
    }
}

/* The DAC: x [in] is the whole row. */
static aim__tile_input drive_tile(struct passage *p, int tile, const float *x)
{
    const aim_tiled_linear *l = p->layer;
    aim__tile_input in = {.row = p->row, .tile = tile, .span = aim_tiled_linear_span(l, tile)};
    in.code = p->code;
    in.value = p->value;
    in.range = range_of(l, tile, x + in.span.first, in.span.width);
    limit_inputs(l, x + in.span.first, in.span.width, in.range, p->value);
    if (l->settings.inp_res > 0) {
        in.step = aim_converter_step(l->settings.inp_res, in.range);
        round_inputs(p, &in);
    }
    return in;
}

/* On its way through the ADC. */
struct reading {
    float sum, full_scale, step, code;
};

static void record_reading(const struct passage *p, int tile, int channel, const struct reading *r)
{
    if (!p->trace)
        return;
    size_t row = (size_t)tile * (size_t)p->rows + (size_t)p->row;
    size_t index = row * (size_t)p->layer->out + (size_t)channel;
    record(p->trace->adc_input, index, r->sum);
    record(p->trace->adc_bound, index, r->full_scale);
    if (p->layer->settings.out_res > 0) {
        record(p->trace->adc_step, index, r->step);
        record(p->trace->adc_code, index, r->code);
    }
}

bool aim__integer_codes(const aim__tile_input *in, int8_t *code)
{
    bool finite = true;
    for (int j = 0; j < in->span.width; j++) {
        bool is_code = fabsf(in->code[j]) <= AIM_MAX_INTEGER_STEPS / 2;
        code[j] = is_code ? (int8_t)in->code[j] : 0;
        finite = finite && is_code;
    }
    return finite;
}

/* The ADC of one channel. */
static float read_channel(const struct passage *p, const aim__tile_input *in, int channel)
{
    const aim_tile_settings *s = &p->layer->settings;
    struct reading r = {.sum = p->sum[channel]};
    if (s->out_bound <= 0)
        return r.sum;
    float largest = p->layer->largest[(size_t)in->tile * (size_t)p->layer->out + (size_t)channel];
    r.full_scale = aim_adc_full_scale(in->range, s->out_bound, largest);
    float value = aim_limit(r.sum, r.full_scale);
    if (s->out_res > 0) {
        r.step = aim_converter_step(s->out_res, r.full_scale);
        r.code = aim_converter_code(r.sum, r.step);
        value = aim_adc_value(r.code, r.step, r.full_scale);
    }
    record_reading(p, in->tile, channel, &r);
    return value;
}

static float gain_of(const aim_tiled_linear *l, int tile, int channel)
{
    return l->gain ? l->gain[(size_t)tile * (size_t)l->out + (size_t)channel] : 1.0f;
}

static void forward_row(struct passage *p, aim__channel_sums_fn *sums, const void *evaluator,
                        const float *x, float *y)
{
    const aim_tiled_linear *l = p->layer;
    memset(y, 0, (size_t)l->out * sizeof *y);
    for (int t = 0; t < l->tiles; t++) {
        aim__tile_input in = drive_tile(p, t, x);
        sums(evaluator, &in, p->sum);
        for (int o = 0; o < l->out; o++)
            y[o] += read_channel(p, &in, o) * gain_of(l, t, o);
    }
    for (int o = 0; l->bias && o < l->out; o++)
        y[o] += l->bias[o];
}

void aim__tiled_forward(const aim_tiled_linear *l, aim__channel_sums_fn *sums,
                        const void *evaluator, const float *x, int rows, float *y, float *scratch,
                        const aim_tile_trace *trace)
{
    struct passage p = {.layer = l, .trace = trace, .rows = rows};
    p.code = scratch;
    p.value = p.code + widest(l);
    p.sum = p.value + widest(l);
    for (p.row = 0; p.row < rows; p.row++)
        forward_row(&p, sums, evaluator, x + (size_t)p.row * (size_t)l->in,
                    y + (size_t)p.row * (size_t)l->out);
}
