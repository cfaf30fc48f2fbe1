/* SPDX-License-Identifier: Apache-2.0 */
#include "server/listeners.h"

#include "server/routes.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum {
    HEADER_BYTES = 32 << 10,
    BUFFER_SOFT = 64 << 10,
    BUFFER_HARD = 4 << 20,
    SPARE_CONNECTIONS = 64, /* beside one for each sequence and queue place */
    ADMIN_CONNECTIONS = 64,
};

static unsigned connection_limit(const aimd_options *o)
{
    unsigned n = SPARE_CONNECTIONS;
    if (o->max_connections)
        return (unsigned)o->max_connections;
    for (size_t i = 0; i < o->n_models; i++)
        n += (unsigned)o->models[i].engine.max_sequences + (unsigned)o->models[i].engine.max_queue;
    return n;
}

static aimd_http_limits make_limits(const aimd_options *o, unsigned connections, const char *host)
{
    unsigned per_ip = (unsigned)o->max_connections_per_ip;
    return (aimd_http_limits){
        .max_connections = connections,
        .max_connections_per_ip = per_ip && per_ip < connections ? per_ip : connections,
        .header_bytes = HEADER_BYTES,
        .header_timeout = (unsigned)o->header_timeout,
        .body_timeout = (unsigned)o->body_timeout,
        .idle_timeout = (unsigned)o->idle_timeout,
        .send_timeout = (unsigned)o->send_timeout,
        .buffer_soft = BUFFER_SOFT,
        .buffer_hard = BUFFER_HARD,
        .hosts = aimd_allowed_hosts(o, host),
    };
}

/* The address that the socket fd is bound to, as text; "" if it has none. */
static void bound_host(int fd, char text[INET6_ADDRSTRLEN])
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    const void *binary = NULL;
    if (getsockname(fd, (struct sockaddr *)&a, &len) == 0 && a.ss_family == AF_INET)
        binary = &((struct sockaddr_in *)&a)->sin_addr;
    else if (a.ss_family == AF_INET6)
        binary = &((struct sockaddr_in6 *)&a)->sin6_addr;
    if (!binary || !inet_ntop(a.ss_family, binary, text, INET6_ADDRSTRLEN))
        text[0] = '\0';
}

static void log_listening(const char *listener, const char *host, int port)
{
    char address[INET6_ADDRSTRLEN + sizeof "[]:65535"];
    snprintf(address, sizeof address, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
    aimd_log(AIMD_LOG_INFO, "listening", AIMD_STR("listener", listener),
             AIMD_STR("address", address));
}

/* One place to listen. */
typedef struct place {
    const char *listener, *option;
    const aimd_address *address;
    int fd; /* >= 0: a socket that was handed over */
    unsigned connections;
    aimd_http_app app;
} place;

static aimd_http *listen_at(aimd_daemon *d, const place *p, aim_error *err)
{
    const aimd_options *o = d->options;
    aim_error cause = {0};
    char handed[INET6_ADDRSTRLEN];
    const char *host = p->address->host;
    if (p->fd >= 0) {
        bound_host(p->fd, handed);
        host = handed;
    }
    if (p->fd >= 0 && !o->api_key_file && !aimd_is_loopback(host)) {
        aim_fail(err, AIM_EINVAL,
                 "socket activation: other hosts can reach %s, so an api_key_file is needed", host);
        return NULL;
    }
    aimd_http_limits limits = make_limits(o, p->connections, host);
    aimd_http *h = aimd_http_new(d->loop, host, p->address->port, p->fd, &limits, &p->app, &cause);
    if (h)
        log_listening(p->listener, host, aimd_http_port(h));
    else
        aim_fail(err, cause.code, "%s: %s", p->option, cause.text);
    return h;
}

int aimd_listeners_open(aimd_daemon *d, aimd_activation *sockets, aim_error *err)
{
    const aimd_options *o = d->options;
    int rc = aimd_activation_take(sockets, err);
    if (rc)
        return rc;
    place main_place = {
        "main", "listen", &o->listen, sockets->main_fd, connection_limit(o), aimd_main_app(d)};
    place admin_place = {"admin",           "admin_listen (\"none\" turns it off)",
                         &o->admin,         sockets->admin_fd,
                         ADMIN_CONNECTIONS, aimd_admin_app(d)};
    if (!(d->main_listener = listen_at(d, &main_place, err)))
        return (int)err->code;
    if (!o->admin.host && sockets->admin_fd < 0)
        return 0;
    return (d->admin_listener = listen_at(d, &admin_place, err)) ? 0 : (int)err->code;
}
