/* SPDX-License-Identifier: Apache-2.0 */
/* command_status.c - a few lines about the server. Each part is asked for by itself:
 * what one route refuses does not hide what the others tell. */
#include "ctl/commands.h"

#include "base/json.h"
#include "ctl/chip.h"
#include "ctl/metrics.h"
#include "ctl/outcome.h"
#include "ctl/terminal.h"

#include <math.h>
#include <string.h>

/* ---- server -------------------------------------------------------------- */

static int show_server(actl_client *c, bool json, aim_error *err)
{
    json_t *health = NULL, *version = NULL;
    const char *status = "well", *number = "of unknown version";
    int rc = actl_call(c, "GET", "/health", NULL, &health, err);
    if (rc == ACTL_OK)
        rc = actl_call(c, "GET", "/version", NULL, &version, err);
    aim_json_string(health, "status", false, "health", &status, NULL);
    aim_json_string(version, "version", false, "version", &number, NULL);
    if (rc == ACTL_OK && json)
        actl_print_json(health);
    else if (rc == ACTL_OK)
        actl_say("server  %s: analogd %s, %s", actl_client_url(c), number, status);
    json_decref(health);
    json_decref(version);
    return rc;
}

/* ---- models -------------------------------------------------------------- */

static int show_model(const json_t *model, const char *lead, aim_error *err)
{
    static const char what[] = "a model of the server";
    const json_t *meta = json_object_get(model, "meta");
    const char *id, *backend = "loading", *profile = NULL, *role = "generator";
    if (aim_json_string(model, "id", true, what, &id, err) ||
        aim_json_string(meta, "backend", false, what, &backend, err) ||
        aim_json_string(meta, "profile", false, what, &profile, err) ||
        aim_json_string(meta, "role", false, what, &role, err))
        return ACTL_UNREACHABLE;
    actl_say("%-7s %s (%s%s%s%s)", lead, id, backend, profile ? ", " : "", profile ? profile : "",
             strcmp(role, "reward") == 0 ? ", reward model" : "");
    return ACTL_OK;
}

static int show_models(actl_client *c, bool json, aim_error *err)
{
    size_t i;
    const json_t *model;
    json_t *answer;
    int rc = actl_call(c, "GET", "/v1/models", NULL, &answer, err);
    const json_t *list = json_object_get(answer, "data");
    if (json)
        actl_print_json_list(list);
    json_array_foreach(list, i, model)
    {
        if (!json && rc == ACTL_OK)
            rc = show_model(model, i ? "" : "models", err);
    }
    json_decref(answer);
    return rc;
}

/* ---- chips --------------------------------------------------------------- */

static int count_chips(const json_t *list, aim_error *err)
{
    size_t i, ready = 0, failed = 0;
    const json_t *object;
    actl_chip chip;
    json_array_foreach(list, i, object)
    {
        if (actl_chip_read(object, &chip, err) != ACTL_OK)
            return ACTL_UNREACHABLE;
        ready += strcmp(chip.state, "ready") == 0;
        failed += strcmp(chip.state, "failed") == 0;
    }
    size_t n = json_array_size(list);
    actl_say("chips   %zu: %zu ready, %zu at work, %zu failed", n, ready, n - ready - failed,
             failed);
    return ACTL_OK;
}

/* Chips are not for everybody to see: without an admin key the line is left out. */
static int show_chips(actl_client *c, bool json, aim_error *err)
{
    json_t *answer;
    int rc = actl_call(c, "GET", "/v1/chips", NULL, &answer, err);
    if (rc == ACTL_REFUSED && strcmp(err->param, "admin_key_needed") == 0) {
        *err = (aim_error){0};
        return ACTL_OK;
    }
    const json_t *list = json_object_get(answer, "data");
    if (json)
        actl_print_json_list(list);
    else if (rc == ACTL_OK)
        rc = count_chips(list, err);
    json_decref(answer);
    return rc;
}

/* ---- load ---------------------------------------------------------------- */

static int show_load(actl_client *c, bool json, aim_error *err)
{
    aim_buf page = AIM_BUF_INIT;
    if (json)
        return ACTL_OK;
    int rc = actl_fetch(c, "/metrics", &page, err);
    if (rc == ACTL_OK && page.data)
        actl_say("load    %.0f running, %.0f waiting, KV cache %.0f %% in use",
                 actl_metric_sum(page.data, "analogd_num_requests_running"),
                 actl_metric_sum(page.data, "analogd_num_requests_waiting"),
                 100 * actl_metric_max(page.data, "analogd_kv_cache_usage_perc"));
    aim_buf_free(&page);
    return rc;
}

/* ---- the command --------------------------------------------------------- */

static int (*const parts[])(actl_client *c, bool json, aim_error *err) = {
    show_server,
    show_models,
    show_chips,
    show_load,
};

/* Ends at once where nobody answers; a refusal is told and the rest goes on. */
int actl_status(actl_client *c, const actl_options *o, aim_error *err)
{
    int worst = ACTL_OK;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        aim_error refusal = {0};
        int rc = parts[i](c, o->values[ACTL_JSON] != NULL, &refusal);
        if (rc == ACTL_OK)
            continue;
        if (worst != ACTL_OK)
            actl_complain(err->text);
        *err = refusal;
        worst = rc;
        if (rc != ACTL_REFUSED)
            break;
    }
    return worst;
}
