/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/sampler.h"

#include "base/alloc.h"
#include "base/rng.h"
#include "engine/selection.h"

#include <math.h>

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

/* What the scratch memory holds. */
typedef struct work {
    float *p;        /* [vocab] the adjusted logits; later exp(logit - max), 0 where dropped */
    int32_t *counts; /* [vocab] how often a token occurred; set where it is asked */
    void *room;      /* of aim__selection_room(vocab) bytes */
} work;

static size_t aligned(size_t bytes)
{
    return (bytes + 63) / 64 * 64;
}

size_t aim_sampler_scratch(int vocab)
{
    size_t v = (size_t)vocab;
    return aligned(v * sizeof(float)) + aligned(v * sizeof(int32_t)) + aim__selection_room(vocab);
}

static work lay_out(void *scratch, int vocab)
{
    char *p = scratch;
    size_t v = (size_t)vocab;
    work w;
    w.p = (float *)p;
    w.counts = (int32_t *)(p + aligned(v * sizeof(float)));
    w.room = p + aligned(v * sizeof(float)) + aligned(v * sizeof(int32_t));
    return w;
}

/* ---- adjusting the logits ----------------------------------------------- */

static void mask(float *logits, const int32_t *ids, size_t n)
{
    for (size_t i = 0; i < n; i++)
        logits[ids[i]] = -INFINITY;
}

/* Sets the counts of these tokens alone: there are fewer than ids. */
static void count(int32_t *counts, const int32_t *tokens, int n)
{
    for (int i = 0; i < n; i++)
        counts[tokens[i]] = 0;
    for (int i = 0; i < n; i++)
        counts[tokens[i]]++;
}

/* The count of a token the first time it is asked for, then 0. */
static int32_t take_count(int32_t *counts, int32_t token)
{
    int32_t n = counts[token];
    counts[token] = 0;
    return n;
}

/* Keskar et al. 2019: divide positive logits, multiply negative ones. */
static void penalise_repetition(const aim_sample_input *in, work *w)
{
    float penalty = (float)in->params->repetition_penalty;
    count(w->counts, in->tokens, in->n_tokens);
    for (int i = 0; i < in->n_tokens; i++) {
        float *logit = &w->p[in->tokens[i]];
        if (take_count(w->counts, in->tokens[i]) > 0)
            *logit = *logit > 0 ? *logit / penalty : *logit * penalty;
    }
}

static void penalise_frequency(const aim_sample_input *in, work *w)
{
    float presence = (float)in->params->presence_penalty;
    float frequency = (float)in->params->frequency_penalty;
    const int32_t *tokens = in->tokens + in->n_prompt;
    int n = in->n_tokens - in->n_prompt;
    count(w->counts, tokens, n);
    for (int i = 0; i < n; i++) {
        int32_t times = take_count(w->counts, tokens[i]);
        if (times > 0)
            w->p[tokens[i]] -= presence + frequency * (float)times;
    }
}

static void adjust(const aim_sample_input *in, work *w)
{
    const aim_sampling *s = in->params;
    in->kernels->replace_nan(w->p, in->logits, in->vocab);
    for (size_t i = 0; i < s->n_bias; i++)
        w->p[s->bias[i].id] += s->bias[i].bias;
    if (in->n_tokens - in->n_prompt < s->min_tokens) {
        mask(w->p, in->eos, (size_t)in->n_eos);
        mask(w->p, s->stop_ids, s->n_stop_ids);
    }
    if (s->repetition_penalty != 1)
        penalise_repetition(in, w);
    if (s->presence_penalty != 0 || s->frequency_penalty != 0)
        penalise_frequency(in, w);
}

/* ---- choosing ------------------------------------------------------------ */

/* The lowest id of the greatest logit. */
static int32_t id_of(const aim_sample_input *in, const float *logits, float greatest)
{
    int id = in->kernels->first_from(logits, in->vocab, greatest);
    return id < in->vocab ? id : 0; /* there is none where the greatest is NaN */
}

/* Drop what min_p, top_k and top_p leave out. The best token has p = 1. */
static void drop_unlikely(const aim_sample_input *in, work *w)
{
    const aim_sampling *s = in->params;
    bool top_k = s->top_k > 0 && s->top_k < in->vocab;
    if (s->min_p > 0)
        in->kernels->zero_below(w->p, in->vocab, (float)s->min_p);
    if (top_k)
        aim__keep_best(in->kernels, w->p, in->vocab, s->top_k, w->room);
    if (s->top_p < 1 && !aim__keep_nucleus(in->kernels, w->p, in->vocab, s->top_p, w->room))
        aim__keep_nucleus_exactly(w->p, in->vocab, s->top_p, top_k, w->room);
}

static int32_t draw(const aim_sample_input *in, const float *p)
{
    uint64_t number = (uint64_t)(in->n_tokens - in->n_prompt);
    double uniform = aim_rng_uniform(in->seed, AIM_STREAM_SAMPLER, number);
    int32_t id = aim__draw(in->kernels, p, in->vocab, uniform);
    return id >= 0 ? id : aim__draw_exactly(p, in->vocab, uniform);
}

int32_t aim_sample(const aim_sample_input *in)
{
    work w = lay_out(in->scratch, in->vocab);
    adjust(in, &w);
    float best = in->kernels->max(w.p, in->vocab);
    /* Below 1e-6 the softmax of float logits is an argmax. Where all are masked or one
     * overflowed there is nothing to compare. */
    if (in->params->temperature < 1e-6 || !(best > -INFINITY && best < INFINITY))
        return id_of(in, w.p, best);
    in->kernels->exp_scaled(w.p, in->vocab, best, (float)(1 / in->params->temperature));
    drop_unlikely(in, &w);
    return draw(in, w.p);
}
