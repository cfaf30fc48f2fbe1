/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sampler.h"

#include "base/fixmath.h"
#include "base/float_bits.h"

#include <math.h>

/* The next greater float; NaN, which no number reaches, above infinity. x is not NaN. */
static float next_above(float x)
{
    if (x == 0)
        return 0x1p-149f;
    uint32_t bits = aim_float_bits(x);
    return aim_bits_float(x > 0 ? bits + 1 : bits - 1);
}

/* Does (logit a, id i) rank before (logit b, id j)? */
static bool ranks_before(float a, int32_t i, float b, int32_t j)
{
    return a > b || (a == b && i < j);
}

static int rank_of(const aim_kernels *k, const float *logits, int vocab, int32_t id)
{
    int before, behind;
    k->sum_from(logits, id, logits[id], &before);
    k->sum_from(logits + id, vocab - id, next_above(logits[id]), &behind);
    return 1 + before + behind;
}

/* Insertion into a sorted list of the best n, which is a small number: most ids are
 * passed over because they are not above the last of them. `logprob` holds the logit. */
static void keep_best(const aim_kernels *k, const float *logits, int vocab, int n,
                      aim_token_logprob *top)
{
    int kept = 0;
    for (int32_t id = 0; id < vocab; id++) {
        if (kept == n)
            id += k->first_from(logits + id, vocab - id, next_above(top[n - 1].logprob));
        if (id == vocab)
            return;
        int at = kept < n ? kept++ : n - 1;
        for (; at > 0 && ranks_before(logits[id], id, top[at - 1].logprob, top[at - 1].id); at--)
            top[at] = top[at - 1];
        top[at] = (aim_token_logprob){id, logits[id]};
    }
}

static double log_sum_exp(const aim_kernels *k, const float *logits, int vocab)
{
    float best = k->max(logits, vocab);
    return (double)best + aim_log(k->sum_exp(logits, vocab, best));
}

void aim_logprobs(const aim_kernels *k, const float *logits, int vocab, int32_t id, int n_top,
                  float *logprob, int *rank, aim_token_logprob *top, void *scratch)
{
    float *numbers = scratch;
    k->replace_nan(numbers, logits, vocab);
    double log_sum = log_sum_exp(k, numbers, vocab);
    *logprob = (float)((double)numbers[id] - log_sum);
    *rank = rank_of(k, numbers, vocab, id);
    if (n_top <= 0)
        return;
    keep_best(k, numbers, vocab, n_top, top);
    for (int i = 0; i < n_top; i++)
        top[i].logprob = (float)((double)top[i].logprob - log_sum);
}

float aim_self_certainty(const aim_kernels *k, const float *logits, int vocab)
{
    int numbers;
    double mean = k->sum_from(logits, vocab, -INFINITY, &numbers) / vocab;
    if (numbers < vocab || !isfinite(mean))
        return 0;
    return (float)(log_sum_exp(k, logits, vocab) - mean - aim_log(vocab));
}
