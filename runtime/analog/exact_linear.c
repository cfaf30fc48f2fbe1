/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/exact_linear.h"

#include "analog/tiled_forward.h"

/* Products of two floats are exact in double, so this is the sum that any order
 * of float32 additions approaches; it is rounded to float32 once. */
static float dot(const float *weight, const float *x, int n)
{
    double sum = 0.0;
    for (int j = 0; j < n; j++)
        sum += (double)weight[j] * (double)x[j];
    return (float)sum;
}

static void exact_sums(const void *evaluator, const aim__tile_input *in, float *sum)
{
    const aim_tiled_linear *l = evaluator;
    for (int o = 0; o < l->out; o++) {
        const float *weight = l->weight + (size_t)o * (size_t)l->in + in->span.first;
        sum[o] = dot(weight, in->value, in->span.width);
    }
}

size_t aim_exact_scratch(const aim_tiled_linear *l)
{
    return aim__tiled_scratch(l);
}

void aim_exact_forward(const aim_tiled_linear *l, const float *x, int rows, float *y,
                       float *scratch, const aim_tile_trace *trace)
{
    aim__tiled_forward(l, exact_sums, l, x, rows, y, scratch, trace);
}
