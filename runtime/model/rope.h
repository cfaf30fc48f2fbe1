/* SPDX-License-Identifier: Apache-2.0 */
/* rope.h - the angles of rotary position embedding (Su et al. 2021,
 * "RoFormer", section 3.2), and the ways to stretch it to longer contexts, rounded
 * where the PyTorch reference rounds. */
#ifndef AIM_MODEL_ROPE_H
#define AIM_MODEL_ROPE_H

#include "checkpoint/hf_config.h"

/* inv_freq [r->dim / 2]: theta^(-2 i / dim), scaled as r->kind says. is_long: for
 * sequences longer than r->original_positions (AIM_ROPE_LONGROPE alone asks). */
void aim__rope_frequencies(float *inv_freq, const aim_rope *r, bool is_long);

/* cos, sin [r->dim / 2] of position * inv_freq[i], times r->attention_factor.
 * position is below 2^20. */
void aim__rope_angles(const aim_rope *r, const float *inv_freq, int position, float *cos,
                      float *sin);

#endif
