/* SPDX-License-Identifier: Apache-2.0 */
/* A TCP connection: its place in the list, and noticing that its client left. */
#include "server/http_private.h"

#include "base/alloc.h"

#include <sys/socket.h>

static void link_connection(aimd_http *h, aimd_connection *c)
{
    c->next = h->connections;
    c->link = &h->connections;
    if (c->next)
        c->next->link = &c->next;
    h->connections = c;
    h->n_connections++;
}

static void unlink_connection(aimd_connection *c)
{
    *c->link = c->next;
    if (c->next)
        c->next->link = c->link;
    c->http->n_connections--;
}

static int socket_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

/* Without memory for the connection nothing would watch it: shut it at once,
 * libmicrohttpd then reads the end of the stream. */
static void on_opened(aimd_http *h, struct MHD_Connection *mhd, void **context)
{
    aimd_connection *c = aim_calloc(1, sizeof *c);
    *context = c;
    if (!c) {
        shutdown(socket_of(mhd), SHUT_RDWR);
        return;
    }
    c->http = h;
    c->mhd = mhd;
    c->fd = socket_of(mhd);
    link_connection(h, c);
    aimd__deadline_set(c, h->limits.header_timeout);
}

static void on_hangup_closed(uv_handle_t *handle)
{
    aim_free(handle->data);
}

/* libmicrohttpd closes the descriptor after this, and the kernel may give its
 * number to the next client in the same loop iteration: uv_close takes the
 * watch off the descriptor now, only the memory lives on. */
static void on_closed(aimd_http *h, aimd_connection *c)
{
    h->closed_one = true;
    if (!c)
        return;
    unlink_connection(c);
    if (c->has_hangup)
        uv_close((uv_handle_t *)&c->hangup, on_hangup_closed);
    else
        aim_free(c);
}

void aimd__on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_ConnectionNotificationCode code)
{
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        on_opened(cls, mhd, context);
    else
        on_closed(cls, *context);
}

aimd_connection *aimd__connection_of(struct MHD_Connection *mhd)
{
    return MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* After the shutdown every read and write of libmicrohttpd fails, which covers
 * the states in which it waits for the socket; in the others it waits for us. */
void aimd__connection_cut(aimd_connection *c)
{
    aimd__deadline_clear(c);
    shutdown(c->fd, SHUT_RDWR);
    if (c->exchange) {
        c->exchange->cancelled = true;
        aimd__exchange_wake(c->exchange);
    }
    aimd__http_schedule(c->http);
}

/* ---- the client went away ------------------------------------------------ */

/* libmicrohttpd takes a suspended connection out of its epoll set and so cannot
 * see it close. This watch sits in libuv's own set and asks only for the
 * peer's end of stream, which input that waits unread does not hide. It stays
 * on for the rest of the exchange: starting and stopping it with every token
 * would cost two system calls each.
 *
 * A half-close looks the same as a client that left, and is treated so. */
static void on_hangup(uv_poll_t *w, int status, int events)
{
    aimd_connection *c = w->data;
    (void)status, (void)events;
    uv_poll_stop(w);
    aimd__connection_cut(c);
    aimd__http_run(c->http);
}

void aimd__hangup_start(aimd_connection *c)
{
    if (!c->has_hangup) {
        if (uv_poll_init(c->http->loop, &c->hangup, c->fd) != 0)
            return;
        c->hangup.data = c;
        c->has_hangup = true;
    }
    if (!uv_is_active((uv_handle_t *)&c->hangup))
        uv_poll_start(&c->hangup, UV_DISCONNECT, on_hangup);
}

void aimd__hangup_stop(aimd_connection *c)
{
    /* Stopping costs a system call even if nothing was started. */
    if (c->has_hangup && uv_is_active((uv_handle_t *)&c->hangup))
        uv_poll_stop(&c->hangup);
}
