/* SPDX-License-Identifier: Apache-2.0 */
/* mailbox.h - events on their way from the engines' threads to the loop, and whom they
 * are for. */
#ifndef AIMD_MAILBOX_H
#define AIMD_MAILBOX_H

#include "engine/engine.h"

typedef struct aimd_daemon aimd_daemon;

/* What aim_request.user of every request to an engine points to: part of something that
 * hears of the request, and lives until the last event of each candidate has come. */
typedef struct aimd_event_target {
    /* One event; what the target is part of may be freed by it. Loop thread. */
    void (*deliver)(struct aimd_event_target *target, const aim_event *e);
} aimd_event_target;

/* Why a candidate ended without an answer, in its last event; code AIM_OK if nothing went
 * wrong. */
aim_error aimd_event_failure(const aim_event *e);

/* NULL when out of memory. */
struct aimd_mailbox *aimd_mailbox_new(void);
void aimd_mailbox_free(struct aimd_mailbox *m);

/* The sink given to engines, with the daemon: any thread; queues and wakes the loop. */
void aimd_event_sink(void *arg, aim_event *events);
/* Hand out all that waits. Loop thread. */
void aimd_deliver_events(aimd_daemon *d);

#endif
