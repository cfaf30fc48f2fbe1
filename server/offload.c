/* SPDX-License-Identifier: Apache-2.0 */
#include "server/offload.h"

#include "base/alloc.h"
#include "server/utf8.h"

#include <string.h>

/* ---- to the worker and back --------------------------------------------- */

static void on_gone(void *user)
{
    aimd_offload *o = user;
    o->gone = true;
    uv_cancel((uv_req_t *)&o->work); /* refused if a worker has it already: then it runs */
}

static void on_work(uv_work_t *work)
{
    aimd_offload *o = work->data;
    o->run(o);
}

static void on_worked(uv_work_t *work, int status)
{
    aimd_offload *o = work->data;
    if (status != 0)
        o->gone = true;
    if (o->gone) {
        aimd_count(o->daemon->metrics, AIMD_M_CANCELLED, NULL, NULL, 1);
        aimd_offload_detach(o);
    } else {
        aimd_exchange_set_user(o->exchange, NULL, NULL);
    }
    o->done(o);
}

void aimd_offload_start(aimd_offload *o, aimd_daemon *d, aimd_exchange *x)
{
    o->daemon = d;
    o->exchange = x;
    o->work.data = o;
    o->body = aimd_exchange_body(x, &o->body_len);
    d->jobs++;
    aimd_exchange_hold(x);
    aimd_exchange_set_user(x, o, on_gone);
    uv_queue_work(d->loop, &o->work, on_work, on_worked);
}

void aimd_offload_detach(aimd_offload *o)
{
    if (!o->exchange)
        return;
    aimd_exchange_set_user(o->exchange, NULL, NULL);
    aimd_exchange_release(o->exchange);
    o->exchange = NULL;
}

void aimd_offload_end(aimd_offload *o)
{
    aimd_offload_detach(o);
    aimd_model_release(o->model);
    o->model = NULL;
    o->daemon->jobs--;
}

void aimd_offload_fail(aimd_offload *o)
{
    if (o->exchange)
        aimd_respond_error(o->exchange, &o->error, aimd_error_code(&o->error, o->daemon->state));
    aimd_offload_detach(o);
}

const char *aimd_error_code(const aim_error *e, enum aimd_state state)
{
    switch (e->code) {
    case AIM_EUNSUPPORTED:
        return "unsupported_parameter";
    case AIM_ECONTEXT:
        return "context_length_exceeded";
    case AIM_ENOTFOUND:
        return "model_not_found";
    case AIM_ECONFLICT:
        return "chip_failed";
    case AIM_EBUSY:
        return "queue_full";
    case AIM_EUNAVAILABLE:
        return state == AIMD_LOADING ? "loading"
               : state == AIMD_READY ? "chip_not_ready"
                                     : "draining";
    default:
        return NULL;
    }
}

/* ---- what all bodies have in common ------------------------------------- */

/* Names of clients are logged as they are: the log escapes them. */
static void log_unknown(const aimd_offload *o, const aim_buf *unknown)
{
    if (unknown->len)
        aimd_log(AIMD_LOG_INFO, "unknown_fields",
                 AIMD_STR("request_id", aimd_exchange_id(o->exchange)),
                 AIMD_STR("fields", unknown->data));
}

static void log_body(const aimd_offload *o)
{
    if (!o->daemon->options->log_prompts)
        return;
    char *text = aim_strndup(o->body, o->body_len);
    if (text)
        aimd_log(AIMD_LOG_INFO, "request_body",
                 AIMD_STR("request_id", aimd_exchange_id(o->exchange)), AIMD_STR("body", text));
    aim_free(text);
}

/* Look for a model that a chip of this id is served as. */
static void find_chip_model(aimd_offload *o, const char *chip_id)
{
    const aimd_options *options = o->daemon->options;
    aim_buf id = AIM_BUF_INIT;
    for (size_t i = 0; i < options->n_models && !o->model; i++) {
        id.len = 0;
        aim_buf_printf(&id, "%s@%s", options->models[i].id, chip_id);
        if (!id.failed)
            o->model = aimd_models_find(&o->daemon->models, id.data);
    }
    aim_buf_free(&id);
}

static int refuse_unknown(aimd_offload *o, const char *id)
{
    aim_buf name = AIM_BUF_INIT;
    aimd_utf8_append(&name, id, strnlen(id, 200));
    const char *shown = name.data ? name.data : "";
    find_chip_model(o, id);
    if (o->model)
        aim_fail_param(&o->error, AIM_ENOTFOUND, "model",
                       "The model `%s` does not exist; the chip of this id is served as `%s`.",
                       shown, o->model->id);
    else
        aim_fail_param(&o->error, AIM_ENOTFOUND, "model", "The model `%s` does not exist.", shown);
    aim_buf_free(&name);
    return AIM_ENOTFOUND;
}

/* What a body that names no model means: its route needs a generator or a reward model;
 * any model has a tokenizer. */
static aimd_model *find_default(aimd_model_table *t, enum aimd_body_route route)
{
    bool scores = route & AIMD_SCORE_BODIES;
    aimd_model *m = aimd_models_find_first(t, scores);
    if (!m && !(route & (AIMD_SCORE_BODIES | AIMD_GENERATE_BODIES)))
        m = aimd_models_find_first(t, !scores);
    return m;
}

/* Is the model of the kind that the route is for? */
static int check_role(const aimd_offload *o, aim_error *err)
{
    const aimd_model *m = o->model;
    bool scores = aimd_is_reward(&m->options);
    if (atomic_load(&m->failed)) /* why says more, and its role may not be known */
        return AIM_OK;
    if (scores && (o->route & AIMD_GENERATE_BODIES))
        return aim_fail_param(err, AIM_EINVAL, "model",
                              "The model `%s` is a reward model: it scores answers, for example by "
                              "POST /v1/score, and gives none.",
                              m->id);
    if (!scores && (o->route & AIMD_SCORE_BODIES))
        return aim_fail_param(err, AIM_EINVAL, "model",
                              "The model `%s` is not a reward model: its role is generator.",
                              m->id);
    return 0;
}

static int find_model(aimd_offload *o, const aimd_body *b)
{
    const json_t *v = json_object_get(b->json, "model");
    if (v && !json_is_null(v) && !json_is_string(v))
        return aim_fail_param(&o->error, AIM_EINVAL, "model", "model must be a string");
    const char *id = json_string_value(v);
    bool named = id && *id;
    aimd_model_table *models = &o->daemon->models;
    o->model = named ? aimd_models_find(models, id) : find_default(models, o->route);
    if (!o->model && named)
        return refuse_unknown(o, id);
    if (!o->model)
        return aim_fail_param(&o->error, AIM_ENOTFOUND, "model", "There is no %s.",
                              o->route & AIMD_SCORE_BODIES ? "reward model" : "generator");
    int code = check_role(o, &o->error);
    return code ? code : aimd_model_check_ready(o->model, &o->error);
}

void aimd_body_set_scope(const aimd_offload *o, aimd_body *b)
{
    const aim_model *m = o->model->model;
    b->scope = (aimd_scope){
        .options = o->daemon->options,
        .tokenizer = m->tokenizer,
        .chat = m->chat,
        .chat_error = &m->chat_error,
        .config = &m->config,
        .max_context = aim_engine_max_context(m->engine),
        .search = &o->model->options.search,
        .read_noise = aim_decoder_has_read_noise(m->decoder),
    };
}

int aimd_body_read(aimd_offload *o, aimd_body *b)
{
    aim_buf unknown = AIM_BUF_INIT;
    memset(b, 0, sizeof *b);
    log_body(o);
    b->json = aimd_body_parse(o->body, o->body_len, &o->error);
    if (!b->json)
        return (int)o->error.code;
    int code =
        aimd_params_read(b->json, o->route, o->daemon->options, &b->params, &unknown, &o->error);
    if (!code)
        log_unknown(o, &unknown);
    aim_buf_free(&unknown);
    return code;
}

int aimd_body_open(aimd_offload *o, aimd_body *b)
{
    int code = aimd_body_read(o, b);
    if (!code)
        code = find_model(o, b);
    if (!code)
        aimd_body_set_scope(o, b);
    return code;
}

void aimd_body_close(aimd_body *b)
{
    json_decref(b->json);
    b->json = NULL;
}
