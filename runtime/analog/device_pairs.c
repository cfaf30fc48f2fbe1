/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/device_pairs.h"

#include "analog/converter.h"

#include <string.h>

/* One of the two devices of each weight of a channel. */
struct half {
    const aim_device_model *model;
    aim_device_row row;
    int spread; /* number of the spread it is drawn by */
    int n;
    float *g;        /* [n] what is asked for, then what it holds */
    float *z;        /* [n] scratch */
    float *exponent; /* [n] scratch */
};

/* A pair holds the part of its weight that has its sign, on top of g_min. */
static void ask_for(const struct half *h, const float *weight, float scale, float g_min)
{
    for (int j = 0; j < h->n; j++) {
        float g = weight[j] * scale;
        g = g < 0.0f ? 0.0f : g > h->model->g_max ? h->model->g_max : g;
        h->g[j] = g + g_min;
    }
}

/* Exponents belong to what was asked for: they are drawn before g changes. */
static void draw_exponents(const struct half *h)
{
    aim_normals(&h->row, AIM_STREAM_DRIFT, h->n, h->z);
    for (int j = 0; j < h->n; j++)
        h->exponent[j] = aim_device_drift_exponent(h->model, h->g[j], h->z[j]);
}

static void program(const struct half *h)
{
    aim_normals(&h->row, AIM_STREAM_PROGRAMMING, h->n, h->z);
    for (int j = 0; j < h->n; j++)
        h->g[j] = aim_device_program(h->model, h->spread, h->g[j], h->z[j]);
}

/* Noise of a read at one age says nothing about that at another. */
static aim_device_row row_at_age(const aim_device_row *row, double seconds)
{
    aim_device_row at_age = *row;
    uint64_t bits;
    memcpy(&bits, &seconds, sizeof bits);
    aim_rng_block block = aim_rng_draw(row->seed, AIM_STREAM_READ, bits, 0);
    at_age.seed = (uint64_t)block.v[1] << 32 | block.v[0];
    return at_age;
}

static void drift_and_read(const struct half *h, double seconds)
{
    aim_device_age age = aim_device_age_of(h->model, seconds);
    aim_device_row row = row_at_age(&h->row, seconds);
    aim_normals(&row, AIM_STREAM_READ, h->n, h->z);
    for (int j = 0; j < h->n; j++) {
        float drifted = aim_device_drift(&age, h->g[j], h->exponent[j]);
        h->g[j] = aim_device_read(h->model, &age, h->g[j], drifted, h->z[j]);
    }
}

static int spread_at(const aim_device_model *m, double seconds)
{
    int spread = 0;
    while (spread + 1 < m->n_spreads && m->spread[spread + 1].age <= seconds)
        spread++;
    return spread;
}

/* seconds NULL: right after programming. */
static void run_half(const struct half *h, const double *seconds)
{
    if (!seconds || h->model->n_spreads > 1) {
        program(h);
        return;
    }
    draw_exponents(h);
    program(h);
    drift_and_read(h, *seconds);
}

static void run_pairs(const aim_device_pairs *p, const aim_device_row *row, const double *seconds,
                      float *weight, int n, float *scratch)
{
    const aim_device_model *m = p->model;
    float largest = aim_max_abs(weight, n);
    float scale = (m->g_max - p->g_min) / (largest < 1e-7f ? 1e-7f : largest);
    float *plus = scratch, *minus = plus + n, *z = minus + n, *exponent = z + n;
    int spread = seconds ? spread_at(m, *seconds) : 0;
    struct half positive = {m, *row, spread, n, plus, z, exponent};
    struct half negative = {m, *row, spread, n, minus, z, exponent};
    positive.row.device = 0;
    negative.row.device = 1;
    ask_for(&positive, weight, scale, p->g_min);
    ask_for(&negative, weight, -scale, p->g_min);
    run_half(&positive, seconds);
    run_half(&negative, seconds);
    for (int j = 0; j < n; j++)
        weight[j] = (plus[j] - minus[j]) / scale;
}

void aim_device_pairs_program(const aim_device_pairs *p, const aim_device_row *row, float *weight,
                              int n, float *scratch)
{
    run_pairs(p, row, NULL, weight, n, scratch);
}

void aim_device_pairs_age(const aim_device_pairs *p, const aim_device_row *row, double seconds,
                          float *weight, int n, float *scratch)
{
    run_pairs(p, row, &seconds, weight, n, scratch);
}
