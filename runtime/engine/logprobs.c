/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sampler.h"

#include "base/fixmath.h"

#include <math.h>

static float clean(float logit)
{
    return logit == logit ? logit : -INFINITY;
}

/* Does (logit a, id i) rank before (logit b, id j)? */
static bool ranks_before(float a, int32_t i, float b, int32_t j)
{
    return a > b || (a == b && i < j);
}

static int rank_of(const float *logits, int vocab, int32_t id)
{
    float own = clean(logits[id]);
    int rank = 1;
    for (int32_t i = 0; i < vocab; i++)
        rank += ranks_before(clean(logits[i]), i, own, id);
    return rank;
}

/* Insertion into a sorted list of the best n, which is a small number. `logprob`
 * holds the raw logit until the end. */
static void keep_best(const float *logits, int vocab, int n, aim_token_logprob *top)
{
    int kept = 0;
    for (int32_t id = 0; id < vocab; id++) {
        float logit = clean(logits[id]);
        if (kept == n && !ranks_before(logit, id, top[n - 1].logprob, top[n - 1].id))
            continue;
        int at = kept < n ? kept++ : n - 1;
        for (; at > 0 && ranks_before(logit, id, top[at - 1].logprob, top[at - 1].id); at--)
            top[at] = top[at - 1];
        top[at] = (aim_token_logprob){id, logit};
    }
}

void aim_logprobs(const aim_kernels *k, const float *logits, int vocab, int32_t id, int n_top,
                  float *logprob, int *rank, aim_token_logprob *top, void *scratch)
{
    float *finite = scratch;
    for (int i = 0; i < vocab; i++)
        finite[i] = clean(logits[i]);
    float best = k->max(finite, vocab);
    double log_sum = (double)best + aim_log(k->sum_exp(finite, vocab, best));
    *logprob = (float)((double)finite[id] - log_sum);
    *rank = rank_of(finite, vocab, id);
    if (n_top <= 0)
        return;
    keep_best(finite, vocab, n_top, top);
    for (int i = 0; i < n_top; i++)
        top[i].logprob = (float)((double)top[i].logprob - log_sum);
}
