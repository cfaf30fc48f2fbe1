/* SPDX-License-Identifier: Apache-2.0 */
/* lane.h - slow work off the loop, one task after the other in the order in which they
 * were added, each on a thread of libuv's pool. Loop thread only, but for run. */
#ifndef AIMD_LANE_H
#define AIMD_LANE_H

#include <stdbool.h>
#include <uv.h>

typedef struct aimd_lane aimd_lane;

/* Part of what the work is about. */
typedef struct aimd_lane_task {
    void (*turn)(struct aimd_lane_task *t); /* on the loop, before run; NULL: nothing */
    void (*run)(struct aimd_lane_task *t);  /* on a worker thread */
    void (*done)(struct aimd_lane_task *t); /* back on the loop; may free or add t */
    /* Private: */
    aimd_lane *lane;
    struct aimd_lane_task *next;
    uv_work_t work;
} aimd_lane_task;

struct aimd_lane {
    uv_loop_t *loop;
    aimd_lane_task *first; /* the one that runs */
};

void aimd_lane_add(aimd_lane *l, aimd_lane_task *t);
/* Take out a task that was added and waits still: nothing of it is called any more.
 * False if it runs already. */
bool aimd_lane_take_out(aimd_lane_task *t);
/* Tasks that run or wait. */
int aimd_lane_length(const aimd_lane *l);

#endif
