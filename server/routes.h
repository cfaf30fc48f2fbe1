/* SPDX-License-Identifier: Apache-2.0 */
/* routes.h - the route table: method, path, who may call it, on which
 * listener, body cap, handler. */
#ifndef AIMD_ROUTES_H
#define AIMD_ROUTES_H

#include "server/daemon.h"

typedef void aimd_handler(aimd_daemon *d, aimd_exchange *x);

enum aimd_route_flag {
    AIMD_ROUTE_PUBLIC = 1 << 0, /* no key needed */
    AIMD_ROUTE_ADMIN = 1 << 1,  /* an admin key needed, if there are keys */
    AIMD_ROUTE_BOTH = 1 << 2,   /* on the health listener too */
    AIMD_ROUTE_BODY = 1 << 3,   /* takes a JSON body */
    AIMD_ROUTE_MODEL = 1 << 4,  /* needs a loaded model: 503 while loading or draining */
    AIMD_ROUTE_QUEUE = 1 << 5,  /* starts work: 429 before the body is read if the queue is full */
    AIMD_ROUTE_PREFIX = 1 << 6, /* path is a prefix, the rest an argument */
    AIMD_ROUTE_HOOK = 1 << 7,   /* for tests: there only with --test-hooks */
    AIMD_ROUTE_PROBE = 1 << 8,  /* asked every few seconds: logged at debug if all is as expected */
    AIMD_ROUTE_LOADED =
        1 << 9, /* only looks at models: 503 while loading, but not while draining */
};

typedef struct aimd_route {
    const char *method;
    const char *path; /* may hold one "{id}", which stands for any text without a '/' */
    unsigned flags;
    aimd_handler *handler;
} aimd_route;

/* What a handler adds to the log line of its request. */
typedef struct aimd_request_log {
    const char *model;  /* the served id, copied */
    const char *finish; /* why generation ended, a literal */
    int prompt_tokens, cached_tokens, completion_tokens;
    double queue_ms, ttft_ms;
    int candidates; /* of a search; 0: there was none */
    int64_t reward_tokens;
} aimd_request_log;
/* Copy *log for the line written when the exchange is over; the last call wins.
 * Loop thread, before the exchange is released. */
void aimd_set_request_log(aimd_exchange *x, const aimd_request_log *log);
/* The exchange is over: write its line, count it, forget its request log. route
 * NULL: there was none for it. */
void aimd_log_request(aimd_daemon *d, aimd_exchange *x, const aimd_route *route, int status,
                      enum aimd_log_level level);

/* The applications behind the two listeners. */
extern const aimd_route aimd_routes[]; /* the last row has no path */
aimd_http_app aimd_main_app(aimd_daemon *d);
aimd_http_app aimd_admin_app(aimd_daemon *d);

/* Handlers, by file. */
/* route_health.c */
aimd_handler aimd_get_health, aimd_get_livez, aimd_get_readyz, aimd_get_metrics, aimd_get_version,
    aimd_post_hang;
/* route_models.c */
aimd_handler aimd_get_models, aimd_get_model, aimd_get_tokenizer_info;
/* route_tokenize.c */
aimd_handler aimd_post_tokenize, aimd_post_detokenize, aimd_post_apply_template;
/* route_chips.c */
aimd_handler aimd_get_chips, aimd_get_chip, aimd_delete_chip, aimd_post_chip, aimd_post_chip_age,
    aimd_post_chip_calibrate;
/* route_chip_probe.c */
aimd_handler aimd_post_chip_probe;
/* route_score.c, route_rerank.c, route_pooling.c */
aimd_handler aimd_post_score, aimd_post_rerank, aimd_post_pooling;
/* route_generate.c */
aimd_handler aimd_post_completions, aimd_post_chat_completions;

#endif
