/* SPDX-License-Identifier: Apache-2.0 */
#include "server/load.h"

#include "base/alloc.h"
#include "server/chip_store.h"
#include "server/open_model.h"

struct aimd_loader {
    aimd_daemon *daemon;
    aimd_loaded_fn *on_loaded;
    uv_async_t done;
    uv_thread_t thread;
    bool started;
    aimd_stored_chip *stored; /* chips of an earlier run */
    aim_error error;
};

int aimd_load_check(const aimd_options *o, size_t first, aim_error *err)
{
    int rc = 0;
    for (size_t i = first; rc == 0 && i < o->n_models; i++)
        rc = aimd_model_check(o, &o->models[i], err);
    return rc;
}

/* ---- the loader's thread ------------------------------------------------- */

/* All models or none: what lacks memory is told before the first is loaded. */
static int fit_all(aimd_loader *l, aim_memory_plan *plans, size_t n)
{
    const aimd_model_table *t = &l->daemon->models;
    aimd_model *m = aimd_models_first(t);
    for (size_t i = 0; i < n; i++, m = aimd_models_next(m))
        plans[i] = m->plan;
    int rc = aim_memory_plan_fit(plans, n, l->daemon->memory, &l->error);
    m = aimd_models_first(t);
    for (size_t i = 0; rc == 0 && i < n; i++, m = aimd_models_next(m))
        m->plan = plans[i];
    return rc;
}

static int plan_all(aimd_loader *l)
{
    const aimd_model_table *t = &l->daemon->models;
    int rc = 0;
    for (aimd_model *m = aimd_models_first(t); rc == 0 && m; m = aimd_models_next(m))
        rc = aimd_model_plan(m, &l->error);
    if (rc)
        return rc;
    size_t n = aimd_models_count(t);
    aim_memory_plan *plans = aim_calloc(n, sizeof *plans);
    rc = plans ? fit_all(l, plans, n) : aim_fail_nomem(&l->error, "memory plan");
    aim_free(plans);
    return rc;
}

static void load_all(void *arg)
{
    aimd_loader *l = arg;
    int rc = plan_all(l);
    if (rc == 0) /* the first one's load begins with the same */
        rc = aimd_load_check(l->daemon->options, 1, &l->error);
    for (aimd_model *m = aimd_models_first(&l->daemon->models); rc == 0 && m;
         m = aimd_models_next(m))
        rc = aimd_model_open(m, NULL, &l->error);
    if (rc == 0)
        l->stored = aimd_chip_store_read(l->daemon);
    uv_async_send(&l->done);
}

/* ---- the loop thread ----------------------------------------------------- */

static void serve_all(aimd_loader *l)
{
    aimd_daemon *d = l->daemon;
    for (aimd_model *m = aimd_models_first(&d->models); m; m = aimd_models_next(m))
        aimd_daemon_model_ready(d, m);
    aimd_chips_loaded(d);
}

static void on_done(uv_async_t *handle)
{
    aimd_loader *l = handle->data;
    aimd_daemon *d = l->daemon;
    aimd_load_detach(l);
    if (l->error.code == AIM_OK)
        serve_all(l);
    l->on_loaded(d, &l->error);
    aimd_chips_restore(d, l->stored); /* none after a failure */
    l->stored = NULL;
}

void aimd_load_detach(aimd_loader *l)
{
    if (l && !uv_is_closing((uv_handle_t *)&l->done))
        uv_close((uv_handle_t *)&l->done, NULL);
}

aimd_loader *aimd_load_new(aimd_daemon *d, aimd_loaded_fn *on_loaded, aim_error *err)
{
    aimd_loader *l = aim_calloc(1, sizeof *l);
    if (!l || uv_async_init(d->loop, &l->done, on_done)) {
        aim_free(l);
        aim_fail_nomem(err, "loader");
        return NULL;
    }
    l->daemon = d;
    l->on_loaded = on_loaded;
    l->done.data = l;
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
    if (l && l->started)
        uv_thread_join(&l->thread);
    if (l)
        aimd_stored_chips_free(l->stored);
    aim_free(l);
}
