/* SPDX-License-Identifier: Apache-2.0 */
/* pairs.inc.h - a channel's pairs of devices (device_pairs.h), a chunk at a time; a
 * part of noise_loops.inc.h. */

typedef float chunk[AIM__PAIRS_CHUNK];

/* One device of each pair. */
struct half {
    aim_device_row row;
    int first, n; /* columns [first, first + n) of the row */
    chunk asked, programmed, now;
    chunk z;                /* normals, of one stream after the other */
    chunk r, log_r;         /* conductances as coefficients are taken of them */
    chunk value, deviation; /* coefficients */
};

static void draw(struct half *h, enum aim_stream stream)
{
    int groups = (h->n + AIM__NORMAL_GROUP - 1) / AIM__NORMAL_GROUP;
    normal_groups(&h->row, stream, h->first / AIM__NORMAL_GROUP, groups, h->z);
}

/* A pair holds the part of its weight that has its sign, on top of g_min. */
static void ask_for(const aim__pairs_job *job, float scale, const float *restrict weight,
                    float *restrict asked, int n)
{
    float g_max = job->model->g_max, g_min = job->g_min;
    for (int j = 0; j < n; j++) {
        float g = weight[j] * scale;
        g = g > g_max ? g_max : g;
        asked[j] = (g < 0.0f ? 0.0f : g) + g_min;
    }
}

static void program(const aim_device_model *restrict m, int spread, const struct half *restrict h,
                    float *restrict g)
{
    for (int j = 0; j < h->n; j++)
        g[j] = aim__device_program(m, &m->spread[spread], h->asked[j], h->z[j]);
}

static void take_ratios(const float *restrict g, float g_max, float *restrict r,
                        float *restrict log_r, int n)
{
    for (int j = 0; j < n; j++) {
        r[j] = g[j] / g_max;
        log_r[j] = aim__device_log(r[j]);
    }
}

static void take_curve(const aim_device_curve *restrict c, const struct half *restrict h,
                       float *restrict value)
{
    if (c->exponent != 0.0f)
        for (int j = 0; j < h->n; j++)
            value[j] = aim__device_curve_at(c, true, h->r[j], h->log_r[j]);
    else
        for (int j = 0; j < h->n; j++)
            value[j] = aim__device_curve_at(c, false, h->r[j], h->log_r[j]);
}

/* Exponents belong to what was asked for. */
static void drift(const aim__pairs_job *restrict job, struct half *restrict h)
{
    const aim_device_model *restrict m = job->model;
    take_ratios(h->asked, m->g_max, h->r, h->log_r, h->n);
    take_curve(&m->drift_mean, h, h->value);
    take_curve(&m->drift_deviation, h, h->deviation);
    for (int j = 0; j < h->n; j++) {
        float exponent = aim__device_drift_exponent(m, h->value[j], h->deviation[j], h->z[j]);
        h->now[j] = aim__device_drift(&job->age, h->now[j], exponent);
    }
}

static void fluctuate(const aim__pairs_job *restrict job, struct half *restrict h)
{
    const aim_device_model *restrict m = job->model;
    take_ratios(h->programmed, m->g_max, h->r, h->log_r, h->n);
    take_curve(&m->read, h, h->value);
    for (int j = 0; j < h->n; j++)
        h->now[j] = aim__device_read(m, &job->age, h->value[j], h->now[j], h->z[j]);
}

/* By a later spread, as other devices that hold the same would be. */
static void draw_anew(const aim__pairs_job *job, struct half *h)
{
    uint8_t device = h->row.device;
    h->row.device = (uint8_t)(device + 2 * job->spread);
    draw(h, AIM_STREAM_PROGRAMMING);
    h->row.device = device;
    program(job->model, job->spread, h, h->now);
}

/* From what is asked for to what is held and read. */
static void work_on(const aim__pairs_job *job, struct half *h)
{
    draw(h, AIM_STREAM_PROGRAMMING);
    program(job->model, 0, h, h->programmed);
    memcpy(h->now, h->programmed, (size_t)h->n * sizeof *h->now);
    if (job->spread > 0)
        draw_anew(job, h);
    if (job->drifts) {
        draw(h, AIM_STREAM_DRIFT);
        drift(job, h);
    }
    if (job->reads) {
        h->row.seed = job->read_seed;
        draw(h, AIM_STREAM_READ);
        fluctuate(job, h);
    }
}

static void differences(const float *restrict plus, const float *restrict minus, float scale,
                        float *restrict weight, int n)
{
    for (int j = 0; j < n; j++)
        weight[j] = (plus[j] - minus[j]) / scale;
}

static void run_half(const aim__pairs_job *job, int device, float scale, int first, int n,
                     const float *weight, struct half *h)
{
    h->row = job->row;
    h->row.device = (uint8_t)device;
    h->first = first;
    h->n = n;
    ask_for(job, scale, weight, h->asked, n);
    work_on(job, h);
}

static void pairs(const aim__pairs_job *job, int first, int n, float *weight, float *programmed)
{
    struct half plus, minus;
    run_half(job, 0, job->scale, first, n, weight, &plus);
    run_half(job, 1, -job->scale, first, n, weight, &minus);
    differences(plus.programmed, minus.programmed, job->scale, programmed, n);
    differences(plus.now, minus.now, job->scale, weight, n);
}
