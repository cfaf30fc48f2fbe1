/* SPDX-License-Identifier: Apache-2.0 */
/* sampler.h - from logits to a token id, a pure function of (logits, tokens so
 * far, parameters, seed, number of the token). */
#ifndef AIM_ENGINE_SAMPLER_H
#define AIM_ENGINE_SAMPLER_H

#include "tensor/kernels.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aim_logit_bias {
    int32_t id;
    float bias;
} aim_logit_bias;

/* Owned by whoever fills it; aim_sampling_fini frees the arrays. */
typedef struct aim_sampling {
    double temperature;                         /* 0: argmax, lowest id wins ties */
    double top_p;                               /* (0, 1], 1: off */
    double min_p;                               /* [0, 1], 0: off */
    int top_k;                                  /* 0: off */
    double presence_penalty, frequency_penalty; /* subtracted, over generated tokens */
    double repetition_penalty;                  /* > 0, 1: off; over prompt and generated tokens */
    aim_logit_bias *bias;
    size_t n_bias;
    int min_tokens;  /* no EOS or stop token before so many */
    bool ignore_eos; /* EOS does not end the sequence */
    int32_t *stop_ids;
    size_t n_stop_ids;
} aim_sampling;

void aim_sampling_init(aim_sampling *s); /* the neutral values above */
void aim_sampling_fini(aim_sampling *s);

typedef struct aim_token_logprob {
    int32_t id;
    float logprob;
} aim_token_logprob;

/* Everything one call reads. */
typedef struct aim_sample_input {
    const aim_kernels *kernels;
    const float *logits; /* [vocab] raw, unchanged by the call */
    int vocab;
    const aim_sampling *params;
    const int32_t *tokens; /* prompt, then generated */
    int n_prompt, n_tokens;
    const int32_t *eos;
    int n_eos;
    uint64_t seed; /* of the candidate */
    /* Scratch of aim_sampler_scratch(vocab) bytes, 64-byte aligned. */
    void *scratch;
} aim_sample_input;

size_t aim_sampler_scratch(int vocab);

/* Order: logit_bias, min_tokens mask, repetition, presence and frequency
 * penalties, temperature, min_p, top_k, top_p, draw by inverse CDF in order of
 * ids with Philox stream (seed, AIM_STREAM_SAMPLER, n_tokens - n_prompt). */
int32_t aim_sample(const aim_sample_input *in);

/* Log-softmax of raw logits: the logprob and rank (1: best; ids with a greater
 * logit, or an equal one and a lower id, rank before) of `id`, and the n_top
 * best in order of rank (n_top at most vocab). */
void aim_logprobs(const aim_kernels *k, const float *logits, int vocab, int32_t id, int n_top,
                  float *logprob, int *rank, aim_token_logprob *top, void *scratch);

/* The self-certainty of a choice from raw logits [vocab] (Kang et al. 2025): KL(U || p) of
 * the uniform distribution and the model's, which is log-sum-exp - mean of the logits - log
 * vocab. The same bits with all kernels. 0, the least, if a logit is not finite. */
float aim_self_certainty(const aim_kernels *k, const float *logits, int vocab);

#endif
