/* SPDX-License-Identifier: Apache-2.0 */
/* routes.c - the route table, and everything that is decided from a request's
 * header alone: before a body is read, and for no more than a table look-up. */
#include "server/routes.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum {
    OPEN = AIMD_ROUTE_PUBLIC | AIMD_ROUTE_BOTH,
    PROBE = OPEN | AIMD_ROUTE_PROBE,
    READS = AIMD_ROUTE_MODEL,
    POSTS = AIMD_ROUTE_MODEL | AIMD_ROUTE_BODY,
    GENERATES = AIMD_ROUTE_MODEL | AIMD_ROUTE_BODY | AIMD_ROUTE_QUEUE,
    CHIPS = AIMD_ROUTE_ADMIN | AIMD_ROUTE_LOADED,
    CHIP_DELETES = AIMD_ROUTE_ADMIN | AIMD_ROUTE_MODEL,
    CHIP_POSTS = AIMD_ROUTE_ADMIN | AIMD_ROUTE_MODEL | AIMD_ROUTE_BODY,
    HOOKS = AIMD_ROUTE_ADMIN | AIMD_ROUTE_MODEL | AIMD_ROUTE_HOOK,
};

const aimd_route aimd_routes[] = {
    {"GET", "/health", PROBE, aimd_get_health},
    {"GET", "/livez", PROBE, aimd_get_livez},
    {"GET", "/readyz", PROBE, aimd_get_readyz},
    {"GET", "/metrics", PROBE, aimd_get_metrics},
    {"GET", "/version", OPEN, aimd_get_version},
    {"GET", "/v1/models", READS, aimd_get_models},
    {"GET", "/v1/models/", READS | AIMD_ROUTE_PREFIX, aimd_get_model},
    {"GET", "/tokenizer_info", READS, aimd_get_tokenizer_info},
    {"POST", "/tokenize", POSTS, aimd_post_tokenize},
    {"POST", "/detokenize", POSTS, aimd_post_detokenize},
    {"POST", "/apply-template", POSTS, aimd_post_apply_template},
    {"POST", "/v1/completions", GENERATES, aimd_post_completions},
    {"POST", "/v1/chat/completions", GENERATES, aimd_post_chat_completions},
    {"POST", "/v1/score", GENERATES, aimd_post_score},
    {"POST", "/score", GENERATES, aimd_post_score},
    {"POST", "/v1/rerank", GENERATES, aimd_post_rerank},
    {"POST", "/v2/rerank", GENERATES, aimd_post_rerank},
    {"POST", "/rerank", GENERATES, aimd_post_rerank},
    {"POST", "/pooling", GENERATES, aimd_post_pooling},
    {"GET", "/v1/chips", CHIPS, aimd_get_chips},
    {"POST", "/v1/chips", CHIP_POSTS, aimd_post_chip},
    {"GET", "/v1/chips/{id}", CHIPS, aimd_get_chip},
    {"DELETE", "/v1/chips/{id}", CHIP_DELETES, aimd_delete_chip},
    {"POST", "/v1/chips/{id}/age", CHIP_POSTS, aimd_post_chip_age},
    {"POST", "/v1/chips/{id}/probe", CHIP_POSTS, aimd_post_chip_probe},
    {"POST", "/v1/chips/{id}/calibrate", CHIP_POSTS, aimd_post_chip_calibrate},
    {"POST", "/debug/hang", HOOKS, aimd_post_hang},
    {"POST", "/debug/hang/", HOOKS | AIMD_ROUTE_PREFIX, aimd_post_hang},
    {0},
};

/* ---- finding the route --------------------------------------------------- */

static bool is_listed(const aimd_daemon *d, const aimd_route *r, bool admin)
{
    if ((r->flags & AIMD_ROUTE_HOOK) && !d->options->test_hooks)
        return false;
    return !admin || (r->flags & AIMD_ROUTE_BOTH);
}

/* "{id}" stands for what is between two slashes, or behind the last; all else is as
 * it is written. */
static bool pattern_fits(const char *pattern, const char *path)
{
    size_t before = strcspn(pattern, "{");
    if (!pattern[before])
        return strcmp(pattern, path) == 0;
    if (strncmp(pattern, path, before) != 0)
        return false;
    size_t argument = strcspn(path + before, "/");
    const char *behind = strchr(pattern, '}') + 1;
    return argument > 0 && strcmp(behind, path + before + argument) == 0;
}

static bool path_fits(const aimd_route *r, const char *path)
{
    size_t len = strlen(r->path);
    if (r->flags & AIMD_ROUTE_PREFIX)
        return strncmp(path, r->path, len) == 0 && path[len];
    return pattern_fits(r->path, path);
}

/* libmicrohttpd leaves the body out of an answer to HEAD. */
static bool method_fits(const aimd_route *r, const char *method)
{
    return strcmp(method, r->method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(r->method, "GET") == 0);
}

/* The methods of a path, for the header Allow; "" if there is no such path. */
typedef struct allowed {
    char list[64];
} allowed;

static void allow(allowed *a, const char *method)
{
    size_t used = strlen(a->list);
    snprintf(a->list + used, sizeof a->list - used, "%s%s", used ? ", " : "",
             strcmp(method, "GET") == 0 ? "GET, HEAD" : method);
}

/* NULL if there is none; *other then tells what the path takes instead. other may be
 * NULL. */
static const aimd_route *find_route(const aimd_daemon *d, const aimd_exchange *x, bool admin,
                                    allowed *other)
{
    const char *method = aimd_exchange_method(x), *path = aimd_exchange_path(x);
    for (const aimd_route *r = aimd_routes; method && path && r->path; r++) {
        if (!is_listed(d, r, admin) || !path_fits(r, path))
            continue;
        if (method_fits(r, method))
            return r;
        if (other)
            allow(other, r->method);
    }
    return NULL;
}

/* ---- what a header must satisfy ------------------------------------------ */

/* The checks respond themselves and return 1, or return 0. */

static int refuse(aimd_daemon *d, aimd_exchange *x, int status, const char *type, const char *code,
                  const char *message)
{
    aimd_count(d->metrics, AIMD_M_REJECTED, NULL, code, 1);
    aimd_respond_status(x, status, type, code, message);
    return 1;
}

static int refuse_route(aimd_exchange *x, const allowed *other)
{
    char message[384];
    if (!*other->list) {
        snprintf(message, sizeof message, "No such route: %.256s", aimd_exchange_path(x));
        aimd_respond_status(x, 404, "invalid_request_error", NULL, message);
        return 1;
    }
    snprintf(message, sizeof message, "%.256s takes %s", aimd_exchange_path(x), other->list);
    aimd_exchange_add_header(x, "Allow", other->list);
    aimd_respond_status(x, 405, "invalid_request_error", NULL, message);
    return 1;
}

static int check_key(aimd_daemon *d, aimd_exchange *x, const aimd_route *r)
{
    if (!d->keys || (r->flags & AIMD_ROUTE_PUBLIC))
        return 0;
    enum aimd_access access = aimd_keys_check(d->keys, aimd_exchange_header(x, "Authorization"));
    if (access == AIMD_ACCESS_NONE) {
        aimd_exchange_add_header(x, "WWW-Authenticate", "Bearer");
        return refuse(d, x, 401, "authentication_error", "invalid_api_key",
                      "A valid API key is needed: Authorization: Bearer KEY");
    }
    if ((r->flags & AIMD_ROUTE_ADMIN) && access != AIMD_ACCESS_ADMIN)
        return refuse(d, x, 403, "permission_error", "admin_key_needed",
                      "This route needs an admin key");
    return 0;
}

/* "application/json", parameters aside. */
static bool is_json_type(const char *value)
{
    static const char json[] = "application/json";
    size_t len = sizeof json - 1;
    return strncasecmp(value, json, len) == 0 && strchr(" \t;", value[len]);
}

/* A page of another origin can post a form, plain text or bytes of no type at all to
 * a daemon on the visitor's own machine without asking it first; JSON it cannot. */
static int check_body_type(aimd_exchange *x, const aimd_route *r)
{
    const char *type = aimd_exchange_header(x, "Content-Type");
    const char *encoding = aimd_exchange_header(x, "Content-Encoding");
    if (!(r->flags & AIMD_ROUTE_BODY))
        return 0;
    const char *message = NULL;
    if (!type || !is_json_type(type))
        message = "Content-Type must be application/json";
    else if (encoding && strcasecmp(encoding, "identity") != 0)
        message = "Content-Encoding is not supported";
    if (!message)
        return 0;
    aimd_respond_status(x, 415, "invalid_request_error", NULL, message);
    return 1;
}

/* While the configured models are loaded they are the loader's. */
static bool is_unready(const aimd_daemon *d, const aimd_route *r)
{
    if (r->flags & AIMD_ROUTE_MODEL)
        return d->state != AIMD_READY;
    return (r->flags & AIMD_ROUTE_LOADED) && !aimd_model_is_ready(aimd_models_first(&d->models));
}

static int check_state(aimd_daemon *d, aimd_exchange *x, const aimd_route *r)
{
    char message[sizeof d->failure.text];
    if (!is_unready(d, r))
        return 0;
    const char *code = aimd_daemon_unready(d, message, sizeof message);
    return refuse(d, x, 503, "unavailable_error", code, message);
}

/* Which model is meant stands in the body: refuse only if all are full. */
static int check_room(aimd_daemon *d, aimd_exchange *x, const aimd_route *r)
{
    if (!(r->flags & AIMD_ROUTE_QUEUE))
        return 0;
    aim_error err = {0};
    for (const aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m))
        if (aimd_model_is_ready(m) && aim_engine_check_room(m->model->engine, 1, &err) == 0)
            return 0;
    return refuse(d, x, 429, "rate_limit_error", "queue_full", err.text);
}

/* ---- the applications ---------------------------------------------------- */

static int on_headers(aimd_daemon *d, aimd_exchange *x, bool admin, size_t *max_body)
{
    allowed other = {""};
    const aimd_route *r = find_route(d, x, admin, &other);
    if (!r)
        return refuse_route(x, &other);
    if (d->state == AIMD_DRAINING)
        aimd_exchange_add_header(x, "Connection", "close");
    *max_body = r->flags & AIMD_ROUTE_BODY ? d->options->max_body_bytes : 0;
    return check_key(d, x, r) || check_body_type(x, r) || check_state(d, x, r) ||
           check_room(d, x, r);
}

static int on_main_headers(void *arg, aimd_exchange *x, size_t *max_body)
{
    return on_headers(arg, x, false, max_body);
}

static int on_admin_headers(void *arg, aimd_exchange *x, size_t *max_body)
{
    return on_headers(arg, x, true, max_body);
}

/* on_headers has let it pass; only the state may have changed since. */
static void on_request(void *arg, aimd_exchange *x)
{
    aimd_daemon *d = arg;
    const aimd_route *r = find_route(d, x, false, NULL);
    if (r && check_state(d, x, r) == 0)
        r->handler(d, x);
}

/* What a probe hears of a daemon that is well, or not yet up. */
static bool is_expected(const aimd_daemon *d, int status)
{
    return status == 200 || (status == 503 && d->state == AIMD_LOADING);
}

static void on_main_done(void *arg, aimd_exchange *x, int status)
{
    const aimd_route *r = find_route(arg, x, false, NULL);
    bool quiet = r && (r->flags & AIMD_ROUTE_PROBE) && is_expected(arg, status);
    aimd_log_request(arg, x, r, status, quiet ? AIMD_LOG_DEBUG : AIMD_LOG_INFO);
}

/* Probes and scrapes come every few seconds and say nothing. */
static void on_admin_done(void *arg, aimd_exchange *x, int status)
{
    aimd_log_request(arg, x, find_route(arg, x, true, NULL), status, AIMD_LOG_DEBUG);
}

aimd_http_app aimd_main_app(aimd_daemon *d)
{
    return (aimd_http_app){d, on_main_headers, on_request, on_main_done};
}

aimd_http_app aimd_admin_app(aimd_daemon *d)
{
    return (aimd_http_app){d, on_admin_headers, on_request, on_admin_done};
}
