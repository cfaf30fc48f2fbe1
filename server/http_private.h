/* SPDX-License-Identifier: Apache-2.0 */
/* http_private.h - what the files behind http.h share: the listener (http.c),
 * its connections (http_connection.c) with their deadlines (deadlines.c), and
 * the exchange (http_request.c takes it in, exchange.c keeps it, http_response.c
 * and http_stream.c answer it).
 *
 * Three rules hold everything together:
 * - libmicrohttpd is called on the loop thread only, and MHD_run never from
 *   inside MHD_run: what happens in a callback sets fields and asks for a run
 *   with aimd__http_schedule.
 * - While the application thinks, the connection is suspended; every change
 *   that libmicrohttpd must see goes through aimd__exchange_wake.
 * - An exchange ends in one place, aimd__exchange_finish. Whoever wants one to
 *   end early calls aimd__connection_cut and waits for that. */
#ifndef AIMD_HTTP_PRIVATE_H
#define AIMD_HTTP_PRIVATE_H

#include "server/http.h"

#include "base/buf.h"
#include "server/header_check.h"

#include <microhttpd.h>

typedef struct aimd_connection aimd_connection;

struct aimd_http {
    uv_loop_t *loop;
    struct MHD_Daemon *mhd;
    aimd_http_app app;
    aimd_http_limits limits; /* .hosts is our own copy */
    int listen_fd;           /* -1: none, or given back */
    int port;
    uv_poll_t events;  /* libmicrohttpd's epoll descriptor */
    uv_timer_t again;  /* MHD_run is wanted without an event */
    uv_timer_t sweep;  /* the next deadline */
    uint64_t sweep_ms; /* when it is due, on the clock of aimd__now_ms */
    bool has_events;   /* its handle is initialised */
    int open_handles;
    aimd_connection *connections;
    int n_connections, n_exchanges;
    uint64_t id_prefix, id_count; /* of generated request ids */
    uint64_t runs;                /* of MHD_run so far */
    bool running;                 /* inside MHD_run */
    bool run_wanted;              /* something changed that the next MHD_run must see */
    bool closed_one;              /* a connection was closed in this MHD_run */
    bool own_listen_fd, quiesced, stop_wanted, stopping;
};

struct aimd_connection {
    aimd_http *http;
    struct MHD_Connection *mhd;
    aimd_connection *next, **link;
    aimd_exchange *exchange; /* NULL between requests */
    int fd;
    uint64_t deadline_ms; /* 0: none */
    uv_poll_t hangup;     /* sees the client go while libmicrohttpd does not look */
    bool has_hangup;      /* the handle is initialised */
    char peer[64];        /* "" until asked for */
};

enum aimd__state {
    AIMD__RECEIVING, /* the header is in, the body is coming */
    AIMD__WAITING,   /* the application has the request; suspended */
    AIMD__SENDING,   /* libmicrohttpd has the response */
    AIMD__OVER,      /* the connection has let go */
};

enum { AIMD__MAX_HEADERS = 8 };

struct aimd_exchange {
    aimd_connection *connection; /* NULL once over */
    int references;              /* one is the connection's */
    enum aimd__state state;
    bool suspended;
    bool cancelled; /* the next callback of libmicrohttpd closes the connection */
    bool answered;  /* a response was made; no second one */
    bool complete;  /* ... and the application has nothing to add to it */
    bool paused;    /* a stream's producer was told to stop */
    int status;
    struct MHD_Response *response; /* made, not yet handed over */

    char *method, *path;
    char id[129];
    uint64_t start_ns;
    aimd_header_check check;
    size_t max_body, discarded;
    aim_buf body;

    struct {
        char *name, *value;
    } headers[AIMD__MAX_HEADERS]; /* of the coming response */
    size_t n_headers;
    aim_buf out;     /* what the reader callbacks hand on */
    size_t out_read; /* consumed of it */
    size_t bytes_sent;
    size_t overrun;       /* a paused stream: bytes written after its first run of MHD_run */
    uint64_t written_run; /* aimd_http.runs at its last write */
    void (*on_drain)(void *user);
    void (*on_gone)(void *user);
    void *user, *log; /* the application's */
};

/* ---- http.c -------------------------------------------------------------- */
/* Run libmicrohttpd now; no-op inside a run. */
void aimd__http_run(aimd_http *h);
/* Run it soon: once for all calls of this loop iteration, before the loop
 * sleeps. Any callback may call it. */
void aimd__http_schedule(aimd_http *h);
/* As aimd_http_new without a socket; connections come from aimd__http_adopt
 * (which takes fd). For fuzzing. */
aimd_http *aimd__http_new_detached(uv_loop_t *loop, const aimd_http_limits *limits,
                                   const aimd_http_app *app, aim_error *err);
bool aimd__http_adopt(aimd_http *h, int fd);

/* ---- listen.c ------------------------------------------------------------ */
/* A bound, listening, non-blocking socket, or -1. */
int aimd__listen(const char *address, int port, aim_error *err);
/* Check and prepare a socket that was handed to us. */
int aimd__check_listening(int fd, aim_error *err);
/* 0 if the socket has no port. */
int aimd__socket_port(int fd);

/* ---- http_connection.c --------------------------------------------------- */
/* MHD_OPTION_NOTIFY_CONNECTION; cls is the aimd_http. */
void aimd__on_connection(void *cls, struct MHD_Connection *mhd, void **context,
                         enum MHD_ConnectionNotificationCode code);
/* NULL if there was no memory for it. */
aimd_connection *aimd__connection_of(struct MHD_Connection *mhd);
/* Close it as soon as libmicrohttpd gets to it, whatever it is doing. */
void aimd__connection_cut(aimd_connection *c);
/* Watch for the client going away, until aimd__hangup_stop. */
void aimd__hangup_start(aimd_connection *c);
void aimd__hangup_stop(aimd_connection *c);

/* ---- deadlines.c --------------------------------------------------------- */
uint64_t aimd__now_ms(void);
void aimd__sweep_init(aimd_http *h);
/* Cut the connection unless this is called again, or cleared, in time. */
void aimd__deadline_set(aimd_connection *c, unsigned seconds);
void aimd__deadline_clear(aimd_connection *c);

/* ---- http_request.c ------------------------------------------------------ */
/* MHD_AccessHandlerCallback, MHD_OPTION_NOTIFY_COMPLETED, _URI_LOG_CALLBACK
 * and _UNESCAPE_CALLBACK. */
enum MHD_Result aimd__on_access(void *cls, struct MHD_Connection *mhd, const char *url,
                                const char *method, const char *version, const char *data,
                                size_t *size, void **context);
void aimd__on_completed(void *cls, struct MHD_Connection *mhd, void **context,
                        enum MHD_RequestTerminationCode code);
void *aimd__on_request_line(void *cls, const char *uri, struct MHD_Connection *mhd);
size_t aimd__on_unescape(void *cls, struct MHD_Connection *mhd, char *s);

/* ---- exchange.c ---------------------------------------------------------- */
aimd_exchange *aimd__exchange_new(aimd_connection *c, const char *method, const char *url);
/* Make libmicrohttpd look at the exchange again. */
void aimd__exchange_wake(aimd_exchange *x);
/* Close the connection without (or in the middle of) a response. */
void aimd__exchange_cancel(aimd_exchange *x);
/* The request is over for the connection; x may be freed. */
void aimd__exchange_finish(aimd_exchange *x);
/* Answer for an application that can no longer do so. */
void aimd__exchange_check_orphan(aimd_exchange *x);

/* ---- http_response.c, http_stream.c -------------------------------------- */
/* Take response (NULL: there was no memory, cancel), add the headers that
 * every response has, and wake. */
void aimd__answer(aimd_exchange *x, int status, struct MHD_Response *response);
bool aimd__may_answer(const aimd_exchange *x);
/* Move up to max bytes of x->out into bytes. */
size_t aimd__take_out(aimd_exchange *x, char *bytes, size_t max);

#endif
