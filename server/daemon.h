/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - the state of the running daemon and what its parts share. */
#ifndef AIMD_DAEMON_H
#define AIMD_DAEMON_H

#include "server/auth.h"
#include "server/chip.h"
#include "server/http.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/model_table.h"
#include "server/options.h"

#include <uv.h>

/* LOADING -> READY -> DRAINING, or LOADING -> FAILED, and the process ends. */
enum aimd_state { AIMD_LOADING, AIMD_READY, AIMD_DRAINING, AIMD_FAILED };

/* An engine with work that makes no progress for this long hangs: the daemon is
 * no longer ready and the watchdog is no longer fed. */
#define AIMD_STALL_NS (7 * UINT64_C(1000000000))

struct aimd_daemon {
    aimd_options *options;
    uv_loop_t *loop;
    enum aimd_state state; /* loop thread */
    aim_error failure;     /* why AIMD_FAILED */
    uint64_t memory;       /* bytes that were available at the start */
    aimd_model_table models;
    aimd_chips chips;
    aimd_metrics *metrics;
    aimd_keys *keys; /* NULL: none needed */
    aimd_http *main_listener, *admin_listener;
    uv_async_t wake; /* engine threads: events are waiting */
    struct aimd_mailbox *mailbox;
    int jobs;                         /* requests with a body that are not yet finished */
    struct aimd_job *paused_searches; /* whose readers are behind */
};

/* The parts that need no loop: model table, metrics, keys, mailbox. options must
 * outlive the daemon. What was made so far is freed by aimd_daemon_fini, also
 * after a failure. */
int aimd_daemon_init(aimd_daemon *d, aimd_options *options, uv_loop_t *loop, aim_error *err);
/* Ends all sequences: jobs hear of it as events. */
void aimd_daemon_stop_models(aimd_daemon *d);
void aimd_daemon_fini(aimd_daemon *d);

/* Read the API keys again; on failure the old ones stay. */
int aimd_daemon_reload_keys(aimd_daemon *d, aim_error *err);

/* Does an engine hang? Must be asked once a second: progress is what changes
 * between two calls. */
bool aimd_daemon_stalled(const aimd_daemon *d);
/* Why requests for a model cannot be served now: "loading", "draining",
 * "stalled" or "failed", with a sentence in text; NULL if they can. */
const char *aimd_daemon_unready(const aimd_daemon *d, char *text, size_t size);
/* May work be begun that takes a while? AIM_EUNAVAILABLE once the daemon is to stop:
 * nobody would end it. */
int aimd_daemon_check_running(const aimd_daemon *d, aim_error *err);
/* Of the load, 0 to 1: the mean over all models. */
double aimd_daemon_progress(const aimd_daemon *d);
/* Sequences that run and requests that wait, over all models. */
void aimd_daemon_load(const aimd_daemon *d, int *running, int *waiting);

/* A model is loaded: requests may have it from now on. Loop thread. */
void aimd_daemon_model_ready(aimd_daemon *d, aimd_model *m);

#endif
