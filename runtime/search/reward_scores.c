/* SPDX-License-Identifier: Apache-2.0 */
/* reward_scores.c - what the outputs of a reward model mean. In double and by
 * base/fixmath.h, so that equal outputs give equal scores on every CPU. */
#include "search/reward_impl.h"

#include "base/fixmath.h"

static double logistic(double x)
{
    return 1 / (1 + aim_exp(-x));
}

/* The softmax of two, of which the first counts. */
float aim__score_labels(const float *outputs, int width)
{
    (void)width;
    return (float)logistic((double)outputs[0] - outputs[1]);
}

/* A head of two outputs: the softmax, of which the second counts. */
float aim__score_second(const float *outputs, int width)
{
    (void)width;
    return (float)logistic((double)outputs[1] - outputs[0]);
}

float aim__score_sigmoid(const float *outputs, int width)
{
    (void)width;
    return (float)logistic(outputs[0]);
}

/* A classifier's value as it is, or of two classes the probability of the second. */
float aim__score_class(const float *outputs, int width)
{
    return width == 1 ? outputs[0] : aim__score_second(outputs, width);
}

void aim_reward_scores(const aim_reward *r, const float *outputs, int n, int width, float *scores)
{
    for (int i = 0; i < n; i++)
        scores[i] = r->layout->score(outputs + (size_t)i * (size_t)width, width);
}

bool aim_reward_is_probability(const aim_reward *r)
{
    return r->kind != AIM_REWARD_CLASSIFIER || r->config->head_outputs > 1;
}

double aim_reward_weight(double score, bool raw)
{
    return raw ? logistic(score) : score;
}
