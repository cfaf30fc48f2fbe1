/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip.h"

#include "base/alloc.h"
#include "base/memory.h"
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

/* Of a model's id: what stands before its last '@', if there is one, else all of it. */
static size_t base_length(const char *model_id)
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
    c->persistent = d->chips.folder != NULL;
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

/* ---- memory -------------------------------------------------------------- */

/* Of all models, and of all states that are to come. */
static size_t planned_bytes(const aimd_daemon *d)
{
    size_t planned = aimd_models_planned_bytes(&d->models);
    for (const aimd_chip_operation *o = d->chips.operations; o; o = o->next_operation)
        if (!o->first)
            planned = aim_add_saturating(planned, aim_memory_plan_total(&o->coming->plan));
    return planned;
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

/* Of what there was at the start the plans are gone; of what there is now, only what of
 * them is not touched yet: others may have taken memory meanwhile. */
static uint64_t memory_left(const aimd_daemon *d)
{
    uint64_t planned = planned_bytes(d);
    uint64_t of_start = less(d->memory, planned);
    uint64_t now = less(aim_memory_read("").available, less(planned, aim_memory_anonymous()));
    return of_start < now ? of_start : now;
}

static bool can_be_deleted(const aimd_chip *c)
{
    return !c->configured && !c->leaving;
}

/* What would leave more room, beside what the plan says. */
static const char *advice(const aimd_daemon *d)
{
    const aimd_chip *c = d->chips.first;
    while (c && !can_be_deleted(c))
        c = c->next;
    return c ? ", or delete a chip" : "";
}

int aimd_chip_reserve(aimd_daemon *d, aimd_model *coming, aim_error *err)
{
    aim_error cause = {0};
    if (aim_memory_plan_fit(&coming->plan, 1, memory_left(d), &cause))
        return aim_fail(err, AIM_ECONFLICT, "%s%s", cause.text, advice(d));
    return 0;
}

/* ---- states -------------------------------------------------------------- */

const aimd_model_options *aimd_chip_base(const aimd_options *o, const char *id)
{
    for (size_t i = 0; i < o->n_models; i++)
        if (strcmp(o->models[i].id, id) == 0)
            return &o->models[i];
    return NULL;
}

/* Put a copy of value in the place of a string; false when out of memory. */
static bool set_text(char **place, const char *value)
{
    aim_free(*place);
    *place = value ? aim_strdup(value) : NULL;
    return *place;
}

/* BASE@NAME; of a base that is a chip itself what its own name was made from. */
static char *model_id(const char *base_id, const char *name)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_append(&b, base_id, base_length(base_id));
    aim_buf_printf(&b, "@%s", name);
    char *id = aim_buf_steal(&b, NULL);
    aim_buf_free(&b);
    return id;
}

aimd_model *aimd_chip_model_new(aimd_daemon *d, const aimd_model_options *base, const char *base_id,
                                const aimd_chip_request *r, aim_error *err)
{
    aimd_model_options o;
    if (aimd_model_options_copy(&o, base, err))
        return NULL;
    aim_free(o.id);
    o.id = model_id(base_id, r->name);
    o.chip_seed = r->seed;
    o.chip_age = r->age;
    o.conductance_bits = r->conductance_bits;
    o.out_bound = r->out_bound;
    aimd_model *m = NULL;
    if (o.id && set_text(&o.backend, r->backend) && set_text(&o.profile, r->profile))
        m = aimd_model_new(d, &o, err);
    else
        aim_fail_nomem(err, "chip");
    aimd_model_options_free(&o);
    return m;
}

aimd_model *aimd_chip_unknown_model(aimd_daemon *d, const char *id)
{
    aimd_model_options o = {.id = model_id("", id)};
    aimd_model *m = o.id ? aimd_model_new(d, &o, NULL) : NULL;
    aim_free(o.id);
    return m;
}

static bool copy_chip(aimd_model *to, const aimd_model *of, bool keep_ranges)
{
    to->chip = aim_malloc(sizeof *to->chip);
    if (!to->chip)
        return false;
    *to->chip = *of->chip;
    to->chip->ranges = NULL;
    if (keep_ranges && of->chip->ranges)
        to->chip->ranges = aim_input_ranges_copy(of->chip->ranges);
    return !keep_ranges || !of->chip->ranges == !to->chip->ranges;
}

/* The cache stays as large as it is: what is served now would not fit a smaller one. */
static int plan_next(aimd_model *m, const aimd_model *of, aim_error *err)
{
    int rc = aimd_model_plan(m, err);
    m->plan.kv_blocks = m->plan.kv_least = of->plan.kv_blocks;
    m->plan.kv_cache = of->plan.kv_cache;
    return rc;
}

aimd_model *aimd_chip_next_state(const aimd_model *of, double age, bool keep_ranges, aim_error *err)
{
    aimd_model *m = aimd_model_new(of->daemon, &of->options, err);
    if (!m)
        return NULL;
    m->created = of->created;
    m->options.chip_age = age;
    if (!copy_chip(m, of, keep_ranges)) {
        aim_fail_nomem(err, "chip");
        aimd_model_discard(m);
        return NULL;
    }
    m->chip->age = age;
    if (plan_next(m, of, err) == 0)
        return m;
    aimd_model_discard(m);
    return NULL;
}

double aimd_chip_progress(const aimd_chip *c)
{
    if (c->operation)
        return aimd__chip_operation_progress(c->operation);
    return c->state == AIMD_CHIP_READY ? 1 : atomic_load(&c->model->progress);
}

/* ---- the daemon's life --------------------------------------------------- */

void aimd_chip_name_of_model(const char *model_id, char name[AIMD_CHIP_NAME + 1])
{
    size_t base = base_length(model_id), n = 0;
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
    char *base = aim_strndup(m->id, base_length(m->id));
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
        if (m->chip)
            rc = add_configured(d, m, err);
    return rc;
}

void aimd_chips_loaded(aimd_daemon *d)
{
    for (aimd_chip *c = d->chips.first; c; c = c->next)
        c->state = AIMD_CHIP_READY;
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
