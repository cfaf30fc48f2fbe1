/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - libmicrohttpd inside the libuv loop, behind one type: the exchange,
 * one request and its response.
 *
 * Threading: loop thread only, every function. Handlers and callbacks run on
 * the loop thread and must not block. */
#ifndef AIMD_HTTP_H
#define AIMD_HTTP_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

typedef struct aimd_http aimd_http;         /* one listener */
typedef struct aimd_exchange aimd_exchange; /* one request */

/* What the listener asks before it reads a body and after it has one. Requests
 * that break HTTP or name a foreign host are refused before; their on_done is called
 * all the same. Methods are the application's business. */
typedef struct aimd_http_app {
    void *arg;
    /* Headers are in. Return 0 to go on (set *max_body, the cap of the body; it
     * is 0), or respond with aimd_respond_error / aimd_respond and return 1. */
    int (*on_headers)(void *arg, aimd_exchange *x, size_t *max_body);
    /* The whole request is in. Respond now, or hold it and respond later. If
     * nobody holds it and it has no complete response, the client gets a 500. */
    void (*on_request)(void *arg, aimd_exchange *x);
    /* The exchange is over: for logs and metrics. status 0: no response was
     * sent; 499: a stream was cut before its end. */
    void (*on_done)(void *arg, aimd_exchange *x, int status);
} aimd_http_app;

typedef struct aimd_http_limits {
    unsigned max_connections, max_connections_per_ip;
    size_t header_bytes;     /* 32 KiB */
    unsigned header_timeout; /* seconds for the whole header */
    unsigned body_timeout;   /* seconds for the whole body */
    unsigned idle_timeout;   /* keep-alive */
    unsigned send_timeout; /* seconds in which a client takes nothing (no block of 16 to 32 KiB) */
    size_t buffer_soft;    /* pause the producer above this many bytes ... */
    size_t buffer_hard;    /* ... and cancel one that, paused, goes on for this many */
    /* Host header values accepted beside loopback names; NULL-terminated, "*"
     * accepts all. NULL: loopback names only. */
    const char *const *hosts;
} aimd_http_limits;

/* Listen on address:port ("127.0.0.1", "::1", "0.0.0.0"; port 0 picks one) or,
 * if listen_fd >= 0, on that socket (socket activation). NULL on failure. */
aimd_http *aimd_http_new(uv_loop_t *loop, const char *address, int port, int listen_fd,
                         const aimd_http_limits *limits, const aimd_http_app *app, aim_error *err);
int aimd_http_port(const aimd_http *h);
/* Stop accepting; connections that exist go on, each until its next response. */
void aimd_http_quiesce(aimd_http *h);
/* Cancel every exchange, stop, free once the loop's handles are closed. Every
 * on_gone and on_done is called before this returns, or, if it is called by a
 * handler, soon after. */
void aimd_http_stop(aimd_http *h);
int aimd_http_exchanges(const aimd_http *h); /* requests not yet answered fully */
int aimd_http_connections(const aimd_http *h);

/* ---- the request -------------------------------------------------------- */
const char *aimd_exchange_method(const aimd_exchange *x);
const char *aimd_exchange_path(const aimd_exchange *x);                     /* without query */
const char *aimd_exchange_header(const aimd_exchange *x, const char *name); /* NULL if none */
const char *aimd_exchange_body(const aimd_exchange *x, size_t *len);
const char *aimd_exchange_peer(const aimd_exchange *x); /* client address as text */
const char *
aimd_exchange_id(const aimd_exchange *x); /* the x-request-id, ours or a valid one sent */
uint64_t aimd_exchange_start_ns(const aimd_exchange *x);
size_t aimd_exchange_bytes_sent(const aimd_exchange *x);
/* The handler's own data; on_gone is called once if the client goes away (or
 * the exchange is cancelled) before the response is complete, that is before
 * aimd_respond* or aimd_stream_end; after it, only aimd_exchange_release need be
 * called on x (anything else does nothing). It is never called from within a
 * function of this header, except aimd_http_stop. A client that closes its
 * sending side only counts as gone. Who releases x before on_gone came takes the
 * user back first: a write that memory ran out for cancels the exchange. */
void aimd_exchange_set_user(aimd_exchange *x, void *user, void (*on_gone)(void *user));
/* A second pointer, kept from the request's start until on_done: what the log
 * line of the request will say. NULL at first. The listener never reads it. */
void aimd_exchange_set_log(aimd_exchange *x, void *log);
void *aimd_exchange_log(const aimd_exchange *x);
/* A handler that answers later holds the exchange until it is done with it. */
void aimd_exchange_hold(aimd_exchange *x);
void aimd_exchange_release(aimd_exchange *x);

/* ---- the response ------------------------------------------------------- */
/* Add a header to the coming response. */
void aimd_exchange_add_header(aimd_exchange *x, const char *name, const char *value);
/* The whole response; body is copied, and left out if the method is HEAD. */
void aimd_respond(aimd_exchange *x, int status, const char *content_type, const char *body,
                  size_t len);
/* The same, but takes the body's content and leaves it empty, whatever becomes of
 * it. If it failed for want of memory the exchange is cancelled. */
void aimd_respond_take(aimd_exchange *x, int status, const char *content_type, aim_buf *body);
/* An error in OpenAI's shape: {"error":{message,type,param,code}}; adds
 * Retry-After to 429 and 503. `code` may be NULL for JSON null. */
void aimd_respond_error(aimd_exchange *x, const aim_error *err, const char *code);
void aimd_respond_status(aimd_exchange *x, int status, const char *type, const char *code,
                         const char *message);
/* 503 with a JSON body of the caller's, taken over, and Retry-After. */
void aimd_respond_unavailable(aimd_exchange *x, aim_buf *body);
/* A stream (text/event-stream). Write copies; it returns false once more than
 * buffer_soft bytes wait for the client, and on_drain is called when these are
 * down to half. A producer cannot stop at once: the rest of what it writes in
 * that loop iteration, and in one more, is kept however much it is. One that
 * goes on after that is cancelled at buffer_hard. Several writes of one loop
 * iteration go out together. */
void aimd_stream_begin(aimd_exchange *x, void (*on_drain)(void *user));
bool aimd_stream_write(aimd_exchange *x, const char *bytes, size_t len);
void aimd_stream_end(aimd_exchange *x);

#endif
