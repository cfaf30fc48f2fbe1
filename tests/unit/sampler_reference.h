/* SPDX-License-Identifier: Apache-2.0 */
/* sampler_reference.h - what sampler.h promises, as plainly as it can be written: the
 * vocabulary is sorted, and sums are taken token after token. */
#ifndef AIM_TESTS_UNIT_SAMPLER_REFERENCE_H
#define AIM_TESTS_UNIT_SAMPLER_REFERENCE_H

#include "engine/sampler.h"

int32_t reference_sample(const aim_sample_input *in);
/* logits without NaN; the rank of id, and the first n_top ids in order of rank. */
int reference_rank(const float *logits, int vocab, int32_t id, int32_t *top, int n_top);

#endif
