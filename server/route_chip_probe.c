/* SPDX-License-Identifier: Apache-2.0 */
/* route_chip_probe.c - POST /v1/chips/{id}/probe: answered once the prompt has run
 * through the chip, beside the requests that do. */
#include "server/routes.h"

#include "base/alloc.h"
#include "engine/probe.h"
#include "server/chip_routes.h"
#include "server/json_out.h"

#include <math.h>
#include <string.h>

typedef struct aimd_chip_probe {
    aimd_offload offload; /* first: the two share an address */
    aimd_lane_task task;
    struct aimd_chip_probe *next; /* in aimd_chips.probes */
    char id[AIMD_CHIP_NAME + 1];
    aimd_prompt prompt;
    atomic_bool cancelled;
    aim_buf out;
} aimd_chip_probe;

/* ---- on worker threads --------------------------------------------------- */

static int read_prompt(const aimd_body *b, aimd_prompt *out, aim_error *err)
{
    const json_t *prompt = json_object_get(b->json, "prompt");
    int rc = aimd_encode_text(&b->scope, prompt, true, "prompt", out, err);
    if (rc == 0 && out->n_tokens == 0)
        rc = aim_fail_param(err, AIM_EINVAL, "prompt", "prompt has no tokens");
    if (rc == 0 && out->n_tokens > b->scope.max_context)
        rc = aim_fail_param(err, AIM_ECONTEXT, "prompt", "the prompt has %d tokens, the context %d",
                            out->n_tokens, b->scope.max_context);
    return rc;
}

static void run_read(aimd_offload *o)
{
    aimd_chip_probe *p = (aimd_chip_probe *)o;
    aimd_body b;
    if (aimd_body_read(o, &b) == 0) {
        aimd_body_set_scope(o, &b);
        read_prompt(&b, &p->prompt, &o->error);
    }
    aimd_body_close(&b);
}

/* JSON knows finite numbers only. */
static void put_figure(aim_buf *out, const char *key, double value)
{
    if (isfinite(value))
        aim_buf_printf(out, ",\"%s\":%.9g", key, value);
    else
        aim_buf_printf(out, ",\"%s\":null", key);
}

static void write_layer(aim_buf *out, const aim_layer_probe *l)
{
    aim_buf_puts(out, "{\"name\":");
    aimd_json_cstring(out, l->name);
    aim_buf_printf(out, ",\"outputs\":%d,\"inputs\":%d,\"tiles\":%d,\"input_range\":", l->outputs,
                   l->inputs, l->tiles);
    aimd_json_cstring(out, l->input_range);
    put_figure(out, "dac_clipped", l->dac_clipped);
    put_figure(out, "adc_saturated", l->adc_saturated);
    put_figure(out, "rms_error", l->rms_error);
    aim_buf_puts(out, "}");
}

static void write_probe(aim_buf *out, const char *id, const aim_probe *probe)
{
    aim_buf_puts(out, "{\"object\":\"chip.probe\",\"chip\":");
    aimd_json_cstring(out, id);
    aim_buf_printf(out, ",\"prompt_tokens\":%d,\"layers\":[", probe->n_tokens);
    for (size_t i = 0; i < probe->n_layers; i++) {
        if (i)
            aim_buf_puts(out, ",");
        write_layer(out, &probe->layers[i]);
    }
    aim_buf_puts(out, "]}");
}

static void run_probe(aimd_lane_task *t)
{
    aimd_chip_probe *p = (aimd_chip_probe *)((char *)t - offsetof(aimd_chip_probe, task));
    const aimd_model *m = p->offload.model;
    aim_measure_options options = {.threads = m->options.engine.threads,
                                   .cancelled = &p->cancelled};
    aim_token_list prompt = {p->prompt.tokens, p->prompt.n_tokens};
    aim_probe *probe = aim_model_probe(m->model, prompt, &options, &p->offload.error);
    if (probe)
        write_probe(&p->out, p->id, probe);
    if (p->out.failed)
        aim_fail_nomem(&p->offload.error, "response");
    aim_probe_free(probe);
}

/* ---- on the loop thread -------------------------------------------------- */

static void end(aimd_chip_probe *p)
{
    aimd_chip_probe **link = &p->offload.daemon->chips.probes;
    while (*link && *link != p)
        link = &(*link)->next;
    if (*link)
        *link = p->next;
    aimd_offload_end(&p->offload);
    aim_free(p->prompt.tokens);
    aim_buf_free(&p->out);
    aim_free(p);
}

static void probe_done(aimd_lane_task *t)
{
    aimd_chip_probe *p = (aimd_chip_probe *)((char *)t - offsetof(aimd_chip_probe, task));
    aimd_offload *o = &p->offload;
    if (o->exchange && o->error.code == AIM_OK)
        aimd_respond_take(o->exchange, 200, "application/json", &p->out);
    else
        aimd_offload_fail(o);
    end(p);
}

/* The client has left. */
static void on_gone(void *user)
{
    aimd_chip_probe *p = user;
    atomic_store(&p->cancelled, true);
    aimd_offload_detach(&p->offload);
}

static void read_done(aimd_offload *o)
{
    aimd_chip_probe *p = (aimd_chip_probe *)o;
    aimd_chips *chips = &o->daemon->chips;
    if (o->exchange && !o->error.code && aimd_lane_length(&chips->probing) >= AIMD_MAX_PROBES)
        aim_fail(&o->error, AIM_EBUSY, "%d probes run or wait already", AIMD_MAX_PROBES);
    if (!o->exchange || o->error.code || aimd_daemon_check_running(o->daemon, &o->error)) {
        aimd_offload_fail(o);
        end(p);
        return;
    }
    p->next = chips->probes;
    chips->probes = p;
    p->task = (aimd_lane_task){.run = run_probe, .done = probe_done};
    aimd_exchange_set_user(o->exchange, p, on_gone);
    aimd_lane_add(&chips->probing, &p->task);
}

void aimd_post_chip_probe(aimd_daemon *d, aimd_exchange *x)
{
    const aimd_chip *c = aimd_chip_of_path(d, x);
    if (!c || !aimd_chip_is_served(c, x))
        return;
    aimd_chip_probe *p = aim_calloc(1, sizeof *p);
    if (!p) {
        aimd_respond_status(x, 503, "server_error", NULL, "out of memory");
        return;
    }
    p->offload.route = AIMD_CHIP_PROBE;
    p->offload.run = run_read;
    p->offload.done = read_done;
    p->offload.model = aimd_model_hold(c->model);
    memcpy(p->id, c->id, sizeof p->id);
    aimd_offload_start(&p->offload, d, x);
}

void aimd_chip_probes_cancel(aimd_daemon *d)
{
    for (aimd_chip_probe *p = d->chips.probes; p; p = p->next)
        atomic_store(&p->cancelled, true);
}
