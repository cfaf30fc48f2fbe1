/* SPDX-License-Identifier: Apache-2.0 */
/* offload.h - one request body read on a worker thread of libuv's pool: JSON
 * parsing and tokenization of a large body would hold up the loop for longer
 * than a token takes. Every route with a body goes this way. */
#ifndef AIMD_OFFLOAD_H
#define AIMD_OFFLOAD_H

#include "server/daemon.h"
#include "server/request.h"

typedef struct aimd_offload aimd_offload;

/* First member of what a route keeps for its request. */
struct aimd_offload {
    aimd_daemon *daemon;
    aimd_exchange *exchange; /* held; NULL once the client is gone */
    enum aimd_body_route route;
    aimd_model *model; /* held from when the body has named it to the end; else NULL */
    /* On a worker thread: read the body; failures go to error. */
    void (*run)(aimd_offload *o);
    /* Back on the loop thread: owns the object, answers if there is an exchange
     * and ends with aimd_offload_end. If the client left early, run may not
     * have been called. */
    void (*done)(aimd_offload *o);
    aim_error error;
    /* Private: */
    uv_work_t work;
    const char *body;
    size_t body_len;
    bool gone;
};

/* Start; o is zeroed but for route, run and done. Loop thread. */
void aimd_offload_start(aimd_offload *o, aimd_daemon *d, aimd_exchange *x);
/* Let go of the exchange, if there is one still. */
void aimd_offload_detach(aimd_offload *o);
/* The last word: detaches, lets go of the model, and the daemon counts one job less. */
void aimd_offload_end(aimd_offload *o);
/* Answer with o->error and detach. */
void aimd_offload_fail(aimd_offload *o);

/* The `code` of OpenAI's error shape, or NULL. */
const char *aimd_error_code(const aim_error *e, enum aimd_state state);

/* ---- for run ------------------------------------------------------------ */

/* A body that was read as far as all routes do. */
typedef struct aimd_body {
    json_t *json;
    aimd_params params;
    aimd_scope scope; /* of o->model */
} aimd_body;

/* Parse and check the body. 0 or the code of o->error. Close in any case, on the same
 * thread. */
int aimd_body_read(aimd_offload *o, aimd_body *b);
/* The same, then take the model it names, or the first one of the kind that the route is
 * for, for o->model. */
int aimd_body_open(aimd_offload *o, aimd_body *b);
/* Fill in b->scope: what reading prompts for o->model needs to know. */
void aimd_body_set_scope(const aimd_offload *o, aimd_body *b);
void aimd_body_close(aimd_body *b);

#endif
