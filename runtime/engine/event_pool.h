/* SPDX-License-Identifier: Apache-2.0 */
/* event_pool.h - the events of a group's tokens, made when it starts: what happens
 * between two tokens takes no memory from the system.
 *
 * The engine thread takes events out; aim_event_free brings them back, on any thread.
 * Where readers keep more of them than were made the pool grows, and so does the room
 * of an event whose text is longer than any was expected to be; both are kept. The pool
 * goes when the group and all of its events have. */
#ifndef AIM_ENGINE_EVENT_POOL_H
#define AIM_ENGINE_EVENT_POOL_H

#include "engine/engine.h"

typedef struct aim_event_pool aim_event_pool;

/* For so many candidates; each event with room for text_room bytes and n_top logprobs.
 * NULL without memory. */
aim_event_pool *aim__event_pool_new(int candidates, size_t text_room, int n_top);
/* Bytes of that for each candidate. */
size_t aim__event_pool_need(size_t text_room, int n_top);
/* The group lets go; NULL is fine. */
void aim__event_pool_free(aim_event_pool *p);

/* Engine thread. Zeroed but for `top`; NULL without memory. */
aim_event *aim__event_pool_take(aim_event_pool *p);
/* Sets text, a copy of n bytes, and held, of the so many that follow. Engine thread; false
 * without memory. */
bool aim__event_set_text(aim_event *e, const char *text, size_t n, size_t held);
/* What aim_event_free does with an event of a pool. Any thread. */
void aim__event_give_back(aim_event *e);

#endif
