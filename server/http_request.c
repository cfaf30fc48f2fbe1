/* SPDX-License-Identifier: Apache-2.0 */
/* Taking a request in: libmicrohttpd's callbacks, in the order in which they
 * come. The access handler is called once with the header, then with pieces of
 * the body, then without data once the request is whole, and again each time
 * the connection is resumed without a response. */
#include "server/http_private.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* An early refusal of a body up to this size is sent after the body was read,
 * so that the client hears it for certain and keeps its connection. */
enum { DISCARD_BYTES = 64 * 1024 };

/* The request line is in: a connection that idled until now has a header to
 * finish. (A new connection has had that deadline since it was opened.) */
void *aimd__on_request_line(void *cls, const char *uri, struct MHD_Connection *mhd)
{
    aimd_http *h = cls;
    aimd_connection *c = aimd__connection_of(mhd);
    (void)uri;
    if (c)
        aimd__deadline_set(c, h->limits.header_timeout);
    return NULL;
}

/* Leave escapes alone: libmicrohttpd would cut the path at %00. */
size_t aimd__on_unescape(void *cls, struct MHD_Connection *mhd, char *s)
{
    (void)cls, (void)mhd;
    return strlen(s);
}

/* ---- the header ---------------------------------------------------------- */

static enum MHD_Result on_header(void *cls, enum MHD_ValueKind kind, const char *name,
                                 size_t name_len, const char *value, size_t value_len)
{
    (void)kind;
    aimd_header_check_add(cls, name, name_len, value ? value : "", value ? value_len : 0);
    return MHD_YES;
}

static void refuse(aimd_exchange *x, int status, const char *message)
{
    aimd_respond_status(x, status, "invalid_request_error", NULL, message);
}

static bool host_ok(const aimd_exchange *x)
{
    return !x->check.host || aimd_host_allowed(x->check.host, x->connection->http->limits.hosts);
}

/* Everything the header alone can be refused for, before the application sees
 * it. Answers and returns false, or returns true. */
static bool check_header(aimd_exchange *x, const char *url, const char *version)
{
    char text[256];
    MHD_get_connection_values_n(x->connection->mhd, MHD_HEADER_KIND, on_header, &x->check);
    bool path_ok = aimd_path_decode(url, x->path);
    if (aimd_header_check_end(&x->check, version) != 0) {
        refuse(x, x->check.status, x->check.why);
    } else if (!host_ok(x)) {
        snprintf(text, sizeof text,
                 "the Host header names \"%.100s\", which is not a name of this server "
                 "(see the option hosts)",
                 x->check.host);
        aimd_respond_status(x, 403, "permission_error", NULL, text);
    } else if (!path_ok) {
        refuse(x, 400, "the path is malformed");
    }
    return !x->answered;
}

static void respond_too_large(aimd_exchange *x)
{
    char text[128];
    snprintf(text, sizeof text, "the body is larger than %zu bytes", x->max_body);
    refuse(x, 413, text);
    aim_buf_free(&x->body);
}

static void ask_application(aimd_exchange *x)
{
    const aimd_http_app *app = &x->connection->http->app;
    if (app->on_headers(app->arg, x, &x->max_body) != 0) {
        if (!x->answered)
            aimd__exchange_cancel(x);
    } else if (x->check.length > x->max_body) {
        respond_too_large(x);
    }
}

/* Is the body that follows an early answer small enough to be read first? A
 * client that asks before it sends wants the answer now, and one whose framing
 * is in doubt must be cut off. */
static bool discards_body(const aimd_exchange *x)
{
    return x->check.status != 400 && !x->check.chunked && !x->check.expects_continue &&
           x->check.length > 0 && x->check.length <= DISCARD_BYTES;
}

/* Hand the response to libmicrohttpd. */
static enum MHD_Result queue(aimd_exchange *x)
{
    struct MHD_Response *response = x->response;
    x->response = NULL;
    x->state = AIMD__SENDING;
    aimd__deadline_set(x->connection, x->connection->http->limits.send_timeout);
    enum MHD_Result ok = MHD_queue_response(x->connection->mhd, (unsigned)x->status, response);
    MHD_destroy_response(response);
    return ok;
}

static enum MHD_Result take_header(aimd_http *h, struct MHD_Connection *mhd, const char *url,
                                   const char *method, const char *version, void **context)
{
    aimd_connection *c = aimd__connection_of(mhd);
    aimd_exchange *x = c && !h->stopping ? aimd__exchange_new(c, method, url) : NULL;
    if (!x)
        return MHD_NO;
    *context = x;
    aimd__deadline_set(c, h->limits.body_timeout);
    if (check_header(x, url, version))
        ask_application(x);
    if (x->cancelled)
        return MHD_NO;
    if (x->answered && !discards_body(x))
        return queue(x);
    return MHD_YES;
}

/* ---- the body ------------------------------------------------------------ */

/* libmicrohttpd takes a response only at the end of the body. A chunked one may
 * grow over its cap by as much again before the client is cut off unanswered;
 * that it does not take for ever is the deadline's business. */
static enum MHD_Result discard(aimd_exchange *x, size_t size)
{
    x->discarded += size;
    return x->discarded <= x->max_body + DISCARD_BYTES ? MHD_YES : MHD_NO;
}

static enum MHD_Result take_body(aimd_exchange *x, const char *data, size_t size)
{
    if (x->cancelled)
        return MHD_NO;
    if (!x->answered && size > x->max_body - x->body.len)
        respond_too_large(x);
    if (x->answered)
        return discard(x, size);
    aim_buf_append(&x->body, data, size);
    if (x->body.failed)
        aimd_respond_status(x, 503, "server_error", NULL, "out of memory for the body");
    return MHD_YES;
}

/* ---- the whole request --------------------------------------------------- */

static void give_to_application(aimd_exchange *x)
{
    const aimd_http_app *app = &x->connection->http->app;
    x->state = AIMD__WAITING;
    aimd__deadline_clear(x->connection);
    app->on_request(app->arg, x);
    aimd__exchange_check_orphan(x);
}

static enum MHD_Result go_on(aimd_exchange *x)
{
    if (x->state == AIMD__RECEIVING && !x->answered && !x->cancelled)
        give_to_application(x);
    if (x->cancelled)
        return MHD_NO;
    if (x->answered)
        return queue(x);
    aimd__hangup_start(x->connection);
    x->suspended = true;
    MHD_suspend_connection(x->connection->mhd);
    return MHD_YES;
}

enum MHD_Result aimd__on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context)
{
    size_t n = *size;
    if (!*context)
        return take_header(cls, mhd, url, method, version, context);
    if (n == 0)
        return go_on(*context);
    *size = 0;
    return take_body(*context, data, n);
}

/* The response is with the kernel, or the connection broke. */
void aimd__on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code)
{
    aimd_http *h = cls;
    aimd_connection *c = aimd__connection_of(mhd);
    (void)code;
    if (*context)
        aimd__exchange_finish(*context);
    *context = NULL;
    if (c)
        aimd__deadline_set(c, h->limits.idle_timeout);
}
