/* SPDX-License-Identifier: Apache-2.0 */
/* draws.h - many draws of a noise, their mean and deviation, and what these may be
 * off by. */
#ifndef AIM_TESTS_DRAWS_H
#define AIM_TESTS_DRAWS_H

#include "analog/normals.h"
#include "analog/weight_noise.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>

/* Standard errors that a figure may be off by. One comparison in 1.2e10 is off by more
 * by chance: of the fewer than two thousand in the tests that include this one would
 * fail with a probability below 2e-7, were the seeds not fixed. */
static const double FALSE_ALARM_LIMIT = 6.5;

static inline float *normals(uint32_t channel, enum aim_stream stream, int n)
{
    aim_device_row row = {.seed = 5, .channel = channel};
    float *z = malloc((size_t)n * sizeof *z);
    ck_assert_ptr_nonnull(z);
    aim_normals(&row, stream, n, z);
    return z;
}

/* n weights of value w in a channel whose largest is `largest`, after the noise; noise
 * NULL: additive noise of 0.05. */
static inline float *noisy_weights(const aim_pcm_noise *noise, float w, float largest, int n,
                                   uint32_t channel)
{
    float *z = normals(channel, AIM_STREAM_PROGRAMMING, n + 1);
    float *weight = malloc(((size_t)n + 1) * sizeof *weight);
    ck_assert_ptr_nonnull(weight);
    for (int j = 0; j < n; j++)
        weight[j] = w;
    weight[n] = largest;
    if (noise)
        aim_pcm_noise_add(noise, z, weight, n + 1);
    else
        aim_additive_noise_add(0.05f, z, weight, n + 1);
    free(z);
    return weight;
}

struct moments {
    int n;
    double mean, deviation;
    double mean_error, deviation_error; /* standard errors of the two */
};

static inline struct moments moments_of(const float *v, int n)
{
    double sum = 0, squares = 0, fourths = 0;
    for (int i = 0; i < n; i++)
        sum += (double)v[i];
    double mean = sum / n;
    for (int i = 0; i < n; i++) {
        double square = ((double)v[i] - mean) * ((double)v[i] - mean);
        squares += square;
        fourths += square * square;
    }
    double variance = squares / n;
    double kurtosis = variance > 0 ? fourths / n / (variance * variance) : 1;
    double deviation = sqrt(variance);
    return (struct moments){n, mean, deviation, deviation / sqrt(n),
                            deviation * sqrt((kurtosis - 1) / (4.0 * n))};
}

/* `samples` is how many times larger the variance of the difference is: 2 if the
 * expected numbers are estimates from as many draws themselves. */
static inline void check_moments(const char *what, const struct moments *m, double mean,
                                 double deviation, double samples)
{
    double limit = FALSE_ALARM_LIMIT * sqrt(samples);
    if (fabs(m->mean - mean) > limit * m->mean_error + 1e-6 * fabs(mean))
        ck_abort_msg("%s: mean %g, expected %g, standard error %g", what, m->mean, mean,
                     m->mean_error);
    if (fabs(m->deviation - deviation) > limit * m->deviation_error + 3e-4 * deviation)
        ck_abort_msg("%s: deviation %g, expected %g, standard error %g", what, m->deviation,
                     deviation, m->deviation_error);
}

#endif
