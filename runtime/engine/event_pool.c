/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/event_pool.h"

#include "base/alloc.h"

#include <stdatomic.h>
#include <string.h>

/* A candidate has one event a step: the others are on their way to the reader and back. */
enum { EVENTS_A_CANDIDATE = 4 };

typedef struct pooled {
    aim_event event; /* first: an event of a pool is a pooled */
    struct pooled *next;
    char *text;
    size_t text_room;
    bool text_apart; /* text is an allocation of its own */
    aim_token_logprob *top;
} pooled;

/* Events made at once, and behind them their logprobs and texts. */
typedef struct chunk {
    struct chunk *next;
    pooled events[];
} chunk;

struct aim_event_pool {
    chunk *chunks;
    int events; /* of a chunk */
    size_t text_room;
    int n_top;
    pooled *ready;              /* engine thread only */
    _Atomic(pooled *) returned; /* pushed by any thread, taken all at once by the engine's */
    atomic_int holders;         /* the group, and each event that is out */
};

static size_t bytes_an_event(size_t text_room, int n_top)
{
    return sizeof(pooled) + (size_t)n_top * sizeof(aim_token_logprob) + text_room;
}

size_t aim__event_pool_need(size_t text_room, int n_top)
{
    return EVENTS_A_CANDIDATE * bytes_an_event(text_room, n_top);
}

static bool chunk_bytes(int events, size_t text_room, int n_top, size_t *out)
{
    return aim_mul((size_t)events, bytes_an_event(text_room, n_top), out) &&
           aim_add(*out, sizeof(chunk), out);
}

static bool add_chunk(aim_event_pool *p)
{
    size_t bytes, n = (size_t)p->events, n_top = (size_t)p->n_top;
    chunk *c = chunk_bytes(p->events, p->text_room, p->n_top, &bytes) ? aim_calloc(1, bytes) : NULL;
    if (!c)
        return false;
    aim_token_logprob *tops = (aim_token_logprob *)(c->events + n);
    char *texts = (char *)(tops + n * n_top);
    for (size_t i = 0; i < n; i++) {
        pooled *e = &c->events[i];
        e->top = tops + i * n_top;
        e->text = texts + i * p->text_room;
        e->text_room = p->text_room;
        e->next = p->ready;
        p->ready = e;
    }
    c->next = p->chunks;
    p->chunks = c;
    return true;
}

aim_event_pool *aim__event_pool_new(int candidates, size_t text_room, int n_top)
{
    aim_event_pool *p = aim_calloc(1, sizeof *p);
    if (!p)
        return NULL;
    p->events = candidates * EVENTS_A_CANDIDATE;
    p->text_room = text_room;
    p->n_top = n_top;
    atomic_init(&p->holders, 1);
    if (add_chunk(p))
        return p;
    aim__event_pool_free(p);
    return NULL;
}

static void free_chunk(chunk *c, int events)
{
    for (int i = 0; i < events; i++)
        if (c->events[i].text_apart)
            aim_free(c->events[i].text);
    aim_free(c);
}

static void let_go(aim_event_pool *p)
{
    if (atomic_fetch_sub(&p->holders, 1) > 1)
        return;
    for (chunk *next, *c = p->chunks; c; c = next) {
        next = c->next;
        free_chunk(c, p->events);
    }
    aim_free(p);
}

void aim__event_pool_free(aim_event_pool *p)
{
    if (p)
        let_go(p);
}

aim_event *aim__event_pool_take(aim_event_pool *p)
{
    if (!p->ready)
        p->ready = atomic_exchange(&p->returned, NULL);
    if (!p->ready && !add_chunk(p))
        return NULL;
    pooled *e = p->ready;
    p->ready = e->next;
    atomic_fetch_add(&p->holders, 1);
    e->event = (aim_event){.pool = p, .top = e->top};
    return &e->event;
}

static bool make_room(pooled *e, size_t room)
{
    if (room <= e->text_room)
        return true;
    char *own = aim_malloc(room);
    if (!own)
        return false;
    if (e->text_apart)
        aim_free(e->text);
    e->text = own;
    e->text_room = room;
    e->text_apart = true;
    return true;
}

static char *put_string(char *to, const char *text, size_t n)
{
    memcpy(to, text, n);
    to[n] = '\0';
    return to;
}

bool aim__event_set_text(aim_event *event, const char *text, size_t n, size_t held)
{
    pooled *e = (pooled *)event;
    size_t room;
    if (!aim_add(n, held, &room) || !aim_add(room, 2, &room) || !make_room(e, room))
        return false;
    event->text = put_string(e->text, text, n);
    event->text_len = n;
    event->held = put_string(e->text + n + 1, text + n, held);
    event->held_len = held;
    return true;
}

void aim__event_give_back(aim_event *event)
{
    pooled *e = (pooled *)event;
    aim_event_pool *p = event->pool;
    e->next = atomic_load(&p->returned);
    while (!atomic_compare_exchange_weak(&p->returned, &e->next, e))
        ; /* e->next is what is there now */
    let_go(p);
}
