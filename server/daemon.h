/* SPDX-License-Identifier: Apache-2.0 */
/* daemon.h - the state of the running daemon and what its parts share. */
#ifndef AIMD_DAEMON_H
#define AIMD_DAEMON_H

#include "engine/served_model.h"
#include "server/auth.h"
#include "server/http.h"
#include "server/log.h"
#include "server/metrics.h"
#include "server/options.h"

#include <stdatomic.h>
#include <uv.h>

enum aimd_state { AIMD_LOADING, AIMD_READY, AIMD_DRAINING, AIMD_FAILED };

typedef struct aimd_daemon aimd_daemon;

/* One entry of /v1/models. Immutable once its model is loaded. */
typedef struct aimd_model {
    aimd_daemon *daemon;
    const aimd_model_options *options;
    const char *id;
    int64_t created;     /* unix time, the same in every listing of this run */
    char fingerprint[32]; /* system_fingerprint: "fp_" + hash(build, model, backend) */
    aim_model *model;    /* NULL while loading */
    _Atomic double progress; /* 0..1 while loading */
} aimd_model;

struct aimd_daemon {
    aimd_options *options;
    uv_loop_t *loop;
    enum aimd_state state;   /* loop thread */
    aim_error failure;       /* why AIMD_FAILED */
    aimd_model *models;
    size_t n_models;
    aimd_metrics *metrics;
    aimd_keys *keys;         /* NULL: none needed */
    aimd_http *main_listener, *admin_listener;
    uv_async_t wake;         /* engine threads: events are waiting */
    struct aimd_mailbox *mailbox;
    int jobs;                /* generation requests not yet finished */
};

/* The model of this id, or the only one if id is NULL or ""; NULL otherwise. */
aimd_model *aimd_find_model(aimd_daemon *d, const char *id);

#endif
