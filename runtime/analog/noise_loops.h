/* SPDX-License-Identifier: Apache-2.0 */
/* noise_loops.h - the loops over the devices of a channel that programming spends
 * its time in, once for each instruction set. They are the inner parts of
 * normals.h, weight_noise.h, device_pairs.h and conductances.h; all rows of the
 * table give the same bits. */
#ifndef AIM_ANALOG_NOISE_LOOPS_H
#define AIM_ANALOG_NOISE_LOOPS_H

#include "analog/device_model.h"
#include "analog/normals.h"
#include "analog/weight_noise.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    AIM__NORMAL_GROUP = 64, /* normals drawn together */
    AIM__PAIRS_CHUNK = 512, /* pairs worked on together, a multiple of it */
    AIM__SPREAD_CHANNELS = 16,
    AIM__SPREAD_GROUPS = 512, /* 255 * 127^2 as often stays within 32 bits */
};

/* What becomes of the pairs of a channel. */
typedef struct aim__pairs_job {
    const aim_device_model *model;
    aim_device_row row;
    float scale; /* conductance of a weight of 1 */
    float g_min;
    int spread;         /* by which they are programmed */
    bool drifts, reads; /* else age has no part in it */
    aim_device_age age;
    uint64_t read_seed; /* of the fluctuation at this age */
} aim__pairs_job;

typedef struct aim__noise_loops {
    const char *name;
    unsigned needs; /* enum aim_cpu_feature */
    /* Groups [first, first + n) of a row: aim_normals from column first * 64 on. */
    void (*normal_groups)(const aim_device_row *row, enum aim_stream stream, int first, int n,
                          float *out);
    /* aim_random_blocks. */
    void (*random_blocks)(uint64_t seed, enum aim_stream stream, uint64_t first, int n,
                          aim_rng_block *out);
    float (*max_abs)(const float *x, int n); /* NaN if any is NaN */
    double (*sum_abs)(const float *x, int n);
    /* aim_pcm_noise_add of a channel whose scale is known. */
    void (*pcm_noise)(const aim_pcm_noise *noise, float scale, const float *z, float *weight,
                      int n);
    void (*additive_noise)(float deviation, const float *z, float *weight, int n);
    /* n <= AIM__PAIRS_CHUNK pairs from column first on, a multiple of the chunk:
     * weight [n] from what is asked for to what is read, programmed [n] = what is held
     * right after programming. */
    void (*pairs)(const aim__pairs_job *job, int first, int n, float *weight, float *programmed);
    /* code = rint(weight / step) within +-largest_code; high NULL: one plane. */
    void (*codes)(const float *weight, float step, float largest_code, int n, int8_t *low,
                  int8_t *high);
    /* sum [16] += what aim_read_noise_spread adds up, of n <= AIM__SPREAD_GROUPS groups of
     * four inputs. squares [n * 4]; low and high [n][16][4], high NULL: one plane. */
    void (*weight_squares)(const int32_t *squares, const int8_t *low, const int8_t *high, int n,
                           int64_t *sum);
} aim__noise_loops;

extern const aim__noise_loops aim__noise_portable;
extern const aim__noise_loops aim__noise_avx2;
extern const aim__noise_loops aim__noise_avx512;

/* Of this build, fastest first; for tests. */
const aim__noise_loops *const *aim__noise_loops_all(int *count);
/* The fastest that this CPU runs. */
const aim__noise_loops *aim__noise_loops_pick(void);

#endif
