/* SPDX-License-Identifier: Apache-2.0 */
/* load_log.h - what the log tells while models are loaded. Any thread. */
#ifndef AIMD_LOAD_LOG_H
#define AIMD_LOAD_LOG_H

#include "server/daemon.h"

/* The model that comes now, the memory it will take, and what there is now. */
void aimd_log_plan(const aimd_model *m);

/* How far one model is, each tenth, but not more often than every two seconds. */
typedef struct aimd_load_progress {
    uint64_t told_ns; /* when it was last told, or the load began */
    double told;
} aimd_load_progress;
void aimd_log_progress(aimd_load_progress *p, const aimd_model *m, double done);

/* What was loaded, in how many seconds. */
void aimd_log_loaded(const aimd_model *m);

/* Warn if layers that should have fixed input ranges have none. */
void aimd_log_ranges(const aimd_model *m);

/* How a reward model reads answers; nothing of a generator. */
void aimd_log_reward(const aimd_model *m);

#endif
