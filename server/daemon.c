/* SPDX-License-Identifier: Apache-2.0 */
#include "server/daemon.h"

#include "base/alloc.h"
#include "server/routes.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static int init_models(aimd_daemon *d, aim_error *err)
{
    const aimd_options *o = d->options;
    d->models = aim_calloc(o->n_models, sizeof *d->models);
    if (!d->models)
        return aim_fail_nomem(err, "models");
    d->n_models = o->n_models;
    for (size_t i = 0; i < d->n_models; i++) {
        aimd_model *m = &d->models[i];
        m->daemon = d;
        m->options = &o->models[i];
        m->id = o->models[i].id;
        m->created = (int64_t)time(NULL);
        aimd_metrics_add_model(d->metrics, m->id);
    }
    return 0;
}

int aimd_daemon_init(aimd_daemon *d, aimd_options *options, uv_loop_t *loop, aim_error *err)
{
    *d = (aimd_daemon){.options = options, .loop = loop, .state = AIMD_LOADING};
    d->metrics = aimd_metrics_new();
    d->mailbox = aimd_mailbox_new();
    if (!d->metrics || !d->mailbox)
        return aim_fail_nomem(err, "daemon");
    aimd_count(d->metrics, AIMD_M_CANCELLED, NULL, NULL, 0);
    int rc = init_models(d, err);
    return rc ? rc : aimd_daemon_reload_keys(d, err);
}

void aimd_daemon_stop_models(aimd_daemon *d)
{
    for (size_t i = 0; i < d->n_models; i++)
        if (d->models[i].model)
            aim_engine_stop(d->models[i].model->engine);
}

void aimd_daemon_close_models(aimd_daemon *d)
{
    for (size_t i = 0; i < d->n_models; i++) {
        aim_model_close(d->models[i].model);
        d->models[i].model = NULL;
    }
}

void aimd_daemon_fini(aimd_daemon *d)
{
    aimd_daemon_close_models(d);
    aimd_mailbox_free(d->mailbox);
    aimd_metrics_free(d->metrics);
    aimd_keys_free(d->keys);
    aim_free(d->models);
}

int aimd_daemon_reload_keys(aimd_daemon *d, aim_error *err)
{
    if (!d->options->api_key_file)
        return 0;
    aimd_keys *keys = aimd_keys_load(d->options->api_key_file, err);
    if (!keys)
        return AIM_EINVAL;
    aimd_keys_free(d->keys);
    d->keys = keys;
    return 0;
}

bool aimd_daemon_stalled(const aimd_daemon *d)
{
    bool stalled = false;
    for (size_t i = 0; i < d->n_models; i++) /* ask each: asking is what measures */
        if (d->models[i].model)
            stalled |= aim_engine_stalled_ns(d->models[i].model->engine) >= AIMD_STALL_NS;
    return stalled;
}

double aimd_daemon_progress(const aimd_daemon *d)
{
    double sum = 0;
    for (size_t i = 0; i < d->n_models; i++)
        sum += atomic_load(&d->models[i].progress);
    return sum / (double)d->n_models;
}

/* The model that is being loaded: the first that is not done. */
static void describe_loading(const aimd_daemon *d, char *text, size_t size)
{
    size_t i = 0;
    while (i + 1 < d->n_models && atomic_load(&d->models[i].progress) >= 1)
        i++;
    int used = snprintf(text, size, "Loading model %s: %.0f%%", d->models[i].id,
                        100 * atomic_load(&d->models[i].progress));
    if (d->n_models > 1 && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, " (%zu of %zu)", i + 1, d->n_models);
}

const char *aimd_daemon_unready(const aimd_daemon *d, char *text, size_t size)
{
    switch (d->state) {
    case AIMD_LOADING:
        describe_loading(d, text, size);
        return "loading";
    case AIMD_DRAINING:
        snprintf(text, size, "The server is shutting down");
        return "draining";
    case AIMD_FAILED:
        snprintf(text, size, "%s", d->failure.text);
        return "failed";
    case AIMD_READY:
        break;
    }
    if (!aimd_daemon_stalled(d))
        return NULL;
    snprintf(text, size, "The engine makes no progress");
    return "stalled";
}

void aimd_daemon_load(const aimd_daemon *d, int *running, int *waiting)
{
    *running = *waiting = 0;
    for (size_t i = 0; i < d->n_models; i++) {
        aim_engine_stats stats;
        if (!d->models[i].model)
            continue;
        aim_engine_get_stats(d->models[i].model->engine, &stats);
        *running += stats.running;
        *waiting += stats.waiting;
    }
}

aimd_model *aimd_find_model(aimd_daemon *d, const char *id)
{
    if (!id || !*id)
        return d->n_models == 1 ? &d->models[0] : NULL;
    for (size_t i = 0; i < d->n_models; i++)
        if (strcmp(d->models[i].id, id) == 0)
            return &d->models[i];
    return NULL;
}
