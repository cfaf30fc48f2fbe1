/* SPDX-License-Identifier: Apache-2.0 */
/* reward_aggregate.c - many scores of steps to one. */
#include "search/reward.h"

#include <math.h>
#include <string.h>

static double last(const float *scores, int n)
{
    return scores[n - 1];
}

static double least(const float *scores, int n)
{
    double x = scores[0];
    for (int i = 1; i < n; i++)
        x = scores[i] < x ? scores[i] : x;
    return x;
}

static double product(const float *scores, int n)
{
    double x = 1;
    for (int i = 0; i < n; i++)
        x *= scores[i];
    return x;
}

static double mean(const float *scores, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += scores[i];
    return sum / n;
}

static const struct {
    const char *name;
    double (*of)(const float *scores, int n); /* n > 0 */
} aggregations[] = {
    [AIM_AGGREGATE_LAST] = {"last", last},
    [AIM_AGGREGATE_MIN] = {"min", least},
    [AIM_AGGREGATE_PRODUCT] = {"product", product},
    [AIM_AGGREGATE_MEAN] = {"mean", mean},
};

int aim_aggregation_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof aggregations / sizeof *aggregations); i++)
        if (strcmp(aggregations[i].name, name) == 0)
            return i;
    return -1;
}

double aim_aggregate(enum aim_aggregation how, const float *scores, int n)
{
    return n > 0 ? aggregations[how].of(scores, n) : (double)NAN;
}
