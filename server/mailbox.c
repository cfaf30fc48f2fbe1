/* SPDX-License-Identifier: Apache-2.0 */
#include "server/mailbox.h"

#include "base/alloc.h"
#include "server/daemon.h"

#include <pthread.h>

struct aimd_mailbox {
    pthread_mutex_t lock;
    aim_event *head, **tail; /* guarded by lock */
};

struct aimd_mailbox *aimd_mailbox_new(void)
{
    struct aimd_mailbox *m = aim_calloc(1, sizeof *m);
    if (!m)
        return NULL;
    pthread_mutex_init(&m->lock, NULL);
    m->tail = &m->head;
    return m;
}

static aim_event *take_all(struct aimd_mailbox *m)
{
    pthread_mutex_lock(&m->lock);
    aim_event *events = m->head;
    m->head = NULL;
    m->tail = &m->head;
    pthread_mutex_unlock(&m->lock);
    return events;
}

void aimd_mailbox_free(struct aimd_mailbox *m)
{
    if (!m)
        return;
    for (aim_event *next, *e = take_all(m); e; e = next) {
        next = e->next;
        aim_event_free(e);
    }
    pthread_mutex_destroy(&m->lock);
    aim_free(m);
}

aim_error aimd_event_failure(const aim_event *e)
{
    aim_error err = {0};
    if (e->error)
        err = *e->error;
    else if (e->finish == AIM_FINISH_ABORT)
        aim_fail(&err, AIM_EUNAVAILABLE, "the server is shutting down");
    return err;
}

void aimd_event_sink(void *arg, aim_event *events)
{
    aimd_daemon *d = arg;
    struct aimd_mailbox *m = d->mailbox;
    if (!events)
        return;
    pthread_mutex_lock(&m->lock);
    *m->tail = events;
    while (*m->tail)
        m->tail = &(*m->tail)->next;
    pthread_mutex_unlock(&m->lock);
    uv_async_send(&d->wake);
}

/* libuv merges wake-ups: one may stand for many events, so take them all. */
void aimd_deliver_events(aimd_daemon *d)
{
    for (aim_event *next, *e = take_all(d->mailbox); e; e = next) {
        next = e->next;
        aimd_event_target *target = e->user;
        target->deliver(target, e);
        aim_event_free(e);
    }
}
