/* SPDX-License-Identifier: Apache-2.0 */
/* selection.h - which tokens are drawn from, and the draw.
 *
 * Everything here works on p [vocab]: unnormalised probabilities, exp(logit - max), so
 * from 0 to 1; a token is dropped by setting it to 0. Tokens are ordered by descending
 * probability, equal ones by ascending id.
 *
 * What is kept and drawn is defined by sums of doubles in one order, token after token.
 * Taking them so costs a sort of the vocabulary. The sums here are taken in the order
 * that is quickest, which can be off by a little that is known; where a decision is
 * closer than that, it is left to the functions of the same name that end in
 * `exactly`. So results are those of the definition, always. */
#ifndef AIM_ENGINE_SELECTION_H
#define AIM_ENGINE_SELECTION_H

#include "tensor/kernels.h"

/* Bytes of the room that the functions below work in. */
size_t aim__selection_room(int vocab);

/* Keep the first top_k tokens in their order. top_k is at least 1. */
void aim__keep_best(const aim_kernels *k, float *p, int vocab, int top_k, void *room);

/* Keep the first tokens in their order whose sum reaches `share` (in (0, 1)) of the sum
 * of all, at least one. false: too close to call, nothing was dropped. */
bool aim__keep_nucleus(const aim_kernels *k, float *p, int vocab, double share, void *room);
/* total_in_order: the sum of all is taken in the order of the tokens, else of ids. */
void aim__keep_nucleus_exactly(float *p, int vocab, double share, bool total_in_order, void *room);

/* The first token in order of ids up to which the sum is above `uniform` (in [0, 1))
 * times the sum of all, else the last. Some p is above 0. -1: too close to call. */
int32_t aim__draw(const aim_kernels *k, const float *p, int vocab, double uniform);
int32_t aim__draw_exactly(const float *p, int vocab, double uniform);

#endif
