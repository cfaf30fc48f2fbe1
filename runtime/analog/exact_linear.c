/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/exact_linear.h"

#include "analog/read_noise.h"
#include "analog/tiled_forward.h"

#include <math.h>

/* Products of two floats are exact in double, so this is the sum that any order
 * of float32 additions approaches; it is rounded to float32 once. */
static float dot(const float *weight, const float *x, int n)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++)
        sum += (double)weight[j] * (double)x[j];
    return (float)sum;
}

/* One call, and where it keeps what the noise of a row is made from. */
struct exact_call {
    const aim_tiled_linear *l;
    const aim_read_noise_source *noise; /* or NULL */
    float *spread, *normals;            /* [out] */
    int8_t *code;                       /* [width of the widest tile] */
};

/* sum over j of |weight[j]| x[j]^2 */
static float spread_of(const float *weight, const float *x, int n)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++)
        sum += fabs((double)weight[j]) * (double)x[j] * (double)x[j];
    return (float)sum;
}

static void add_noise(const struct exact_call *call, const aim__tile_input *in, float *sum)
{
    const aim_tiled_linear *l = call->l;
    aim_tile_drive drive = {
        .layer = call->noise->layer,
        .tile = in->tile,
        .range = in->range,
        .step = aim__integer_codes(in, call->code) ? in->step : NAN,
        .codes = call->code,
        .width = in->span.width,
    };
    bool by_weights = call->noise->profile->read_noise == AIM_READ_NOISE_WEIGHTS;
    for (int o = 0; by_weights && o < l->out; o++)
        call->spread[o] = spread_of(l->weight + (size_t)o * (size_t)l->in + in->span.first,
                                    in->value, in->span.width);
    aim_read_noise_add(call->noise->profile, &call->noise->rows[in->row], &drive, 0, l->out,
                       l->largest + (size_t)in->tile * (size_t)l->out,
                       by_weights ? call->spread : NULL, sum, call->normals);
}

static void exact_sums(const void *evaluator, const aim__tile_input *in, float *sum)
{
    const struct exact_call *call = evaluator;
    const aim_tiled_linear *l = call->l;
    for (int o = 0; o < l->out; o++) {
        const float *weight = l->weight + (size_t)o * (size_t)l->in + in->span.first;
        sum[o] = dot(weight, in->value, in->span.width);
    }
    if (call->noise)
        add_noise(call, in, sum);
}

static size_t code_floats(const aim_tiled_linear *l)
{
    return ((size_t)aim_tiled_linear_span(l, 0).width + sizeof(float) - 1) / sizeof(float);
}

size_t aim_exact_scratch(const aim_tiled_linear *l)
{
    return aim__tiled_scratch(l) + 2 * (size_t)l->out + code_floats(l);
}

void aim_exact_forward(const aim_tiled_linear *l, const float *x, int rows, float *y,
                       float *scratch, const aim_tile_trace *trace)
{
    aim_exact_forward_noisy(l, NULL, x, rows, y, scratch, trace);
}

void aim_exact_forward_noisy(const aim_tiled_linear *l, const aim_read_noise_source *noise,
                             const float *x, int rows, float *y, float *scratch,
                             const aim_tile_trace *trace)
{
    struct exact_call call = {.l = l, .noise = noise, .spread = scratch};
    call.normals = call.spread + l->out;
    call.code = (int8_t *)(call.normals + l->out);
    float *rest = call.normals + l->out + code_floats(l);
    aim__tiled_forward(l, exact_sums, &call, x, rows, y, rest, trace);
}
