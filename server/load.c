/* SPDX-License-Identifier: Apache-2.0 */
#include "server/load.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/memory.h"
#include "server/fingerprint.h"
#include "server/load_log.h"
#include "server/routes.h"

#include <string.h>

/* The path of one model's events: to its self-test first, then to the daemon. */
typedef struct event_path {
    aimd_daemon *daemon;
    atomic_bool testing;
    uv_mutex_t lock; /* guards the rest */
    uv_cond_t changed;
    bool finished;
    int n_tokens;
    aim_error error;
} event_path;

struct aimd_loader {
    aimd_daemon *daemon;
    aimd_loaded_fn *on_loaded;
    uv_async_t done;
    uv_thread_t thread;
    bool started;
    event_path *paths;
    aim_memory_plan *plans; /* of all models, made before the first is loaded */
    aim_model **models;     /* by index; the loop thread takes them over in on_done */
    double *seconds;
    aim_error error;
};

/* ---- the self-test, on the loader's and the engine's threads ------------- */

/* Engine thread. The last event of the only candidate ends the test, so that
 * nothing of it reaches the daemon. */
static void take_test_events(event_path *p, aim_event *events)
{
    uv_mutex_lock(&p->lock);
    for (aim_event *e = events, *next; e; e = next) {
        next = e->next;
        p->n_tokens += e->kind == AIM_EVENT_TOKEN;
        if (e->kind != AIM_EVENT_PROMPT && e->finish != AIM_FINISH_NONE) {
            p->finished = true;
            p->error = e->error;
            atomic_store(&p->testing, false);
        }
        aim_event_free(e);
    }
    uv_cond_signal(&p->changed);
    uv_mutex_unlock(&p->lock);
}

static void on_engine_events(void *arg, aim_event *events)
{
    event_path *p = arg;
    if (atomic_load_explicit(&p->testing, memory_order_relaxed))
        take_test_events(p, events);
    else
        aimd_event_sink(p->daemon, events);
}

static aim_request *test_request(void)
{
    aim_request *r = aim_request_new();
    if (!r)
        return NULL;
    r->tokens = aim_calloc(1, sizeof *r->tokens); /* id 0 exists in every vocabulary */
    r->n_tokens = 1;
    r->n = 1;
    r->max_tokens = 1;
    r->sampling.temperature = 0;
    if (r->tokens)
        return r;
    aim_request_free(r);
    return NULL;
}

/* Does the engine make a token? Waits for as long as it takes: the service
 * manager's start timeout is the judge of too long. */
static int self_test(aim_model *m, event_path *p, aim_error *err)
{
    aim_request *r = test_request();
    if (!r)
        return aim_fail_nomem(err, "self-test");
    int rc = aim_engine_submit(m->engine, &r, 1, err);
    if (rc)
        return rc;
    uv_mutex_lock(&p->lock);
    while (!p->finished)
        uv_cond_wait(&p->changed, &p->lock);
    uv_mutex_unlock(&p->lock);
    if (p->error.code)
        return aim_fail(err, p->error.code, "self-test: %s", p->error.text);
    if (p->n_tokens != 1)
        return aim_fail(err, AIM_EINTERNAL, "self-test: %d tokens instead of one", p->n_tokens);
    return 0;
}

/* ---- the loader's thread ------------------------------------------------- */

struct watch {
    aimd_model *model;
    aimd_load_progress log;
};

static void on_progress(void *arg, double done)
{
    struct watch *w = arg;
    atomic_store_explicit(&w->model->progress, done, memory_order_relaxed);
    aimd_log_progress(&w->log, w->model, done);
}

static aim_model_options load_options(const aimd_options *o, size_t i)
{
    const aimd_model_options *m = &o->models[i];
    return (aim_model_options){
        .name = m->id,
        .dir = m->dir,
        .backend = m->backend,
        .chat_template = strcmp(m->chat_template, "auto") == 0 ? NULL : m->chat_template,
        .random_weights = m->random_weights,
        .kernels = strcmp(o->kernels, "auto") == 0 ? NULL : o->kernels,
        .engine = m->engine,
    };
}

/* All models or none: what lacks memory is told before the first is loaded. */
static int plan_all(aimd_loader *l)
{
    size_t n = l->daemon->n_models;
    uint64_t available = aim_memory_read("").available;
    for (size_t i = 0; i < n; i++) {
        aim_model_options o = load_options(l->daemon->options, i);
        aim_error err = {0};
        int rc = aim_model_plan(&o, &l->plans[i], &err);
        if (rc)
            return aim_fail(&l->error, err.code, "model %s: %s", o.name, err.text);
    }
    return aim_memory_plan_fit(l->plans, n, available, &l->error);
}

int aimd_load_check(const aimd_options *o, size_t first, aim_error *err)
{
    for (size_t i = first; i < o->n_models; i++) {
        aim_error cause = {0};
        aim_model_options m = load_options(o, i);
        if (aim_model_check(&m, &cause))
            return aim_fail(err, cause.code, "model %s: %s", m.name, cause.text);
    }
    return 0;
}

static int load_one(aimd_loader *l, size_t i)
{
    aimd_model *m = &l->daemon->models[i];
    aim_model_options o = load_options(l->daemon->options, i);
    uint64_t start = aim_now_ns();
    struct watch watch = {m, {.told_ns = start}};
    aim_error err = {0};
    o.plan = &l->plans[i];
    aimd_log_plan(m, &l->plans[i]);
    l->models[i] = aim_model_open(&o, on_engine_events, &l->paths[i], on_progress, &watch, &err);
    int rc = l->models[i] ? self_test(l->models[i], &l->paths[i], &err) : (int)err.code;
    if (rc)
        return aim_fail(&l->error, (enum aim_code)rc, "model %s: %s", m->id, err.text);
    atomic_store(&m->progress, 1);
    l->seconds[i] = (double)(aim_now_ns() - start) / 1e9;
    aimd_log_loaded(m, l->models[i], l->seconds[i]);
    aimd_fingerprint(m->options->dir, m->options->backend, l->models[i]->compute.kernels->name,
                     aim_decoder_chip(l->models[i]->decoder), m->fingerprint);
    return 0;
}

static void load_all(void *arg)
{
    aimd_loader *l = arg;
    int rc = plan_all(l);
    if (rc == 0) /* the first one's load begins with the same */
        rc = aimd_load_check(l->daemon->options, 1, &l->error);
    for (size_t i = 0; rc == 0 && i < l->daemon->n_models; i++)
        rc = load_one(l, i);
    uv_async_send(&l->done);
}

/* ---- the loop thread ----------------------------------------------------- */

static void set_gauges(aimd_daemon *d, const aimd_model *m, const aim_memory_plan *plan,
                       double seconds)
{
    aimd_gauge(d->metrics, AIMD_M_LOAD_SECONDS, m->id, seconds);
    aimd_gauge(d->metrics, AIMD_M_WEIGHTS_BYTES, m->id, (double)plan->weights);
    aimd_gauge(d->metrics, AIMD_M_KV_CACHE_BYTES, m->id, (double)plan->kv_cache);
    aimd_gauge(d->metrics, AIMD_M_WORKSPACE_BYTES, m->id, (double)plan->workspace);
}

static void on_done(uv_async_t *handle)
{
    aimd_loader *l = handle->data;
    aimd_daemon *d = l->daemon;
    aimd_load_detach(l);
    for (size_t i = 0; i < d->n_models; i++) {
        d->models[i].model = l->models[i];
        l->models[i] = NULL;
        set_gauges(d, &d->models[i], &l->plans[i], l->seconds[i]);
    }
    l->on_loaded(d, &l->error);
}

void aimd_load_detach(aimd_loader *l)
{
    if (l && !uv_is_closing((uv_handle_t *)&l->done))
        uv_close((uv_handle_t *)&l->done, NULL);
}

static int init_paths(aimd_loader *l)
{
    size_t n = l->daemon->n_models;
    l->paths = aim_calloc(n, sizeof *l->paths);
    l->plans = aim_calloc(n, sizeof *l->plans);
    l->models = aim_calloc(n, sizeof *l->models);
    l->seconds = aim_calloc(n, sizeof *l->seconds);
    for (size_t i = 0; l->paths && i < n; i++) {
        l->paths[i].daemon = l->daemon;
        atomic_init(&l->paths[i].testing, true);
        uv_mutex_init(&l->paths[i].lock);
        uv_cond_init(&l->paths[i].changed);
    }
    return l->paths && l->plans && l->models && l->seconds ? 0 : -1;
}

static void free_loader(aimd_loader *l)
{
    for (size_t i = 0; l->paths && i < l->daemon->n_models; i++) {
        uv_mutex_destroy(&l->paths[i].lock);
        uv_cond_destroy(&l->paths[i].changed);
    }
    aim_free(l->paths);
    aim_free(l->plans);
    aim_free(l->models);
    aim_free(l->seconds);
    aim_free(l);
}

aimd_loader *aimd_load_new(aimd_daemon *d, aimd_loaded_fn *on_loaded, aim_error *err)
{
    aimd_loader *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "loader");
        return NULL;
    }
    l->daemon = d;
    l->on_loaded = on_loaded;
    l->done.data = l;
    if (init_paths(l) || uv_async_init(d->loop, &l->done, on_done)) {
        free_loader(l);
        aim_fail_nomem(err, "loader");
        return NULL;
    }
    return l;
}

int aimd_load_start(aimd_loader *l, aim_error *err)
{
    int rc = uv_thread_create(&l->thread, load_all, l);
    l->started = rc == 0;
    return rc ? aim_fail(err, AIM_EIO, "loader thread: %s", uv_strerror(rc)) : 0;
}

void aimd_load_free(aimd_loader *l)
{
    if (!l)
        return;
    if (l->started)
        uv_thread_join(&l->thread);
    for (size_t i = 0; i < l->daemon->n_models; i++)
        aim_model_close(l->models[i]);
    free_loader(l);
}
