/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/tile_weights.h"

#include "analog/converter.h"

static float *row_of(const aim_weight_window *w, int channel)
{
    return w->weight + (size_t)channel * w->stride;
}

void aim_largest_weights(const aim_weight_window *w, bool per_channel, float *largest)
{
    for (int o = 0; o < w->out; o++)
        largest[o] = aim_max_abs(row_of(w, o), w->width);
    if (per_channel)
        return;
    float all = aim_max_abs(largest, w->out);
    for (int o = 0; o < w->out; o++)
        largest[o] = all;
}

static bool all_above_one(const float *v, int n)
{
    for (int i = 0; i < n; i++)
        if (!(v[i] > 1.0f))
            return false;
    return true;
}

void aim_clip_learned(const aim_weight_window *w, const float *clip)
{
    bool reciprocal = all_above_one(clip, w->out);
    for (int o = 0; o < w->out; o++) {
        float limit = reciprocal ? 1.0f / clip[o] : clip[o];
        if (limit == 0.0f)
            limit = 1.0f;
        float *row = row_of(w, o);
        for (int j = 0; j < w->width; j++)
            row[j] = aim_limit(row[j] / fmaxf(limit, FLT_MIN), 1.0f) * limit;
    }
}

static void round_row(float *row, int width, float step, float largest_code)
{
    if (step == 0.0f)
        step = 1.0f;
    for (int j = 0; j < width; j++)
        row[j] = rintf(aim_limit(row[j] / fmaxf(step, FLT_MIN), largest_code)) * step;
}

void aim_discretize(const aim_weight_window *w, const float *largest, double res)
{
    double steps = fmax(res, 1.0 / res);
    bool reciprocal = true;
    for (int o = 0; o < w->out; o++)
        reciprocal = reciprocal && largest[o] / (float)steps > 1.0f;
    for (int o = 0; o < w->out; o++) {
        float half = largest[o] / (float)steps;
        float step = reciprocal ? 2.0f / half : 2.0f * half;
        round_row(row_of(w, o), w->width, step, (float)(steps / 2));
    }
}

static double standard_deviation(const float *v, size_t n)
{
    double sum = 0.0, squares = 0.0;
    for (size_t i = 0; i < n; i++)
        sum += (double)v[i];
    double mean = sum / (double)n;
    for (size_t i = 0; i < n; i++)
        squares += ((double)v[i] - mean) * ((double)v[i] - mean);
    return sqrt(squares / (double)(n - 1));
}

static void clip_at_deviations(float *weight, size_t n, double sigma)
{
    float bound = (float)(sigma * standard_deviation(weight, n));
    for (size_t i = 0; i < n; i++)
        weight[i] = aim_limit(weight[i], bound);
}

int aim_clip_gaussian(float *weight, int out, int in, bool per_channel, double sigma,
                      aim_error *err)
{
    size_t group = per_channel ? (size_t)in : (size_t)out * (size_t)in;
    if (group < 2)
        return aim_fail(err, AIM_EINVAL, "a single weight has no standard deviation to clip at");
    size_t groups = per_channel ? (size_t)out : 1;
    for (size_t g = 0; g < groups; g++)
        clip_at_deviations(weight + g * group, group, sigma);
    return AIM_OK;
}
