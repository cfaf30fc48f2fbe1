/* SPDX-License-Identifier: Apache-2.0 */
/* route_health.c - what probes, scrapers and operators ask. */
#include "config.h"

#include "base/alloc.h"
#include "base/memory.h"
#include "server/json_out.h"
#include "server/routes.h"

#include <string.h>

static void respond_json(aimd_exchange *x, const char *body)
{
    aimd_respond(x, 200, "application/json", body, strlen(body));
}

/* {"status":"loading","progress":0.7500,"models":[{"id":"a","progress":1.0000},
 * {"id":"b","progress":0.5000}],"error":{...}} */
static void put_progress(const aimd_daemon *d, const char *code, const char *text, aim_buf *out)
{
    aim_buf error = AIM_BUF_INIT;
    aimd_json_error(&error, text, "unavailable_error", NULL, code);
    aim_buf_printf(out, "{\"status\":\"%s\",\"progress\":%.4f,\"models\":[", code,
                   aimd_daemon_progress(d));
    for (size_t i = 0; i < d->n_models; i++) {
        aim_buf_puts(out, i ? ",{\"id\":" : "{\"id\":");
        aimd_json_cstring(out, d->models[i].id);
        aim_buf_printf(out, ",\"progress\":%.4f}", atomic_load(&d->models[i].progress));
    }
    aim_buf_puts(out, "],");
    if (error.failed)
        out->failed = true;
    else
        aim_buf_append(out, error.data + 1, error.len - 1); /* its member and the end */
    aim_buf_puts(out, "\n");
    aim_buf_free(&error);
}

void aimd_get_health(aimd_daemon *d, aimd_exchange *x)
{
    char text[sizeof d->failure.text];
    const char *code = aimd_daemon_unready(d, text, sizeof text);
    aim_buf body = AIM_BUF_INIT;
    if (!code) {
        respond_json(x, "{\"status\":\"ok\"}");
        return;
    }
    put_progress(d, code, text, &body);
    aimd_respond_unavailable(x, &body);
}

void aimd_get_readyz(aimd_daemon *d, aimd_exchange *x)
{
    char text[sizeof d->failure.text];
    const char *code = aimd_daemon_unready(d, text, sizeof text);
    if (code)
        aimd_respond_status(x, 503, "unavailable_error", code, text);
    else
        respond_json(x, "{\"status\":\"ready\"}");
}

/* The process answers: that is all this says. */
void aimd_get_livez(aimd_daemon *d, aimd_exchange *x)
{
    (void)d;
    respond_json(x, "{\"status\":\"alive\"}");
}

void aimd_get_version(aimd_daemon *d, aimd_exchange *x)
{
    (void)d;
    respond_json(x, "{\"version\":\"" PACKAGE_VERSION "\"}");
}

static void read_model(const aimd_model *m, aimd_model_stats *out)
{
    const aim_decoder *decoder = m->model->decoder;
    out->model = m->id;
    aim_engine_get_stats(m->model->engine, &out->stats);
    out->chip = aim_decoder_chip(decoder);
    out->cost = aim_decoder_chip_cost(decoder, out->stats.rows, out->stats.head_rows);
}

static int read_stats(const aimd_daemon *d, aimd_model_stats *stats)
{
    int n = 0;
    for (size_t i = 0; i < d->n_models; i++)
        if (d->models[i].model)
            read_model(&d->models[i], &stats[n++]);
    return n;
}

static void set_gauges(aimd_daemon *d)
{
    char text[sizeof d->failure.text];
    bool ready = !aimd_daemon_unready(d, text, sizeof text);
    aimd_gauge(d->metrics, AIMD_M_READY, NULL, ready);
    aimd_gauge(d->metrics, AIMD_M_ANONYMOUS_BYTES, NULL, (double)aim_memory_anonymous());
    aimd_gauge(d->metrics, AIMD_M_HTTP_CONNECTIONS, NULL,
               d->main_listener ? aimd_http_connections(d->main_listener) : 0);
}

void aimd_get_metrics(aimd_daemon *d, aimd_exchange *x)
{
    aim_buf page = AIM_BUF_INIT;
    aimd_model_stats *stats = aim_calloc(d->n_models, sizeof *stats);
    set_gauges(d);
    if (stats)
        aimd_metrics_write(d->metrics, stats, read_stats(d, stats), &page);
    if (stats && !page.failed)
        aimd_respond(x, 200, "text/plain; version=0.0.4; charset=utf-8", page.data, page.len);
    else
        aimd_respond_status(x, 503, "server_error", NULL, "out of memory");
    aim_buf_free(&page);
    aim_free(stats);
}

/* Test hook: engines stop in the middle of their work, as a bug would do it. */
void aimd_post_hang(aimd_daemon *d, aimd_exchange *x)
{
    for (size_t i = 0; i < d->n_models; i++)
        aim_engine_hang(d->models[i].model->engine);
    respond_json(x, "{}");
}
