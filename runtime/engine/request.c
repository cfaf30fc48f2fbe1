/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include "base/alloc.h"
#include "engine/event_pool.h"

aim_request *aim_request_new(void)
{
    aim_request *r = aim_calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->n = 1;
    r->skip_special = true;
    r->logprobs = r->prompt_logprobs = -1;
    aim_sampling_init(&r->sampling);
    return r;
}

void aim_request_free(aim_request *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->n_stop; i++)
        aim_free(r->stop[i]);
    aim_free(r->stop);
    aim_free(r->tokens);
    aim_free(r->separator);
    aim_free(r->score_at);
    aim_sampling_fini(&r->sampling);
    aim_free(r);
}

void aim_event_free(aim_event *e)
{
    if (!e)
        return;
    if (e->pool) {
        aim__event_give_back(e);
        return;
    }
    aim_free(e->text);
    aim_free(e->top);
    aim_free(e->prompt_logprob);
    aim_free(e->prompt_rank);
    aim_free(e->prompt_top);
    aim_free(e->scores);
    aim_free(e);
}
