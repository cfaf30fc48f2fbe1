/* SPDX-License-Identifier: Apache-2.0 */
/* One request and what is known of it, from its header to its end. */
#include "server/http_private.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* ---- birth and death ----------------------------------------------------- */

static void make_id(aimd_exchange *x)
{
    aimd_http *h = x->connection->http;
    const char *sent = aimd_exchange_header(x, "x-request-id");
    if (sent && aimd_request_id_ok(sent))
        snprintf(x->id, sizeof x->id, "%s", sent);
    else
        snprintf(x->id, sizeof x->id, "req_%016" PRIx64 "%08" PRIx64, h->id_prefix, h->id_count++);
}

static void free_exchange(aimd_exchange *x)
{
    for (size_t i = 0; i < x->n_headers; i++) {
        aim_free(x->headers[i].name);
        aim_free(x->headers[i].value);
    }
    if (x->response)
        MHD_destroy_response(x->response);
    aim_buf_free(&x->body);
    aim_buf_free(&x->out);
    aim_free(x->method);
    aim_free(x->path);
    aim_free(x);
}

aimd_exchange *aimd__exchange_new(aimd_connection *c, const char *method, const char *url)
{
    aimd_exchange *x = aim_calloc(1, sizeof *x);
    if (!x)
        return NULL;
    x->connection = c;
    x->references = 1;
    x->start_ns = uv_hrtime();
    x->method = aim_strdup(method);
    x->path = aim_strdup(url); /* decoded in place later: never longer */
    if (!x->method || !x->path) {
        free_exchange(x);
        return NULL;
    }
    make_id(x);
    c->exchange = x;
    c->http->n_exchanges++;
    return x;
}

/* A response that was begun but not brought to its end is no success. */
static int final_status(const aimd_exchange *x)
{
    if (x->state != AIMD__SENDING)
        return 0;
    return x->complete ? x->status : aim_code_http_status(AIM_ECANCELED);
}

void aimd__exchange_finish(aimd_exchange *x)
{
    aimd_connection *c = x->connection;
    const aimd_http_app *app = &c->http->app;
    aimd__hangup_stop(c);
    c->exchange = NULL;
    c->http->n_exchanges--;
    x->cancelled = true;
    if (!x->complete && x->on_gone)
        x->on_gone(x->user);
    app->on_done(app->arg, x, final_status(x));
    x->state = AIMD__OVER;
    x->connection = NULL;
    aimd_exchange_release(x);
}

void aimd_exchange_hold(aimd_exchange *x)
{
    x->references++;
}

void aimd_exchange_release(aimd_exchange *x)
{
    if (--x->references == 0)
        free_exchange(x);
    else
        aimd__exchange_check_orphan(x);
}

/* Only the connection knows the exchange, and the answer is not complete: that
 * is a bug of ours, and must not leave a client hanging. */
void aimd__exchange_check_orphan(aimd_exchange *x)
{
    bool waiting = x->state == AIMD__WAITING || x->state == AIMD__SENDING;
    if (x->references > 1 || x->complete || x->cancelled || !waiting)
        return;
    if (x->answered)
        aimd__connection_cut(x->connection);
    else
        aimd_respond_status(x, 500, "server_error", NULL, "the request was dropped");
}

void aimd__exchange_wake(aimd_exchange *x)
{
    if (!x->suspended)
        return;
    x->suspended = false;
    MHD_resume_connection(x->connection->mhd);
    aimd__http_schedule(x->connection->http);
}

void aimd__exchange_cancel(aimd_exchange *x)
{
    if (x->connection)
        aimd__connection_cut(x->connection);
}

/* ---- what is known ------------------------------------------------------- */

const char *aimd_exchange_method(const aimd_exchange *x)
{
    return x->method;
}

const char *aimd_exchange_path(const aimd_exchange *x)
{
    return x->path;
}

const char *aimd_exchange_header(const aimd_exchange *x, const char *name)
{
    return x->connection ? MHD_lookup_connection_value(x->connection->mhd, MHD_HEADER_KIND, name)
                         : NULL;
}

const char *aimd_exchange_body(const aimd_exchange *x, size_t *len)
{
    *len = x->body.len;
    return x->body.data ? x->body.data : "";
}

static void find_peer(aimd_connection *c)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(c->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    const struct sockaddr *a = info ? info->client_addr : NULL;
    socklen_t len =
        a && a->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
    if (!a || (a->sa_family != AF_INET && a->sa_family != AF_INET6) ||
        getnameinfo(a, len, c->peer, sizeof c->peer, NULL, 0, NI_NUMERICHOST) != 0)
        snprintf(c->peer, sizeof c->peer, "local");
}

const char *aimd_exchange_peer(const aimd_exchange *x)
{
    if (!x->connection)
        return "gone";
    if (!x->connection->peer[0])
        find_peer(x->connection);
    return x->connection->peer;
}

const char *aimd_exchange_id(const aimd_exchange *x)
{
    return x->id;
}

uint64_t aimd_exchange_start_ns(const aimd_exchange *x)
{
    return x->start_ns;
}

size_t aimd_exchange_bytes_sent(const aimd_exchange *x)
{
    return x->bytes_sent;
}

void aimd_exchange_set_user(aimd_exchange *x, void *user, void (*on_gone)(void *user))
{
    x->user = user;
    x->on_gone = on_gone;
}

void aimd_exchange_set_log(aimd_exchange *x, void *log)
{
    x->log = log;
}

void *aimd_exchange_log(const aimd_exchange *x)
{
    return x->log;
}
