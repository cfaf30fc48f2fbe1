/* SPDX-License-Identifier: Apache-2.0 */
#include "server/lane.h"

#include <stddef.h>

static void start_first(aimd_lane *l);

static void on_work(uv_work_t *work)
{
    aimd_lane_task *t = work->data;
    t->run(t);
}

static void on_worked(uv_work_t *work, int status)
{
    aimd_lane_task *t = work->data;
    aimd_lane *l = t->lane;
    (void)status; /* nobody cancels these */
    l->first = t->next;
    if (l->first)
        start_first(l);
    t->done(t);
}

static void start_first(aimd_lane *l)
{
    l->first->work.data = l->first;
    if (l->first->turn)
        l->first->turn(l->first);
    uv_queue_work(l->loop, &l->first->work, on_work, on_worked);
}

void aimd_lane_add(aimd_lane *l, aimd_lane_task *t)
{
    aimd_lane_task **end = &l->first;
    while (*end)
        end = &(*end)->next;
    t->lane = l;
    t->next = NULL;
    *end = t;
    if (l->first == t)
        start_first(l);
}

bool aimd_lane_take_out(aimd_lane_task *t)
{
    aimd_lane_task **link = &t->lane->first;
    if (*link == t)
        return false;
    while (*link != t)
        link = &(*link)->next;
    *link = t->next;
    return true;
}

int aimd_lane_length(const aimd_lane *l)
{
    int n = 0;
    for (const aimd_lane_task *t = l->first; t; t = t->next)
        n++;
    return n;
}
