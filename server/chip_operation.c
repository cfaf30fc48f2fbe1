/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_operation.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "server/chip_store.h"
#include "server/daemon.h"
#include "server/open_model.h"

#include <string.h>

void aimd_token_texts_free(aimd_token_texts *t)
{
    for (size_t i = 0; i < t->n; i++)
        aim_free((void *)(uintptr_t)t->texts[i].tokens);
    aim_free(t->texts);
    *t = (aimd_token_texts){0};
}

/* ---- on a worker thread -------------------------------------------------- */

static void on_measured(void *arg, double done)
{
    aimd_chip_operation *o = arg;
    atomic_store_explicit(&o->measure_progress, done, memory_order_relaxed);
}

static int measure_on(aimd_chip_operation *o, const aim_model *m)
{
    aim_measure_options options = {.threads = o->measured->options.engine.threads,
                                   .cancelled = &o->cancelled,
                                   .progress = on_measured,
                                   .progress_arg = o};
    o->coming->chip->ranges =
        aim_model_calibrate(m, o->texts.texts, o->texts.n, &o->calibration, &options, &o->error);
    return (int)o->error.code;
}

/* On the chip as it was before it was calibrated: ranges follow from the chip and the
 * texts, not from ranges. */
static int measure_anew(aimd_chip_operation *o)
{
    aimd_model *m = aimd_chip_next_state(o->coming, o->coming->chip->age, false, &o->error);
    if (!m)
        return (int)o->error.code;
    if (aimd_model_open(m, &o->cancelled, &o->error) == 0)
        measure_on(o, m->model);
    aim_model_close(m->model);
    aimd_model_discard(m);
    return (int)o->error.code;
}

static int measure(aimd_chip_operation *o)
{
    return o->measured->chip->ranges ? measure_anew(o) : measure_on(o, o->measured->model);
}

/* What was opened in vain gives its memory back at once. */
static void open_coming(aimd_chip_operation *o)
{
    if (aimd_model_open(o->coming, &o->cancelled, &o->error) == 0)
        return;
    aim_model_close(o->coming->model);
    o->coming->model = NULL;
}

static void run(aimd_lane_task *t)
{
    aimd_chip_operation *o = (aimd_chip_operation *)t;
    o->start_ns = aim_now_ns();
    if (atomic_load(&o->cancelled))
        aim_fail(&o->error, AIM_ECANCELED, "cancelled");
    else if (!o->measured || measure(o) == 0)
        open_coming(o);
}

static void save(aimd_lane_task *t)
{
    aimd_chip_operation *o = (aimd_chip_operation *)t;
    aimd_kept_chip chip = {o->id, o->base_model, o->created, o->configured, o->age, o->coming};
    aimd_chip_store_save(o->daemon, &chip, &o->error);
}

/* ---- on the loop thread -------------------------------------------------- */

static void end(aimd_chip_operation *o)
{
    aimd_chip_operation **link = &o->daemon->chips.operations;
    while (*link != o)
        link = &(*link)->next_operation;
    *link = o->next_operation;
    if (o->chip)
        o->chip->operation = NULL;
    aimd_model_release(o->coming);
    aimd_model_release(o->measured);
    aimd_token_texts_free(&o->texts);
    aim_free(o->base_model);
    aim_free(o);
}

/* Is it over because the daemon stops? Then nobody needs to be told. */
static bool is_stopped(const aimd_chip_operation *o)
{
    return o->error.code == AIM_ECANCELED && o->daemon->state != AIMD_READY;
}

/* The state before, if there is one, is served as it was. */
static void fail(aimd_chip_operation *o)
{
    aimd_chip *c = is_stopped(o) ? NULL : o->chip;
    if (c && o->first) {
        aimd_chip_fail(c, &o->error);
    } else if (c) {
        c->state = AIMD_CHIP_READY;
        c->error = o->error;
        aimd_log(AIMD_LOG_ERROR, "chip_unchanged", AIMD_STR("chip", c->id),
                 AIMD_STR("operation", o->name), AIMD_STR("reason", o->error.text));
    }
    end(o);
}

static void serve(aimd_chip *c, aimd_model *coming)
{
    aimd_daemon *d = c->daemon;
    aimd_model *old = c->model;
    aimd_daemon_model_ready(d, coming);
    if (old == coming)
        return;
    c->model = aimd_model_hold(coming);
    aimd_models_replace(&d->models, old, aimd_model_hold(coming));
    aimd_model_release(old);
}

static void succeed(aimd_chip_operation *o)
{
    aimd_chip *c = o->chip;
    if (c) {
        double seconds = (double)(aim_now_ns() - o->start_ns) / 1e9;
        if (!o->alike)
            serve(c, o->coming);
        atomic_store(&c->model->age, o->age);
        c->state = AIMD_CHIP_READY;
        c->error = (aim_error){0};
        aimd_observe_label(o->daemon->metrics, AIMD_M_CHIP_OPERATION, NULL, o->name, seconds);
        aimd_chip_log_ready(c, o->name, seconds);
    }
    end(o);
}

static void saved(aimd_lane_task *t)
{
    aimd_chip_operation *o = (aimd_chip_operation *)t;
    if (o->error.code)
        fail(o);
    else
        succeed(o);
}

/* Of a configured chip its ranges are kept and nothing else. */
static bool is_kept(const aimd_chip_operation *o)
{
    return !o->configured || o->state == AIMD_CHIP_CALIBRATING;
}

/* A new state is kept before it is served: who sees it sees it again after a crash, and
 * what cannot be kept is not served. The first one was kept when it was asked for. */
static void done(aimd_lane_task *t)
{
    aimd_chip_operation *o = (aimd_chip_operation *)t;
    if (o->chip && o->chip->leaving)
        aim_fail(&o->error, AIM_ECANCELED, "the chip was about to be deleted");
    if (o->error.code) {
        fail(o);
    } else if (o->chip && o->chip->kept && !o->first && is_kept(o)) {
        o->task = (aimd_lane_task){.run = save, .done = saved};
        aimd_lane_add(&o->daemon->chips.files, &o->task);
    } else {
        succeed(o);
    }
}

void aimd__chip_operation_abandon(aimd_chip_operation *o)
{
    o->chip = NULL;
    atomic_store(&o->cancelled, true);
    if (aimd_lane_take_out(&o->task))
        end(o);
}

double aimd__chip_operation_progress(const aimd_chip_operation *o)
{
    double loaded = atomic_load(&o->coming->progress);
    return o->measured ? (atomic_load(&o->measure_progress) + loaded) / 2 : loaded;
}

/* ---- the beginning ------------------------------------------------------- */

static void on_turn(aimd_lane_task *t)
{
    aimd_chip_operation *o = (aimd_chip_operation *)t;
    if (o->chip)
        o->chip->state = o->state;
}

/* Takes over the reference to coming, also on failure. */
static aimd_chip_operation *new_operation(aimd_chip *c, const char *name, aimd_model *coming,
                                          aim_error *err)
{
    aimd_chip_operation *o = aim_calloc(1, sizeof *o);
    if (!o || !(o->base_model = aim_strdup(c->base_model))) {
        aim_free(o);
        aimd_model_release(coming);
        aim_fail_nomem(err, "chip");
        return NULL;
    }
    o->task = (aimd_lane_task){.turn = on_turn, .run = run, .done = done};
    o->daemon = c->daemon;
    o->chip = c;
    o->coming = coming;
    o->age = coming->chip->age;
    o->name = name;
    o->created = c->created;
    o->configured = c->configured;
    memcpy(o->id, c->id, sizeof o->id);
    return o;
}

static void add(aimd_chip_operation *o, enum aimd_chip_state state)
{
    aimd_chips *chips = &o->daemon->chips;
    const aimd_model *m = o->coming;
    o->next_operation = chips->operations;
    chips->operations = o;
    o->chip->operation = o;
    o->chip->state = AIMD_CHIP_QUEUED;
    o->state = state;
    aimd_log(AIMD_LOG_INFO, "chip_operation", AIMD_STR("chip", o->id),
             AIMD_STR("operation", o->name), AIMD_STR("model", m->id),
             AIMD_STR("profile", m->chip->profile.name), AIMD_INT("seed", (int64_t)m->chip->seed),
             AIMD_NUM("age", o->age), AIMD_STR("backend", m->options.backend),
             AIMD_INT("conductance_bits", m->chip->profile.conductance_bits),
             AIMD_NUM("out_bound", m->chip->profile.tile.out_bound),
             AIMD_INT("needed_bytes", (int64_t)aim_memory_plan_total(&m->plan)));
}

static void begin(aimd_chip_operation *o, enum aimd_chip_state state)
{
    add(o, state);
    aimd_lane_add(&o->daemon->chips.programming, &o->task);
}

int aimd_chip_program(aimd_chip *c, aim_error *err)
{
    aimd_chip_operation *o = new_operation(c, "program", aimd_model_hold(c->model), err);
    if (!o)
        return AIM_ENOMEM;
    o->first = true;
    begin(o, AIMD_CHIP_PROGRAMMING);
    return 0;
}

/* There is nothing to compute. */
static int tell_age(aimd_chip *c, double age, aim_error *err)
{
    aimd_chip_operation *o = new_operation(c, "age", aimd_model_hold(c->model), err);
    if (!o)
        return AIM_ENOMEM;
    o->alike = true;
    o->age = age;
    o->start_ns = aim_now_ns();
    add(o, AIMD_CHIP_AGEING);
    on_turn(&o->task);
    done(&o->task);
    return 0;
}

int aimd_chip_age(aimd_chip *c, aimd_model *coming, aim_error *err)
{
    if (aimd_chip_computes_alike(c->model, coming)) {
        double age = coming->chip->age;
        aimd_model_release(coming);
        return tell_age(c, age, err);
    }
    aimd_chip_operation *o = new_operation(c, "age", coming, err);
    if (!o)
        return AIM_ENOMEM;
    begin(o, AIMD_CHIP_AGEING);
    return 0;
}

int aimd_chip_calibrate(aimd_chip *c, aimd_model *coming, aimd_token_texts *texts,
                        const aim_calibration *calibration, aim_error *err)
{
    aimd_chip_operation *o = new_operation(c, "calibrate", coming, err);
    if (!o)
        return AIM_ENOMEM;
    if (calibration) {
        o->measured = aimd_model_hold(c->model);
        o->calibration = *calibration;
    }
    o->texts = *texts;
    *texts = (aimd_token_texts){0};
    begin(o, AIMD_CHIP_CALIBRATING);
    return 0;
}

void aimd_chips_cancel(aimd_daemon *d, bool probes)
{
    for (aimd_chip_operation *o = d->chips.operations; o; o = o->next_operation)
        atomic_store(&o->cancelled, true);
    if (probes)
        aimd_chip_probes_cancel(d);
}
