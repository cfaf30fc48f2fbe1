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
    const aimd_model *first = aimd_models_first(&d->models);
    for (const aimd_model *m = first; m; m = aimd_models_next(m)) {
        aim_buf_puts(out, m != first ? ",{\"id\":" : "{\"id\":");
        aimd_json_cstring(out, m->id);
        aim_buf_printf(out, ",\"progress\":%.4f}", atomic_load(&m->progress));
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
    out->chip = aim_decoder_backend(decoder)->analog ? aim_decoder_chip(decoder) : NULL;
    out->cost = aim_decoder_chip_cost(decoder, out->stats.rows, out->stats.head_rows);
}

static int read_stats(const aimd_daemon *d, aimd_model_stats *stats)
{
    int n = 0;
    for (const aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m))
        if (aimd_model_is_ready(m))
            read_model(m, &stats[n++]);
    return n;
}

static void set_chip_gauges(aimd_daemon *d)
{
    int count[AIMD_N_CHIP_STATES] = {0};
    for (const aimd_chip *c = d->chips.first; c; c = c->next)
        count[c->state]++;
    for (int i = 0; i < AIMD_N_CHIP_STATES; i++)
        aimd_gauge_label(d->metrics, AIMD_M_CHIPS, NULL,
                         aimd_chip_state_name((enum aimd_chip_state)i), count[i]);
}

static void set_gauges(aimd_daemon *d)
{
    char text[sizeof d->failure.text];
    bool ready = !aimd_daemon_unready(d, text, sizeof text);
    aimd_gauge(d->metrics, AIMD_M_READY, NULL, ready);
    aimd_gauge(d->metrics, AIMD_M_ANONYMOUS_BYTES, NULL, (double)aim_memory_anonymous());
    aimd_gauge(d->metrics, AIMD_M_HTTP_CONNECTIONS, NULL,
               d->main_listener ? aimd_http_connections(d->main_listener) : 0);
    set_chip_gauges(d);
}

void aimd_get_metrics(aimd_daemon *d, aimd_exchange *x)
{
    aim_buf page = AIM_BUF_INIT;
    aimd_model_stats *stats = aim_calloc(aimd_models_count(&d->models), sizeof *stats);
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

/* Test hook: engines stop in the middle of their work, as a bug would do it: all, or that
 * of the model which the path names. */
static void hang(aimd_model *m, void *arg)
{
    const char *const *id = arg;
    if (!**id || strcmp(m->id, *id) == 0)
        aim_engine_hang(m->model->engine);
}

void aimd_post_hang(aimd_daemon *d, aimd_exchange *x)
{
    const char *id = aimd_exchange_path(x) + strlen("/debug/hang");
    if (*id == '/')
        id++;
    aimd_models_each_engine(&d->models, hang, &id);
    respond_json(x, "{}");
}
