/* SPDX-License-Identifier: Apache-2.0 */
/* route_chip_delete.c - DELETE /v1/chips/{id}: its files go before it does, so that what
 * is told to be deleted does not come back at the next start. */
#include "server/routes.h"

#include "base/alloc.h"
#include "server/chip_routes.h"
#include "server/chip_store.h"

#include <string.h>

typedef struct removal {
    aimd_lane_task task; /* first: the two share an address */
    aimd_daemon *daemon;
    aimd_exchange *exchange; /* held */
    char id[AIMD_CHIP_NAME + 1];
    aim_error error;
} removal;

static void run_removal(aimd_lane_task *t)
{
    removal *r = (removal *)t;
    aimd_chip_store_remove(r->daemon, r->id, &r->error);
}

static void fail_removal(const removal *r, aimd_chip *c)
{
    aimd_log(AIMD_LOG_ERROR, "chip_not_forgotten", AIMD_STR("chip", r->id),
             AIMD_STR("reason", r->error.text));
    aimd_chip_stay(c, &r->error);
    aimd_respond_error(r->exchange, &r->error, NULL);
}

static void finish_removal(const removal *r, aimd_chip *c)
{
    aim_buf out = AIM_BUF_INIT;
    aimd_chip_delete(c);
    aim_buf_printf(&out, "{\"id\":\"%s\",\"object\":\"chip\",\"deleted\":true}", r->id);
    aimd_respond_take(r->exchange, 200, "application/json", &out);
}

static void removal_done(aimd_lane_task *t)
{
    removal *r = (removal *)t;
    aimd_chip *c = aimd_chip_find(r->daemon, r->id, strlen(r->id));
    if (r->error.code)
        fail_removal(r, c);
    else
        finish_removal(r, c);
    aimd_exchange_release(r->exchange);
    aim_free(r);
}

static const char *reason_to_stay(const aimd_chip *c, const char **code)
{
    *code = c->configured ? "chip_configured" : "chip_busy";
    if (c->configured)
        return "the chip is part of the configuration";
    return c->leaving ? "the chip is being deleted" : NULL;
}

void aimd_delete_chip(aimd_daemon *d, aimd_exchange *x)
{
    const char *code;
    aimd_chip *c = aimd_chip_of_path(d, x);
    const char *reason = c ? reason_to_stay(c, &code) : NULL;
    if (!c)
        return;
    if (reason) {
        aimd_respond_status(x, 409, "invalid_request_error", code, reason);
        return;
    }
    removal *r = aim_calloc(1, sizeof *r);
    if (!r) {
        aimd_respond_status(x, 503, "server_error", NULL, "out of memory");
        return;
    }
    *r = (removal){.task = {.run = run_removal, .done = removal_done}, .daemon = d, .exchange = x};
    memcpy(r->id, c->id, sizeof r->id);
    aimd_exchange_hold(x);
    aimd_chip_leave(c);
    aimd_lane_add(&d->chips.files, &r->task);
}
