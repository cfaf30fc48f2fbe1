/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip.h"

#include "base/alloc.h"
#include "server/chip_operation.h"
#include "server/chip_store.h"
#include "server/daemon.h"
#include "server/open_model.h"

#include <string.h>
#include <time.h>

const char *aimd_chip_state_name(enum aimd_chip_state state)
{
    static const char *const names[] = {"queued", "programming", "ready",
                                        "ageing", "calibrating", "failed"};
    return names[state];
}

size_t aimd_chip_base_length(const char *model_id)
{
    const char *at = strrchr(model_id, '@');
    return at && at != model_id ? (size_t)(at - model_id) : strlen(model_id);
}

/* ---- the list ------------------------------------------------------------ */

aimd_chip *aimd_chip_find(const aimd_daemon *d, const char *id, size_t len)
{
    aimd_chip *c = d->chips.first;
    while (c && (strlen(c->id) != len || memcmp(c->id, id, len) != 0))
        c = c->next;
    return c;
}

static void free_chip(aimd_chip *c)
{
    aim_free(c->base_model);
    aim_free(c);
}

/* Append a chip; the caller has checked the name. */
static aimd_chip *append(aimd_daemon *d, const char *id, const char *base_model, aimd_model *first,
                         aim_error *err)
{
    aimd_chip *c = aim_calloc(1, sizeof *c), **end = &d->chips.first;
    if (!c || (base_model && !(c->base_model = aim_strdup(base_model)))) {
        aim_free(c);
        aim_fail_nomem(err, "chip");
        return NULL;
    }
    memcpy(c->id, id, strlen(id) + 1);
    c->daemon = d;
    c->model = aimd_model_hold(first);
    c->created = first->created;
    c->kept = d->chips.folder != NULL;
    while (*end)
        end = &(*end)->next;
    return *end = c;
}

int aimd_chip_check_free(const aimd_daemon *d, const char *id, const char *model_id, aim_error *err)
{
    int n = 0;
    for (const aimd_chip *c = d->chips.first; c; c = c->next)
        n++;
    if (aimd_chip_find(d, id, strlen(id)))
        return aim_fail_param(err, AIM_ECONFLICT, "name", "there is a chip named %s already", id);
    if (aimd_models_look_up(&d->models, model_id))
        return aim_fail_param(err, AIM_ECONFLICT, "name", "there is a model named %s already",
                              model_id);
    if (n >= AIMD_MAX_CHIPS)
        return aim_fail(err, AIM_ECONFLICT, "there are %d chips already, which is the most", n);
    return 0;
}

aimd_chip *aimd_chip_add(aimd_daemon *d, const char *id, const char *base_model, aimd_model *first,
                         aim_error *err)
{
    aimd_chip *c = append(d, id, base_model, first, err);
    if (c)
        aimd_models_add(&d->models, first);
    else
        aimd_model_release(first);
    return c;
}

void aimd_chip_leave(aimd_chip *c)
{
    c->leaving = true;
    if (c->operation)
        atomic_store(&c->operation->cancelled, true);
}

void aimd_chip_stay(aimd_chip *c, const aim_error *why)
{
    c->leaving = false;
    c->error = *why;
    if (!c->operation && c->state != AIMD_CHIP_READY)
        aimd_chip_fail(c, why);
}

void aimd_chip_delete(aimd_chip *c)
{
    aimd_daemon *d = c->daemon;
    aimd_chip **link = &d->chips.first;
    while (*link != c)
        link = &(*link)->next;
    *link = c->next;
    if (c->operation)
        aimd__chip_operation_abandon(c->operation);
    aimd_metrics_remove_model(d->metrics, c->model->id);
    aimd_models_remove(&d->models, c->model);
    aimd_model_release(c->model);
    aimd_log(AIMD_LOG_INFO, "chip_deleted", AIMD_STR("chip", c->id));
    free_chip(c);
}

/* What is not there takes no memory. */
void aimd_chip_fail(aimd_chip *c, const aim_error *err)
{
    c->state = AIMD_CHIP_FAILED;
    c->error = *err;
    c->model->plan = (aim_memory_plan){0};
    c->model->failure = *err;
    atomic_store(&c->model->failed, true);
    aimd_log(AIMD_LOG_ERROR, "chip_failed", AIMD_STR("chip", c->id), AIMD_STR("reason", err->text));
}

double aimd_chip_progress(const aimd_chip *c)
{
    if (c->operation)
        return aimd__chip_operation_progress(c->operation);
    return c->state == AIMD_CHIP_READY ? 1 : atomic_load(&c->model->progress);
}

bool aimd_chip_is_persistent(const aimd_chip *c)
{
    const aimd_model *m = c->model;
    if (!c->configured)
        return c->kept;
    const aimd_model_options *o = aimd_chip_base(c->daemon->options, m->id);
    return o && atomic_load(&m->age) == o->chip_age && (c->kept || !m->chip->ranges);
}

void aimd_chip_log_ready(const aimd_chip *c, const char *operation, double seconds)
{
    const aimd_model *m = c->model;
    const aim_profile *p = &m->chip->profile;
    aimd_log(AIMD_LOG_INFO, "chip_ready", AIMD_STR("chip", c->id), AIMD_STR("operation", operation),
             AIMD_STR("model", m->id), AIMD_NUM("seconds", seconds), AIMD_STR("profile", p->name),
             AIMD_INT("seed", (int64_t)m->chip->seed), AIMD_NUM("age", atomic_load(&m->age)),
             AIMD_INT("conductance_bits", p->conductance_bits),
             AIMD_NUM("out_bound", p->tile.out_bound), AIMD_STR("backend", m->options.backend),
             AIMD_STR("input_ranges", aim_decoder_range_source(m->model->decoder)),
             AIMD_STR("fingerprint", m->fingerprint));
}

/* ---- the daemon's life --------------------------------------------------- */

void aimd_chip_name_of_model(const char *model_id, char name[AIMD_CHIP_NAME + 1])
{
    size_t base = aimd_chip_base_length(model_id), n = 0;
    const char *from = model_id[base] && model_id[base + 1] ? model_id + base + 1 : model_id;
    for (; *from && n < AIMD_CHIP_NAME; from++) {
        name[n] = *from;
        name[n + 1] = '\0';
        if (!aimd_is_chip_name(name))
            name[n] = n ? '-' : 'x';
        n++;
    }
    name[n] = '\0';
}

static int add_configured(aimd_daemon *d, aimd_model *m, aim_error *err)
{
    char id[AIMD_CHIP_NAME + 1];
    aimd_chip_name_of_model(m->id, id);
    if (aimd_chip_find(d, id, strlen(id)))
        return aim_fail(err, AIM_EINVAL, "model %s: another chip is called %s too", m->id, id);
    char *base = aim_strndup(m->id, aimd_chip_base_length(m->id));
    aimd_chip *c = base ? append(d, id, base, m, err) : NULL;
    aim_free(base);
    if (!c)
        return aim_fail_nomem(err, "chip");
    c->configured = true;
    c->state = AIMD_CHIP_PROGRAMMING;
    aimd_chip_store_find_ranges(d, c);
    return 0;
}

int aimd_chips_init(aimd_daemon *d, aim_error *err)
{
    d->chips =
        (aimd_chips){.programming.loop = d->loop, .probing.loop = d->loop, .files.loop = d->loop};
    int rc = aimd_chip_store_init(d, err);
    for (aimd_model *m = aimd_models_first(&d->models); rc == 0 && m; m = aimd_models_next(m))
        if (aimd_is_analog(m->options.backend))
            rc = add_configured(d, m, err);
    return rc;
}

void aimd_chips_loaded(aimd_daemon *d)
{
    for (aimd_chip *c = d->chips.first; c; c = c->next) {
        c->state = AIMD_CHIP_READY;
        aimd_chip_log_ready(c, "load", c->model->load_seconds);
    }
}

/* The reservation before the chip is added: from then on it counts itself. */
static aimd_chip *take_over(aimd_daemon *d, aimd_stored_chip *s, aim_error *err)
{
    aimd_model *m = s->model;
    if (aimd_chip_check_free(d, s->id, m->id, err))
        return NULL;
    if (!s->error.code)
        aimd_chip_reserve(d, m, &s->error);
    s->model = NULL;
    return aimd_chip_add(d, s->id, s->base_model, m, err);
}

static void restore(aimd_daemon *d, aimd_stored_chip *s)
{
    aim_error err = {0};
    aimd_chip *c = take_over(d, s, &err);
    if (!c) {
        aimd_log(AIMD_LOG_ERROR, "chip_not_restored", AIMD_STR("chip", s->id),
                 AIMD_STR("reason", err.text));
        return;
    }
    err = s->error;
    if (err.code || aimd_chip_program(c, &err))
        aimd_chip_fail(c, &err);
}

void aimd_chips_restore(aimd_daemon *d, aimd_stored_chip *list)
{
    for (aimd_stored_chip *s = list; s; s = s->next)
        restore(d, s);
    aimd_stored_chips_free(list);
}

bool aimd_chips_idle(const aimd_daemon *d)
{
    const aimd_chips *chips = &d->chips;
    return !chips->operations && !aimd_lane_length(&chips->programming) &&
           !aimd_lane_length(&chips->probing) && !aimd_lane_length(&chips->files);
}

void aimd_chips_fini(aimd_daemon *d)
{
    for (aimd_chip *next, *c = d->chips.first; c; c = next) {
        next = c->next;
        aimd_model_release(c->model);
        free_chip(c);
    }
    aimd_chip_store_fini(d);
    d->chips = (aimd_chips){0};
}
