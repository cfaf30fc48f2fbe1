/* SPDX-License-Identifier: Apache-2.0 */
/* request_log.c - one line and two metrics for every request that is over. */
#include "server/routes.h"

#include "base/alloc.h"
#include "base/cpu.h"

#include <stdio.h>
#include <string.h>

/* The model may be gone when the line is written. */
typedef struct kept_log {
    aimd_request_log log; /* .model is name */
    char name[];
} kept_log;

void aimd_set_request_log(aimd_exchange *x, const aimd_request_log *log)
{
    size_t size = strlen(log->model) + 1;
    kept_log *kept = aim_malloc(sizeof *kept + size);
    if (!kept)
        return; /* the line is written without it */
    memcpy(kept->name, log->model, size);
    kept->log = *log;
    kept->log.model = kept->name;
    aim_free(aimd_exchange_log(x));
    aimd_exchange_set_log(x, kept);
}

/* A method for a metric's label: never the client's own text. */
static const char *method_label(const char *method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH"};
    for (size_t i = 0; method && i < sizeof known / sizeof known[0]; i++)
        if (strcmp(method, known[i]) == 0)
            return known[i];
    return "other";
}

static void count_request(aimd_daemon *d, const aimd_exchange *x, const char *handler, int status,
                          double seconds)
{
    char labels[160];
    snprintf(labels, sizeof labels, "handler=\"%s\",method=\"%s\",status=\"%d\"", handler,
             method_label(aimd_exchange_method(x)), status);
    aimd_count(d->metrics, AIMD_M_HTTP_REQUESTS, NULL, labels, 1);
    aimd_observe_label(d->metrics, AIMD_M_HTTP_DURATION, NULL, handler, seconds);
}

static const char *or_dash(const char *s)
{
    return s && *s ? s : "-";
}

/* The first bytes of a path are enough to recognise it. */
enum { LOGGED_PATH = 256 };

static void write_line(const aimd_exchange *x, const char *path, int status, double seconds,
                       enum aimd_log_level level)
{
    const kept_log *kept = aimd_exchange_log(x);
    const aimd_request_log *log = kept ? &kept->log : NULL;
    aimd_request_log none = {0};
    const aimd_request_log *g = log ? log : &none;
    /* Without generation, or a search, the line ends where its fields would begin. */
    aimd_field generation = AIMD_STR("model", g->model);
    if (!log)
        generation.kind = AIMD_FIELD_END;
    aimd_field search = AIMD_INT("candidates", g->candidates);
    if (g->candidates == 0)
        search.kind = AIMD_FIELD_END;
    aimd_log(level, "request", AIMD_STR("id", or_dash(aimd_exchange_id(x))),
             AIMD_STR("peer", or_dash(aimd_exchange_peer(x))),
             AIMD_STR("method", or_dash(aimd_exchange_method(x))), AIMD_STR("path", path),
             AIMD_INT("status", status), AIMD_NUM("duration_ms", seconds * 1e3),
             AIMD_INT("bytes", (int64_t)aimd_exchange_bytes_sent(x)), generation,
             AIMD_INT("prompt_tokens", g->prompt_tokens),
             AIMD_INT("cached_tokens", g->cached_tokens),
             AIMD_INT("completion_tokens", g->completion_tokens), AIMD_STR("finish", g->finish),
             AIMD_NUM("queue_ms", g->queue_ms), AIMD_NUM("ttft_ms", g->ttft_ms), search,
             AIMD_INT("reward_tokens", g->reward_tokens));
}

void aimd_log_request(aimd_daemon *d, aimd_exchange *x, const aimd_route *route, int status,
                      enum aimd_log_level level)
{
    char path[LOGGED_PATH + 1];
    double seconds = (double)(aim_now_ns() - aimd_exchange_start_ns(x)) / 1e9;
    snprintf(path, sizeof path, "%s", or_dash(aimd_exchange_path(x)));
    count_request(d, x, route ? route->path : "none", status, seconds);
    write_line(x, path, status, seconds, level);
    aim_free(aimd_exchange_log(x));
    aimd_exchange_set_log(x, NULL);
}
