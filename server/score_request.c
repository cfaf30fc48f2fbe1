/* SPDX-License-Identifier: Apache-2.0 */
#include "server/score_request.h"

#include "base/alloc.h"

#include <string.h>

static bool take_positions(aim_request *q, const aim_reward_input *input, int first_step)
{
    int n = input->n_scores - first_step;
    if (n <= 0)
        return true;
    q->score_at = aim_array((size_t)n, sizeof *q->score_at);
    if (!q->score_at)
        return false;
    memcpy(q->score_at, input->score_at + first_step, (size_t)n * sizeof *q->score_at);
    q->n_scores = n;
    return true;
}

aim_request *aimd_score_request(const aim_reward *reward, aim_reward_input *input, int first_step)
{
    aim_request *q = aim_request_new();
    if (!q)
        return NULL;
    q->max_tokens = 0;
    q->tokens = input->tokens;
    q->n_tokens = input->n_tokens;
    input->tokens = NULL;
    if (!take_positions(q, input, first_step)) {
        aim_request_free(q);
        return NULL;
    }
    if (q->n_scores > 0)
        q->n_score_ids = aim_reward_output_ids(reward, q->score_ids);
    return q;
}
