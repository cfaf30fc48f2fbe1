/* SPDX-License-Identifier: Apache-2.0 */
/* The listener: libmicrohttpd without threads of its own, its epoll descriptor
 * watched by the libuv loop. What this file takes care of was each learnt from
 * a hang, a busy loop or an abort of libmicrohttpd 0.9.75; the tests in
 * tests/api/test_http.py are named after them. */
#include "server/http_private.h"

#include "base/alloc.h"
#include "server/log.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---- running libmicrohttpd ----------------------------------------------- */

static void on_again(uv_timer_t *t)
{
    aimd__http_run(t->data);
}

/* A timer of 0 ms is due before the loop sleeps again, wherever in the
 * iteration it was started. */
void aimd__http_schedule(aimd_http *h)
{
    h->run_wanted = true;
    if (!h->running && !h->stopping)
        uv_timer_start(&h->again, on_again, 0, 0);
}

/* Client sockets are edge-triggered inside libmicrohttpd: input it left unread
 * makes no event, only this timeout (0) tells of it. */
static void schedule_next(aimd_http *h)
{
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (h->run_wanted || MHD_get_timeout(h->mhd, &ms) == MHD_YES)
        uv_timer_start(&h->again, on_again, h->run_wanted ? 0 : ms, 0);
    else
        uv_timer_stop(&h->again);
}

/* At the connection limit the listening socket leaves the epoll set; it is put
 * back at the start of a run, but closed connections are counted at the end of
 * one. Hence one more run after any close: otherwise the free place stays
 * unused until something else happens. */
void aimd__http_run(aimd_http *h)
{
    if (h->running || h->stopping)
        return;
    h->running = true;
    h->run_wanted = false;
    do {
        h->closed_one = false;
        MHD_run(h->mhd);
        h->runs++;
    } while (h->closed_one);
    h->running = false;
    if (h->stop_wanted)
        aimd_http_stop(h);
    else
        schedule_next(h);
}

static void on_events(uv_poll_t *p, int status, int events)
{
    (void)status, (void)events;
    aimd__http_run(p->data);
}

static void on_library_message(void *cls, const char *format, va_list ap)
    __attribute__((format(printf, 2, 0)));
static void on_library_message(void *cls, const char *format, va_list ap)
{
    char text[256];
    (void)cls;
    vsnprintf(text, sizeof text, format, ap);
    text[strcspn(text, "\n")] = '\0';
    aimd_log(AIMD_LOG_DEBUG, "libmicrohttpd", AIMD_STR("message", text));
}

/* ---- start --------------------------------------------------------------- */

static void free_hosts(const char *const *hosts)
{
    for (size_t i = 0; hosts && hosts[i]; i++)
        aim_free((void *)(uintptr_t)hosts[i]);
    aim_free((void *)(uintptr_t)hosts);
}

static int copy_hosts(aimd_http *h, const char *const *hosts, aim_error *err)
{
    size_t n = 0;
    h->limits.hosts = NULL;
    if (!hosts)
        return AIM_OK;
    while (hosts[n])
        n++;
    const char **copy = aim_calloc(n + 1, sizeof *copy);
    if (!copy)
        return aim_fail_nomem(err, "host names");
    h->limits.hosts = copy;
    for (size_t i = 0; i < n; i++) {
        copy[i] = aim_strdup(hosts[i]);
        if (!copy[i])
            return aim_fail_nomem(err, "host names");
    }
    return AIM_OK;
}

static struct MHD_Daemon *start_library(aimd_http *h)
{
    const aimd_http_limits *l = &h->limits;
    unsigned flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
    bool listens = h->listen_fd >= 0;
    struct MHD_OptionItem options[] = {
        {MHD_OPTION_EXTERNAL_LOGGER, (intptr_t)on_library_message, NULL}, /* must be the first */
        {MHD_OPTION_NOTIFY_CONNECTION, (intptr_t)aimd__on_connection, h},
        {MHD_OPTION_NOTIFY_COMPLETED, (intptr_t)aimd__on_completed, h},
        {MHD_OPTION_URI_LOG_CALLBACK, (intptr_t)aimd__on_request_line, h},
        {MHD_OPTION_UNESCAPE_CALLBACK, (intptr_t)aimd__on_unescape, NULL},
        {MHD_OPTION_CONNECTION_LIMIT, (intptr_t)l->max_connections, NULL},
        {MHD_OPTION_PER_IP_CONNECTION_LIMIT, (intptr_t)l->max_connections_per_ip, NULL},
        {MHD_OPTION_CONNECTION_MEMORY_LIMIT, (intptr_t)l->header_bytes, NULL},
        /* Refusals of the strict mode are sent with a doubled header; we check ourselves. */
        {MHD_OPTION_STRICT_FOR_CLIENT, 0, NULL},
        {MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, NULL},
        {listens ? MHD_OPTION_LISTEN_SOCKET : MHD_OPTION_END, h->listen_fd, NULL},
        {MHD_OPTION_END, 0, NULL},
    };
    if (!listens)
        flags |= MHD_USE_NO_LISTEN_SOCKET;
    return MHD_start_daemon(flags, 0, NULL, NULL, aimd__on_access, h, MHD_OPTION_ARRAY, options,
                            MHD_OPTION_END);
}

static void init_handles(aimd_http *h)
{
    uv_timer_init(h->loop, &h->again);
    h->again.data = h;
    aimd__sweep_init(h);
    h->open_handles = 2;
}

static int start(aimd_http *h, aim_error *err)
{
    h->mhd = start_library(h);
    if (!h->mhd)
        return aim_fail(err, AIM_EIO, "port %d: cannot start the HTTP server", h->port);
    int fd = MHD_get_daemon_info(h->mhd, MHD_DAEMON_INFO_EPOLL_FD)->epoll_fd;
    int rc = uv_poll_init(h->loop, &h->events, fd);
    if (rc != 0)
        return aim_fail(err, AIM_EIO, "port %d: %s", h->port, uv_strerror(rc));
    h->has_events = true;
    h->open_handles++;
    h->events.data = h;
    rc = uv_poll_start(&h->events, UV_READABLE, on_events);
    if (rc != 0)
        return aim_fail(err, AIM_EIO, "port %d: %s", h->port, uv_strerror(rc));
    aimd__http_run(h);
    return AIM_OK;
}

/* Takes listen_fd (-1: none) if own. */
static aimd_http *new_listener(uv_loop_t *loop, int listen_fd, bool own,
                               const aimd_http_limits *limits, const aimd_http_app *app,
                               aim_error *err)
{
    aimd_http *h = aim_calloc(1, sizeof *h);
    if (!h) {
        aim_fail_nomem(err, "listener");
        if (own && listen_fd >= 0)
            close(listen_fd);
        return NULL;
    }
    h->loop = loop;
    h->app = *app;
    h->limits = *limits;
    h->listen_fd = listen_fd;
    h->own_listen_fd = own;
    h->port = aimd__socket_port(listen_fd);
    if (uv_random(NULL, NULL, &h->id_prefix, sizeof h->id_prefix, 0, NULL) != 0)
        h->id_prefix = uv_hrtime();
    init_handles(h);
    if (copy_hosts(h, limits->hosts, err) == AIM_OK && start(h, err) == AIM_OK)
        return h;
    aimd_http_stop(h);
    return NULL;
}

aimd_http *aimd_http_new(uv_loop_t *loop, const char *address, int port, int listen_fd,
                         const aimd_http_limits *limits, const aimd_http_app *app, aim_error *err)
{
    bool own = listen_fd < 0;
    /* Writes to a closed connection must fail, not kill the process. */
    signal(SIGPIPE, SIG_IGN);
    if (own)
        listen_fd = aimd__listen(address, port, err);
    else if (aimd__check_listening(listen_fd, err) != AIM_OK)
        return NULL;
    return listen_fd < 0 ? NULL : new_listener(loop, listen_fd, own, limits, app, err);
}

aimd_http *aimd__http_new_detached(uv_loop_t *loop, const aimd_http_limits *limits,
                                   const aimd_http_app *app, aim_error *err)
{
    signal(SIGPIPE, SIG_IGN);
    return new_listener(loop, -1, false, limits, app, err);
}

bool aimd__http_adopt(aimd_http *h, int fd)
{
    struct sockaddr_storage nobody = {.ss_family = AF_UNIX};
    bool ok =
        MHD_add_connection(h->mhd, fd, (struct sockaddr *)&nobody, sizeof(sa_family_t)) == MHD_YES;
    aimd__http_schedule(h);
    return ok;
}

/* ---- stop ---------------------------------------------------------------- */

void aimd_http_quiesce(aimd_http *h)
{
    if (h->quiesced)
        return;
    h->quiesced = true;
    if (h->mhd)
        MHD_quiesce_daemon(h->mhd);
    if (h->own_listen_fd && h->listen_fd >= 0)
        close(h->listen_fd);
    h->listen_fd = -1;
}

static void on_handle_closed(uv_handle_t *handle)
{
    aimd_http *h = handle->data;
    if (--h->open_handles > 0)
        return;
    free_hosts(h->limits.hosts);
    aim_free(h);
}

/* libmicrohttpd aborts if it is stopped with a suspended connection: every
 * exchange is cancelled, which resumes it, and one run lets that take effect.
 * From here on no request is let in that could suspend another. */
static void stop_library(aimd_http *h)
{
    for (aimd_connection *c = h->connections; c; c = c->next)
        aimd__connection_cut(c);
    h->running = true;
    MHD_run(h->mhd);
    MHD_stop_daemon(h->mhd);
    h->mhd = NULL;
    h->running = false;
}

void aimd_http_stop(aimd_http *h)
{
    if (!h || h->stopping)
        return;
    if (h->running) { /* called by a handler: libmicrohttpd is below us */
        h->stop_wanted = true;
        return;
    }
    h->stopping = true;
    aimd_http_quiesce(h);
    if (h->has_events)
        uv_poll_stop(&h->events); /* before its descriptor is closed */
    if (h->mhd)
        stop_library(h);
    if (h->has_events)
        uv_close((uv_handle_t *)&h->events, on_handle_closed);
    uv_close((uv_handle_t *)&h->again, on_handle_closed);
    uv_close((uv_handle_t *)&h->sweep, on_handle_closed);
}

int aimd_http_port(const aimd_http *h)
{
    return h->port;
}

int aimd_http_exchanges(const aimd_http *h)
{
    return h->n_exchanges;
}

int aimd_http_connections(const aimd_http *h)
{
    return h->n_connections;
}
