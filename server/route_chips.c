/* SPDX-License-Identifier: Apache-2.0 */
/* route_chips.c - /v1/chips: what is there, new chips, ageing, calibration. */
#include "server/routes.h"

#include "base/alloc.h"
#include "server/chip_body.h"
#include "server/chip_routes.h"
#include "server/chip_store.h"
#include "server/json_out.h"

#include <stdio.h>
#include <string.h>

enum { SHOWN_ID = 200 }; /* bytes of an unknown id that are told back */

static const char prefix[] = "/v1/chips/";

/* The chip that is served as the model of this id; NULL: there is none. */
static const aimd_chip *chip_of_model(const aimd_daemon *d, const char *id, size_t len)
{
    const aimd_chip *c = d->chips.first;
    while (c && (strlen(c->model->id) != len || memcmp(c->model->id, id, len) != 0))
        c = c->next;
    return c;
}

static void refuse_unknown(const aimd_daemon *d, aimd_exchange *x, const char *id, size_t len)
{
    char message[384];
    const aimd_chip *meant = chip_of_model(d, id, len);
    snprintf(message, sizeof message, "there is no chip \"%.*s\"%s%s%s",
             len < SHOWN_ID ? (int)len : SHOWN_ID, id,
             meant ? "; the chip of this model is called \"" : "", meant ? meant->id : "",
             meant ? "\"" : "");
    aimd_respond_status(x, 404, "invalid_request_error", "chip_not_found", message);
}

aimd_chip *aimd_chip_of_path(aimd_daemon *d, aimd_exchange *x)
{
    const char *id = aimd_exchange_path(x) + sizeof prefix - 1;
    size_t len = strcspn(id, "/");
    aimd_chip *c = aimd_chip_find(d, id, len);
    if (!c)
        refuse_unknown(d, x, id, len);
    return c;
}

static void refuse(aimd_exchange *x, const char *code, const char *message)
{
    aimd_respond_status(x, 409, "invalid_request_error", code, message);
}

bool aimd_chip_is_served(const aimd_chip *c, aimd_exchange *x)
{
    bool served = aimd_model_is_ready(c->model);
    if (c->state == AIMD_CHIP_FAILED)
        refuse(x, "chip_failed", c->error.text);
    else if (!served)
        aimd_respond_status(x, 503, "unavailable_error", "chip_not_ready",
                            "the chip is being programmed");
    return served;
}

bool aimd_chip_is_free(const aimd_chip *c, aimd_exchange *x)
{
    bool is_free = !c->operation && !c->leaving && c->state == AIMD_CHIP_READY;
    if (c->state == AIMD_CHIP_FAILED)
        refuse(x, "chip_failed", c->error.text);
    else if (!is_free)
        refuse(x, "chip_busy", "the chip is being programmed, aged or calibrated");
    return is_free;
}

static void respond(aimd_exchange *x, int status, aim_buf *body)
{
    aimd_respond_take(x, status, "application/json", body);
}

/* ---- GET ----------------------------------------------------------------- */

void aimd_get_chips(aimd_daemon *d, aimd_exchange *x)
{
    aim_buf out = AIM_BUF_INIT;
    aim_buf_puts(&out, "{\"object\":\"list\",\"data\":[");
    for (const aimd_chip *c = d->chips.first; c; c = c->next) {
        if (c != d->chips.first)
            aim_buf_puts(&out, ",");
        aimd_chip_write(&out, c);
    }
    aim_buf_puts(&out, "]}");
    respond(x, 200, &out);
}

void aimd_get_chip(aimd_daemon *d, aimd_exchange *x)
{
    aim_buf out = AIM_BUF_INIT;
    const aimd_chip *c = aimd_chip_of_path(d, x);
    if (!c)
        return;
    aimd_chip_write(&out, c);
    respond(x, 200, &out);
}

/* ---- POST: what the three have in common --------------------------------- */

typedef struct chip_post {
    aimd_offload offload; /* first: the two share an address */
    aimd_lane_task save;
    aimd_new_chip asked; /* of a new chip: its model, else the next state; ours until taken over */
    char id[AIMD_CHIP_NAME + 1];
    aimd_asked_calibration calibration;
} chip_post;

static void end_post(chip_post *p)
{
    aimd_offload_end(&p->offload);
    aimd_model_discard(p->asked.model);
    aimd_token_texts_free(&p->calibration.texts);
    aim_free(p);
}

static void fail_post(chip_post *p, const char *code)
{
    aimd_offload *o = &p->offload;
    if (o->exchange && code)
        aimd_respond_error(o->exchange, &o->error, code);
    else
        aimd_offload_fail(o);
    end_post(p);
}

/* 202: the rest happens in the background. */
static void accept_post(chip_post *p, const aimd_chip *c)
{
    aim_buf out = AIM_BUF_INIT;
    char location[sizeof prefix + sizeof c->id];
    aimd_exchange *x = p->offload.exchange;
    if (x) {
        snprintf(location, sizeof location, "%s%s", prefix, c->id);
        aimd_exchange_add_header(x, "Location", location);
        aimd_chip_write(&out, c);
        respond(x, 202, &out);
    }
    end_post(p);
}

static void start_post(aimd_daemon *d, aimd_exchange *x, enum aimd_body_route route,
                       const aimd_chip *c, void (*run)(aimd_offload *o),
                       void (*done)(aimd_offload *o))
{
    chip_post *p = aim_calloc(1, sizeof *p);
    if (!p) {
        aimd_respond_status(x, 503, "server_error", NULL, "out of memory");
        return;
    }
    p->offload.route = route;
    p->offload.run = run;
    p->offload.done = done;
    if (c) {
        p->offload.model = aimd_model_hold(c->model);
        memcpy(p->id, c->id, sizeof p->id);
    }
    aimd_offload_start(&p->offload, d, x);
}

/* ---- POST /v1/chips ------------------------------------------------------ */

static void run_create(aimd_offload *o)
{
    chip_post *p = (chip_post *)o;
    aimd_body b;
    if (aimd_body_read(o, &b) == 0)
        aimd_read_new_chip(o, &b, &p->asked, &o->error);
    aimd_body_close(&b);
}

static chip_post *of_save(aimd_lane_task *t)
{
    return (chip_post *)((char *)t - offsetof(chip_post, save));
}

static void run_save(aimd_lane_task *t)
{
    chip_post *p = of_save(t);
    const aimd_model *m = p->offload.model;
    aimd_kept_chip chip = {p->asked.name, p->asked.base->id, m->created, false, m->chip->age, m};
    aimd_chip_store_save(p->offload.daemon, &chip, &p->offload.error);
}

static void run_forget(aimd_lane_task *t)
{
    chip_post *p = of_save(t);
    aim_error err = {0};
    if (aimd_chip_store_remove(p->offload.daemon, p->asked.name, &err))
        aimd_log(AIMD_LOG_ERROR, "chip_not_forgotten", AIMD_STR("chip", p->asked.name),
                 AIMD_STR("reason", err.text));
}

static void forget_done(aimd_lane_task *t)
{
    fail_post(of_save(t), NULL);
}

/* The answer waits until nothing of the chip is left. */
static void undo_create(chip_post *p, aimd_chip *c)
{
    aimd_chip_delete(c);
    p->save = (aimd_lane_task){.run = run_forget, .done = forget_done};
    aimd_lane_add(&p->offload.daemon->chips.files, &p->save);
}

/* A deletion that was asked for meanwhile waits behind the saving, and takes the chip. */
static void save_done(aimd_lane_task *t)
{
    chip_post *p = of_save(t);
    aimd_offload *o = &p->offload;
    aimd_chip *c = aimd_chip_find(o->daemon, p->asked.name, strlen(p->asked.name));
    if (c->leaving) {
        aim_fail(&o->error, AIM_ENOTFOUND, "the chip \"%s\" was deleted at once", c->id);
        fail_post(p, "chip_not_found");
        return;
    }
    if (!o->error.code && aimd_daemon_check_running(o->daemon, &o->error) == 0)
        aimd_chip_program(c, &o->error);
    if (o->error.code)
        undo_create(p, c);
    else
        accept_post(p, c);
}

/* The code of a conflict, NULL if there is none. */
static const char *check_room(aimd_daemon *d, const chip_post *p, aim_error *err)
{
    if (aimd_chip_check_free(d, p->asked.name, p->asked.model->id, err))
        return err->param[0] ? "chip_exists" : "too_many_chips";
    return aimd_chip_reserve(d, p->asked.model, err) ? "insufficient_memory" : NULL;
}

static void create_done(aimd_offload *o)
{
    chip_post *p = (chip_post *)o;
    aimd_daemon *d = o->daemon;
    if (o->error.code || !o->exchange) { /* who has left gets no chip */
        fail_post(p, NULL);
        return;
    }
    const char *conflict = NULL;
    if (aimd_daemon_check_running(d, &o->error) == 0)
        conflict = check_room(d, p, &o->error);
    if (o->error.code) {
        fail_post(p, conflict);
        return;
    }
    aimd_model *m = p->asked.model;
    p->asked.model = NULL;
    if (!aimd_chip_add(d, p->asked.name, p->asked.base->id, m, &o->error)) {
        fail_post(p, NULL);
        return;
    }
    o->model = aimd_model_hold(m);
    p->save = (aimd_lane_task){.run = run_save, .done = save_done};
    aimd_lane_add(&d->chips.files, &p->save);
}

void aimd_post_chip(aimd_daemon *d, aimd_exchange *x)
{
    start_post(d, x, AIMD_CHIP_CREATE, NULL, run_create, create_done);
}

/* ---- POST /v1/chips/{id}/age and /calibrate ------------------------------ */

static void run_age(aimd_offload *o)
{
    chip_post *p = (chip_post *)o;
    aimd_body b;
    double age;
    if (aimd_body_read(o, &b) == 0 && aimd_read_age(&b, &age, &o->error) == 0)
        p->asked.model = aimd_chip_next_state(o->model, age, true, &o->error);
    aimd_body_close(&b);
}

static void run_calibrate(aimd_offload *o)
{
    chip_post *p = (chip_post *)o;
    aimd_body b;
    if (aimd_body_read(o, &b) == 0) {
        aimd_body_set_scope(o, &b);
        if (aimd_read_calibration(&b, &p->calibration, &o->error) == 0)
            p->asked.model =
                aimd_chip_next_state(o->model, atomic_load(&o->model->age), false, &o->error);
    }
    aimd_body_close(&b);
}

/* Is what is asked for served already? */
static bool is_there(const chip_post *p, const aimd_chip *c)
{
    return p->offload.route == AIMD_CHIP_AGE && aimd_chip_computes_alike(c->model, p->asked.model);
}

/* Is the chip the one that the body was read for, and free still? */
static aimd_chip *still_free(chip_post *p, const char **code)
{
    aimd_offload *o = &p->offload;
    aimd_chip *c = aimd_chip_find(o->daemon, p->id, strlen(p->id));
    *code = NULL;
    if (o->error.code || !o->exchange || aimd_daemon_check_running(o->daemon, &o->error))
        return NULL;
    if (!c) {
        aim_fail(&o->error, AIM_ENOTFOUND, "the chip \"%s\" was deleted meanwhile", p->id);
        *code = "chip_not_found";
    } else if (c->operation || c->leaving || c->model != o->model) {
        aim_fail(&o->error, AIM_ECONFLICT, "the chip is being aged or calibrated");
        *code = "chip_busy";
    } else if (!is_there(p, c) && aimd_chip_reserve(o->daemon, p->asked.model, &o->error)) {
        *code = "insufficient_memory";
    }
    return o->error.code ? NULL : c;
}

static void calibrate(aimd_chip *c, aimd_model *coming, aimd_asked_calibration *asked,
                      aim_error *err)
{
    aimd_chip_calibrate(c, coming, &asked->texts, asked->none ? NULL : &asked->how, err);
}

static void change_done(aimd_offload *o)
{
    chip_post *p = (chip_post *)o;
    const char *code;
    aimd_chip *c = still_free(p, &code);
    if (c) {
        aimd_model *coming = p->asked.model;
        p->asked.model = NULL;
        if (o->route == AIMD_CHIP_AGE)
            aimd_chip_age(c, coming, &o->error);
        else
            calibrate(c, coming, &p->calibration, &o->error);
    }
    if (c && !o->error.code)
        accept_post(p, c);
    else
        fail_post(p, code);
}

void aimd_post_chip_age(aimd_daemon *d, aimd_exchange *x)
{
    const aimd_chip *c = aimd_chip_of_path(d, x);
    if (c && aimd_chip_is_free(c, x))
        start_post(d, x, AIMD_CHIP_AGE, c, run_age, change_done);
}

/* Ranges from texts would have no effect on tiles that take none. */
static bool has_static_ranges(const aimd_chip *c, aimd_exchange *x)
{
    char message[256];
    const aim_profile *p = &c->model->chip->profile;
    if (p->tile.input_range == AIM_RANGE_STATIC)
        return true;
    snprintf(message, sizeof message,
             "the profile %s has no static input ranges: there is nothing to calibrate", p->name);
    aimd_respond_status(x, 400, "invalid_request_error", "ranges_not_static", message);
    return false;
}

void aimd_post_chip_calibrate(aimd_daemon *d, aimd_exchange *x)
{
    const aimd_chip *c = aimd_chip_of_path(d, x);
    if (c && aimd_chip_is_free(c, x) && has_static_ranges(c, x))
        start_post(d, x, AIMD_CHIP_CALIBRATE, c, run_calibrate, change_done);
}
