/* SPDX-License-Identifier: Apache-2.0 */
/* score_request.h - what a reward model reads, as a request for its engine. */
#ifndef AIMD_SCORE_REQUEST_H
#define AIMD_SCORE_REQUEST_H

#include "engine/engine.h"
#include "search/reward.h"

/* Asks for the scores of the steps from first_step on, if there are any. Takes the tokens of
 * the input, whose counts stay. Who it is for the caller fills in: user and numbers. NULL
 * when out of memory. */
aim_request *aimd_score_request(const aim_reward *reward, aim_reward_input *input, int first_step);

#endif
