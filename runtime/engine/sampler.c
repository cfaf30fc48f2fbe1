/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sampler.h"

#include "base/alloc.h"
#include "base/fixmath.h"
#include "base/rng.h"

#include <math.h>
#include <string.h>

void aim_sampling_init(aim_sampling *s)
{
    *s = (aim_sampling){.temperature = 1, .top_p = 1, .repetition_penalty = 1};
}

void aim_sampling_fini(aim_sampling *s)
{
    aim_free(s->bias);
    aim_free(s->stop_ids);
    s->bias = NULL;
    s->stop_ids = NULL;
    s->n_bias = s->n_stop_ids = 0;
}

/* A token and its unnormalised probability, exp(logit - max). */
typedef struct candidate {
    float p;
    int32_t id;
} candidate;

/* What the scratch memory holds. */
typedef struct work {
    float *logits;   /* [vocab] the adjusted copy; later probabilities */
    int32_t *counts; /* [vocab] how often a token occurred */
    candidate *heap; /* [vocab] */
} work;

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t aim_sampler_scratch(int vocab)
{
    size_t v = (size_t)vocab;
    return aligned(v * sizeof(float)) + aligned(v * sizeof(int32_t)) + v * sizeof(candidate);
}

static work lay_out(void *scratch, int vocab)
{
    char *p = scratch;
    size_t v = (size_t)vocab;
    work w;
    w.logits = (float *)p;
    w.counts = (int32_t *)(p + aligned(v * sizeof(float)));
    w.heap = (candidate *)(p + aligned(v * sizeof(float)) + aligned(v * sizeof(int32_t)));
    return w;
}

/* ---- adjusting the logits ----------------------------------------------- */

static void mask(float *logits, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        logits[ids[i]] = -INFINITY;
}

static void count(int32_t *counts, int vocab, const int32_t *tokens, int n)
{
    memset(counts, 0, (size_t)vocab * sizeof *counts);
    for (int i = 0; i < n; i++)
        counts[tokens[i]]++;
}

/* Keskar et al. 2019: divide positive logits, multiply negative ones. */
static void penalise_repetition(const aim_sample_input *in, work *w)
{
    float penalty = (float)in->params->repetition_penalty;
    count(w->counts, in->vocab, in->tokens, in->n_tokens);
    for (int i = 0; i < in->vocab; i++)
        if (w->counts[i])
            w->logits[i] = w->logits[i] > 0 ? w->logits[i] / penalty : w->logits[i] * penalty;
}

static void penalise_frequency(const aim_sample_input *in, work *w)
{
    float presence = (float)in->params->presence_penalty;
    float frequency = (float)in->params->frequency_penalty;
    count(w->counts, in->vocab, in->tokens + in->n_prompt, in->n_tokens - in->n_prompt);
    for (int i = 0; i < in->vocab; i++)
        if (w->counts[i])
            w->logits[i] -= presence + frequency * (float)w->counts[i];
}

static void adjust(const aim_sample_input *in, work *w)
{
    const aim_sampling *s = in->params;
    for (int i = 0; i < in->vocab; i++)
        w->logits[i] = in->logits[i] == in->logits[i] ? in->logits[i] : -INFINITY;
    for (size_t i = 0; i < s->n_bias; i++)
        w->logits[s->bias[i].id] += s->bias[i].bias;
    if (in->n_tokens - in->n_prompt < s->min_tokens) {
        mask(w->logits, in->eos, (size_t)in->n_eos);
        mask(w->logits, s->stop_ids, s->n_stop_ids);
    }
    if (s->repetition_penalty != 1)
        penalise_repetition(in, w);
    if (s->presence_penalty != 0 || s->frequency_penalty != 0)
        penalise_frequency(in, w);
}

static int32_t argmax(const float *logits, int vocab)
{
    int32_t best = 0;
    for (int32_t i = 1; i < vocab; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

/* ---- choosing the set to draw from --------------------------------------- */

/* Descending probability, then ascending id: a total order. */
static bool before(candidate a, candidate b)
{
    return a.p > b.p || (a.p == b.p && a.id < b.id);
}

static void sift_down(candidate *heap, int n, int i)
{
    candidate c = heap[i];
    for (int child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(heap[child + 1], heap[child]))
            child++;
        if (!before(heap[child], c))
            break;
        heap[i] = heap[child];
    }
    heap[i] = c;
}

static candidate pop(candidate *heap, int *n)
{
    candidate top = heap[0];
    heap[0] = heap[--*n];
    if (*n > 0)
        sift_down(heap, *n, 0);
    return top;
}

static int make_heap(const float *p, int vocab, float floor, candidate *heap)
{
    int n = 0;
    for (int32_t i = 0; i < vocab; i++)
        if (p[i] >= floor)
            heap[n++] = (candidate){p[i], i};
    for (int i = n / 2 - 1; i >= 0; i--)
        sift_down(heap, n, i);
    return n;
}

/* The sum of the k most probable. Works on the heap and rebuilds it. */
static double sum_of_best(const float *p, int vocab, float floor, candidate *heap, int k)
{
    int n = make_heap(p, vocab, floor, heap);
    double sum = 0;
    for (int i = 0; i < k && n > 0; i++)
        sum += (double)pop(heap, &n).p;
    return sum;
}

static double sum_above(const float *p, int vocab, float floor)
{
    double sum = 0;
    for (int i = 0; i < vocab; i++)
        if (p[i] >= floor)
            sum += (double)p[i];
    return sum;
}

/* The last candidate, in descending order, that top_k and top_p let in. */
static candidate last_kept(const aim_sampling *s, const float *p, int vocab, float floor,
                           candidate *heap)
{
    int k = s->top_k > 0 && s->top_k < vocab ? s->top_k : vocab;
    double total = k < vocab ? sum_of_best(p, vocab, floor, heap, k) : sum_above(p, vocab, floor);
    double wanted = s->top_p < 1 ? s->top_p * total : INFINITY;
    int n = make_heap(p, vocab, floor, heap);
    candidate last = pop(heap, &n);
    double sum = (double)last.p;
    for (int i = 1; i < k && n > 0 && sum < wanted; i++) {
        last = pop(heap, &n);
        sum += (double)last.p;
    }
    return last;
}

/* Inverse CDF in order of ids over the candidates up to `last`. */
static int32_t draw(const float *p, int vocab, candidate last, double uniform)
{
    double total = 0;
    for (int32_t i = 0; i < vocab; i++)
        if (!before(last, (candidate){p[i], i}))
            total += (double)p[i];
    double target = uniform * total, sum = 0;
    int32_t chosen = last.id;
    for (int32_t i = 0; i < vocab; i++) {
        if (before(last, (candidate){p[i], i}))
            continue;
        sum += (double)p[i];
        if (p[i] > 0)
            chosen = i;
        if (sum > target)
            break;
    }
    return chosen;
}

static int32_t sample_at_temperature(const aim_sample_input *in, work *w)
{
    const aim_sampling *s = in->params;
    float *p = w->logits;
    float best = p[argmax(p, in->vocab)];
    if (best == -INFINITY || best == INFINITY) /* nothing to compare: all masked, or overflow */
        return argmax(p, in->vocab);
    float inverse = (float)(1 / s->temperature);
    for (int i = 0; i < in->vocab; i++) {
        float x = (p[i] - best) * inverse;
        p[i] = x > -87 ? aim_expf(x) : 0;
    }
    float floor = s->min_p > 0 ? (float)s->min_p : 0x1p-149f; /* the best one has p = 1 */
    candidate last = {floor, in->vocab};
    if ((s->top_k > 0 && s->top_k < in->vocab) || s->top_p < 1)
        last = last_kept(s, p, in->vocab, floor, w->heap);
    uint64_t number = (uint64_t)(in->n_tokens - in->n_prompt);
    return draw(p, in->vocab, last, aim_rng_uniform(in->seed, AIM_STREAM_SAMPLER, number));
}

int32_t aim_sample(const aim_sample_input *in)
{
    work w = lay_out(in->scratch, in->vocab);
    adjust(in, &w);
    /* Below 1e-6 the softmax of float logits is an argmax. */
    if (in->params->temperature < 1e-6)
        return argmax(w.logits, in->vocab);
    return sample_at_temperature(in, &w);
}
