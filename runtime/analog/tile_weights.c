/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "analog/tile_weights.h"

#include "analog/converter.h"

enum { LANES = 16 };

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

static float half_step(float largest, double res)
{
    return largest / (float)aim_converter_steps(res);
}

bool aim_discretize_is_reciprocal(const float *largest, int out, double res)
{
    for (int o = 0; o < out; o++)
        if (!(half_step(largest[o], res) > 1.0f))
            return false;
    return true;
}

void aim_discretize_channel(float *weight, int n, float largest, double res, bool is_reciprocal)
{
    float half = half_step(largest, res);
    float step = is_reciprocal ? 2.0f / half : 2.0f * half;
    round_row(weight, n, step, (float)(aim_converter_steps(res) / 2));
}

void aim_discretize(const aim_weight_window *w, const float *largest, double res)
{
    bool is_reciprocal = aim_discretize_is_reciprocal(largest, w->out, res);
    for (int o = 0; o < w->out; o++)
        aim_discretize_channel(row_of(w, o), w->width, largest[o], res, is_reciprocal);
}

/* Of lanes that took turns at the elements: a fixed tree. */
static double add_lanes(double *lane)
{
    for (int width = LANES / 2; width > 0; width /= 2)
        for (int k = 0; k < width; k++)
            lane[k] += lane[k + width];
    return lane[0];
}

static double sum(const float *v, int n)
{
    double lane[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES && i + k < n; k++)
            lane[k] += (double)v[i + k];
    return add_lanes(lane);
}

static double sum_of_squares(const float *v, int n, double mean)
{
    double lane[LANES] = {0};
    for (int i = 0; i < n; i += LANES)
        for (int k = 0; k < LANES && i + k < n; k++)
            lane[k] += ((double)v[i + k] - mean) * ((double)v[i + k] - mean);
    return add_lanes(lane);
}

aim_weight_moments aim_weight_moments_of(const float *weight, int n)
{
    double mean = sum(weight, n) / n;
    return (aim_weight_moments){n, mean, sum_of_squares(weight, n, mean)};
}

/* Chan, Golub and LeVeque (1979): the means' distance is part of the deviation. */
void aim_weight_moments_add(aim_weight_moments *total, const aim_weight_moments *more)
{
    double n = total->n + more->n, apart = more->mean - total->mean;
    total->squares += more->squares + apart * apart * (total->n * more->n / n);
    total->mean += apart * (more->n / n);
    total->n = n;
}

float aim_clip_bound(const aim_weight_moments *m, double sigma)
{
    return (float)(sigma * sqrt(m->squares / (m->n - 1)));
}

void aim_clip_weights(float *weight, int n, float bound)
{
    for (int j = 0; j < n; j++)
        weight[j] = aim_limit(weight[j], bound);
}

/* The moments of the whole matrix. */
static aim_weight_moments moments_of_rows(const float *weight, int out, int in)
{
    aim_weight_moments all = {0};
    for (int o = 0; o < out; o++) {
        aim_weight_moments row = aim_weight_moments_of(weight + (size_t)o * (size_t)in, in);
        aim_weight_moments_add(&all, &row);
    }
    return all;
}

int aim_clip_gaussian(float *weight, int out, int in, bool per_channel, double sigma,
                      aim_error *err)
{
    size_t group = per_channel ? (size_t)in : (size_t)out * (size_t)in;
    if (group < 2)
        return aim_fail(err, AIM_EINVAL, "a single weight has no standard deviation to clip at");
    aim_weight_moments m = moments_of_rows(weight, out, in);
    for (int o = 0; o < out; o++) {
        float *row = weight + (size_t)o * (size_t)in;
        if (per_channel)
            m = aim_weight_moments_of(row, in);
        aim_clip_weights(row, in, aim_clip_bound(&m, sigma));
    }
    return AIM_OK;
}
