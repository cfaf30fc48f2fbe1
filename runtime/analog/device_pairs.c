/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/device_pairs.h"

#include "analog/converter.h"
#include "analog/noise_loops.h"

#include <math.h>
#include <string.h>

/* Largest weights below it count as it: a scale follows. */
static const float SMALLEST_WEIGHT = 1e-7f;

static aim__pairs_job new_job(const aim_device_pairs *p, const aim_device_row *row, float largest)
{
    float unit = largest < SMALLEST_WEIGHT ? SMALLEST_WEIGHT : largest;
    return (aim__pairs_job){
        .model = p->model,
        .row = *row,
        .scale = (p->model->g_max - p->g_min) / unit,
        .g_min = p->g_min,
    };
}

static int spread_at(const aim_device_model *m, double seconds)
{
    int spread = 0;
    while (spread + 1 < m->n_spreads && m->spread[spread + 1].age <= seconds)
        spread++;
    return spread;
}

/* Noise of a read at one age says nothing about that at another. */
static uint64_t read_seed(uint64_t seed, double seconds)
{
    uint64_t bits;
    seconds += 0.0; /* -0 is the same age as 0 */
    memcpy(&bits, &seconds, sizeof bits);
    aim_rng_block block = aim_rng_draw(seed, AIM_STREAM_READ, bits, 0);
    return (uint64_t)block.v[1] << 32 | block.v[0];
}

/* What cannot change a conductance is not drawn. */
static void set_age(aim__pairs_job *job, double seconds)
{
    const aim_device_model *m = job->model;
    job->spread = spread_at(m, seconds);
    if (m->n_spreads > 1)
        return;
    job->age = aim_device_age_of(m, seconds);
    job->drifts = job->age.log_drift > 0.0f && m->drift_scale > 0.0f;
    job->reads = m->read_scale > 0.0f;
    job->read_seed = read_seed(job->row.seed, seconds);
}

static aim_pair_readout run(const aim__pairs_job *job, float *weight, int n)
{
    const aim__noise_loops *loops = aim__noise_loops_pick();
    aim_pair_readout sums = {0};
    float programmed[AIM__PAIRS_CHUNK];
    for (int first = 0; first < n; first += AIM__PAIRS_CHUNK) {
        int count = n - first < AIM__PAIRS_CHUNK ? n - first : AIM__PAIRS_CHUNK;
        loops->pairs(job, first, count, weight + first, programmed);
        sums.largest = fmaxf(sums.largest, aim_max_abs(programmed, count));
        sums.then += loops->sum_abs(programmed, count);
        sums.now += loops->sum_abs(weight + first, count);
    }
    return sums;
}

/* seconds NULL: right after programming. */
static void run_pairs(const aim_device_pairs *p, const aim_device_row *row, const double *seconds,
                      float *weight, int n, aim_pair_readout *readout)
{
    aim__pairs_job job = new_job(p, row, aim_max_abs(weight, n));
    if (seconds)
        set_age(&job, *seconds);
    aim_pair_readout sums = run(&job, weight, n);
    double unit = (double)((p->model->g_max - p->g_min) / job.scale);
    if (readout)
        *readout = (aim_pair_readout){sums.then / n / unit, sums.now / n / unit, sums.largest};
}

void aim_device_pairs_program(const aim_device_pairs *p, const aim_device_row *row, float *weight,
                              int n, aim_pair_readout *readout)
{
    run_pairs(p, row, NULL, weight, n, readout);
}

void aim_device_pairs_age(const aim_device_pairs *p, const aim_device_row *row, double seconds,
                          float *weight, int n, aim_pair_readout *readout)
{
    run_pairs(p, row, &seconds, weight, n, readout);
}
