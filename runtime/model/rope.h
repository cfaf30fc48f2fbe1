/* SPDX-License-Identifier: Apache-2.0 */
/* rope.h - the angles of rotary position embedding (Su et al. 2021,
 * "RoFormer", section 3.2), rounded where the PyTorch reference rounds. */
#ifndef AIM_MODEL_ROPE_H
#define AIM_MODEL_ROPE_H

/* inv_freq [dim / 2] = theta^(-2 i / dim). */
void aim__rope_frequencies(float *inv_freq, int dim, double theta);

/* cos, sin [dim / 2] of position * inv_freq[i]. position is below 2^20. */
void aim__rope_angles(const float *inv_freq, int dim, int position, float *cos, float *sin);

#endif
