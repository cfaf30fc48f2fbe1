/* SPDX-License-Identifier: Apache-2.0 */
/* deliver.h - from a chosen token to an event: text, stop conditions, the end.
 * Engine thread only. */
#ifndef AIM_ENGINE_DELIVER_H
#define AIM_ENGINE_DELIVER_H

#include "engine/step.h"

/* The group leaves the queue: take what it needs, go back to where its answers were
 * interrupted, and tell. false: no memory, and all its candidates have ended. */
bool aim__deliver_start(aim_scheduler *s, aim_group *g, aim_event_list *events);

/* An event of q with room for the logprobs it asked for; NULL without memory. */
aim_event *aim__token_event(const aim_sequence *q);

/* Append the token to q, find out whether it ends, append the event (NULL: q
 * fails for want of memory) to the list. */
void aim__deliver_token(aim_scheduler *s, const aim_hf_config *config, aim_sequence *q,
                        int32_t token, aim_event *event, aim_event_list *events);

/* The prompt of g is in the cache: its event, and the end of candidates that
 * are to generate nothing. */
void aim__deliver_prompt(aim_scheduler *s, aim_group *g, aim_event_list *events);

#endif
