/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler_reference.h"

#include "base/fixmath.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct token {
    float value;
    int32_t id;
} token;

static int by_rank(const void *a, const void *b)
{
    const token *s = a, *t = b;
    if (s->value != t->value)
        return s->value > t->value ? -1 : 1;
    return s->id < t->id ? -1 : s->id > t->id;
}

static token *sorted(const float *values, int n)
{
    token *t = malloc((size_t)n * sizeof *t);
    for (int i = 0; i < n; i++)
        t[i] = (token){values[i], i};
    qsort(t, (size_t)n, sizeof *t, by_rank);
    return t;
}

static int count(const int32_t *tokens, int n, int32_t id)
{
    int times = 0;
    for (int i = 0; i < n; i++)
        times += tokens[i] == id;
    return times;
}

static float adjusted(const aim_sample_input *in, int32_t id)
{
    const aim_sampling *s = in->params;
    int generated = in->n_tokens - in->n_prompt;
    float logit = isnan(in->logits[id]) ? -INFINITY : in->logits[id];
    for (size_t i = 0; i < s->n_bias; i++)
        logit += s->bias[i].id == id ? s->bias[i].bias : 0;
    if (generated < s->min_tokens &&
        (count(in->eos, in->n_eos, id) || count(s->stop_ids, (int)s->n_stop_ids, id)))
        logit = -INFINITY;
    if (s->repetition_penalty != 1 && count(in->tokens, in->n_tokens, id)) {
        float penalty = (float)s->repetition_penalty;
        logit = logit > 0 ? logit / penalty : logit * penalty;
    }
    int times = count(in->tokens + in->n_prompt, generated, id);
    if ((s->presence_penalty != 0 || s->frequency_penalty != 0) && times)
        logit -= (float)s->presence_penalty + (float)s->frequency_penalty * (float)times;
    return logit;
}

/* How many of the n tokens in order, none 0, top_k and top_p let in. */
static int kept(const aim_sampling *s, const float *p, int vocab, const token *order, int n)
{
    double total = 0, sum = 0;
    int k = s->top_k > 0 && s->top_k < vocab ? s->top_k : vocab, i = 0;
    k = k < n ? k : n;
    if (s->top_p >= 1)
        return k;
    if (s->top_k > 0 && s->top_k < vocab)
        for (int j = 0; j < k; j++)
            total += (double)order[j].value;
    else
        for (int j = 0; j < vocab; j++)
            total += (double)p[j];
    do
        sum += (double)order[i++].value;
    while (i < k && sum < s->top_p * total);
    return i;
}

static void drop_unlikely(const aim_sampling *s, float *p, int vocab)
{
    for (int i = 0; i < vocab; i++)
        if (s->min_p > 0 && p[i] < (float)s->min_p)
            p[i] = 0;
    token *order = sorted(p, vocab);
    int n = 0;
    while (n < vocab && order[n].value > 0)
        n++;
    for (int i = kept(s, p, vocab, order, n); i < vocab; i++)
        p[order[i].id] = 0;
    free(order);
}

static int32_t draw(const float *p, int vocab, double uniform)
{
    double total = 0, sum = 0;
    int32_t chosen = 0;
    for (int i = 0; i < vocab; i++)
        total += (double)p[i];
    for (int32_t i = 0; i < vocab && !(sum > uniform * total); i++) {
        sum += (double)p[i];
        chosen = p[i] > 0 ? i : chosen;
    }
    return chosen;
}

static int32_t draw_at_temperature(const aim_sample_input *in, float *p, float best)
{
    float factor = (float)(1 / in->params->temperature);
    for (int i = 0; i < in->vocab; i++) {
        float exponent = (p[i] - best) * factor;
        p[i] = exponent > -87 ? aim_expf(exponent) : 0;
    }
    drop_unlikely(in->params, p, in->vocab);
    uint64_t number = (uint64_t)(in->n_tokens - in->n_prompt);
    return draw(p, in->vocab, aim_rng_uniform(in->seed, AIM_STREAM_SAMPLER, number));
}

int32_t reference_sample(const aim_sample_input *in)
{
    float *p = malloc((size_t)in->vocab * sizeof *p);
    int32_t best = 0;
    for (int32_t i = 0; i < in->vocab; i++) {
        p[i] = adjusted(in, i);
        best = p[i] > p[best] ? i : best;
    }
    if (in->params->temperature >= 1e-6 && isfinite(p[best]))
        best = draw_at_temperature(in, p, p[best]);
    free(p);
    return best;
}

int reference_rank(const float *logits, int vocab, int32_t id, int32_t *top, int n_top)
{
    token *order = sorted(logits, vocab);
    int rank = 1;
    while (order[rank - 1].id != id)
        rank++;
    for (int i = 0; i < n_top; i++)
        top[i] = order[i].id;
    free(order);
    return rank;
}
