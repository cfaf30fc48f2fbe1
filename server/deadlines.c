/* SPDX-License-Identifier: Apache-2.0 */
/* Deadlines of connections. libmicrohttpd's own timeout counts inactivity, so
 * that one byte now and then holds a connection for ever; these are totals.
 *
 * One timer a listener, set to the earliest deadline it has heard of. Deadlines
 * move away (a request came in, a client read on) far more often than they
 * strike, so moving one does not touch the timer: it fires, finds nobody late,
 * and goes on to the next. With no deadline set it does not run at all. */
#include "server/http_private.h"

/* A scan costs a walk over all connections; no two come closer than this. */
enum { SWEEP_GAP_MS = 50 };

uint64_t aimd__now_ms(void)
{
    return uv_hrtime() / 1000000;
}

static void on_sweep(uv_timer_t *t);

static void arm(aimd_http *h, uint64_t due_ms)
{
    uint64_t now = aimd__now_ms();
    uint64_t wait = due_ms > now + SWEEP_GAP_MS ? due_ms - now : SWEEP_GAP_MS;
    if (uv_is_active((uv_handle_t *)&h->sweep) && h->sweep_ms <= now + wait)
        return;
    h->sweep_ms = now + wait;
    uv_timer_start(&h->sweep, on_sweep, wait, 0);
}

static void on_sweep(uv_timer_t *t)
{
    aimd_http *h = t->data;
    uint64_t now = aimd__now_ms(), next = UINT64_MAX;
    for (aimd_connection *c = h->connections; c; c = c->next) {
        if (c->deadline_ms == 0)
            continue;
        if (c->deadline_ms <= now)
            aimd__connection_cut(c);
        else if (c->deadline_ms < next)
            next = c->deadline_ms;
    }
    if (next != UINT64_MAX)
        arm(h, next);
}

void aimd__sweep_init(aimd_http *h)
{
    uv_timer_init(h->loop, &h->sweep);
    h->sweep.data = h;
}

void aimd__deadline_set(aimd_connection *c, unsigned seconds)
{
    if (c->http->stopping || seconds == 0) {
        c->deadline_ms = 0;
        return;
    }
    c->deadline_ms = aimd__now_ms() + (uint64_t)seconds * 1000;
    arm(c->http, c->deadline_ms);
}

void aimd__deadline_clear(aimd_connection *c)
{
    c->deadline_ms = 0;
}
