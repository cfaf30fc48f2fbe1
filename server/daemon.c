/* SPDX-License-Identifier: Apache-2.0 */
#include "server/daemon.h"

#include "base/memory.h"
#include "server/load_log.h"
#include "server/mailbox.h"

#include <stdio.h>

static int init_model(aimd_daemon *d, const aimd_model_options *options, aim_error *err)
{
    aim_error cause = {0};
    aimd_model *m = aimd_model_new(d, options, err);
    if (!m)
        return AIM_ENOMEM;
    aimd_models_add(&d->models, m);
    aimd_metrics_add_model(d->metrics, m->id);
    if (!options->profile || aimd_model_make_chip(m, &cause) == 0)
        return 0;
    return aim_fail(err, cause.code, "model %s: %s", m->id, cause.text);
}

static int init_models(aimd_daemon *d, aim_error *err)
{
    const aimd_options *o = d->options;
    int rc = aimd_models_init(&d->models, d, err);
    for (size_t i = 0; rc == 0 && i < o->n_models; i++)
        rc = init_model(d, &o->models[i], err);
    return rc;
}

int aimd_daemon_init(aimd_daemon *d, aimd_options *options, uv_loop_t *loop, aim_error *err)
{
    *d = (aimd_daemon){.options = options, .loop = loop, .state = AIMD_LOADING};
    d->memory = aim_memory_read("").available;
    d->metrics = aimd_metrics_new();
    d->mailbox = aimd_mailbox_new();
    if (!d->metrics || !d->mailbox)
        return aim_fail_nomem(err, "daemon");
    aimd_count(d->metrics, AIMD_M_CANCELLED, NULL, NULL, 0);
    int rc = init_models(d, err);
    if (rc == 0)
        rc = aimd_chips_init(d, err);
    return rc ? rc : aimd_daemon_reload_keys(d, err);
}

static void stop_engine(aimd_model *m, void *arg)
{
    (void)arg;
    aim_engine_stop(m->model->engine);
}

void aimd_daemon_stop_models(aimd_daemon *d)
{
    aimd_models_each_engine(&d->models, stop_engine, NULL);
}

void aimd_daemon_fini(aimd_daemon *d)
{
    aimd_chips_fini(d);
    aimd_models_fini(&d->models);
    aimd_mailbox_free(d->mailbox);
    aimd_metrics_free(d->metrics);
    aimd_keys_free(d->keys);
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

/* Each is asked: asking is what measures. */
static void note_stalled(aimd_model *m, void *stalled)
{
    *(bool *)stalled |= aim_engine_stalled_ns(m->model->engine) >= AIMD_STALL_NS;
}

bool aimd_daemon_stalled(const aimd_daemon *d)
{
    bool stalled = false;
    aimd_models_each_engine(&d->models, note_stalled, &stalled);
    return stalled;
}

double aimd_daemon_progress(const aimd_daemon *d)
{
    double sum = 0;
    for (const aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m))
        sum += atomic_load(&m->progress);
    return sum / (double)aimd_models_count(&d->models);
}

/* The model that is being loaded: the first that is not done. */
static void describe_loading(const aimd_daemon *d, char *text, size_t size)
{
    const aimd_model *m = aimd_models_first(&d->models);
    size_t n = aimd_models_count(&d->models), i = 1;
    for (; i < n && atomic_load(&m->progress) >= 1; i++)
        m = aimd_models_next(m);
    int used =
        snprintf(text, size, "Loading model %s: %.0f%%", m->id, 100 * atomic_load(&m->progress));
    if (n > 1 && used > 0 && (size_t)used < size)
        snprintf(text + used, size - (size_t)used, " (%zu of %zu)", i, n);
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

int aimd_daemon_check_running(const aimd_daemon *d, aim_error *err)
{
    if (d->state == AIMD_READY)
        return 0;
    return aim_fail(err, AIM_EUNAVAILABLE, "The server is shutting down");
}

typedef struct engine_load {
    int running, waiting;
} engine_load;

static void add_load(aimd_model *m, void *arg)
{
    engine_load *sum = arg;
    aim_engine_stats stats;
    aim_engine_get_stats(m->model->engine, &stats);
    sum->running += stats.running;
    sum->waiting += stats.waiting;
}

void aimd_daemon_load(const aimd_daemon *d, int *running, int *waiting)
{
    engine_load sum = {0};
    aimd_models_each_engine(&d->models, add_load, &sum);
    *running = sum.running;
    *waiting = sum.waiting;
}

void aimd_daemon_model_ready(aimd_daemon *d, aimd_model *m)
{
    const aim_memory_plan *plan = &m->plan;
    aimd_log_ranges(m);
    aimd_log_reward(m);
    atomic_store_explicit(&m->ready, true, memory_order_release);
    aimd_metrics_add_model(d->metrics, m->id);
    aimd_gauge(d->metrics, AIMD_M_LOAD_SECONDS, m->id, m->load_seconds);
    aimd_gauge(d->metrics, AIMD_M_WEIGHTS_BYTES, m->id, (double)plan->weights);
    aimd_gauge(d->metrics, AIMD_M_KV_CACHE_BYTES, m->id, (double)plan->kv_cache);
    aimd_gauge(d->metrics, AIMD_M_WORKSPACE_BYTES, m->id, (double)plan->workspace);
}
