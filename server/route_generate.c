/* SPDX-License-Identifier: Apache-2.0 */
/* POST /v1/completions and /v1/chat/completions. */
#include "server/job.h"

void aimd_post_completions(aimd_daemon *d, aimd_exchange *x)
{
    aimd_job_start(d, x, AIMD_COMPLETIONS);
}

void aimd_post_chat_completions(aimd_daemon *d, aimd_exchange *x)
{
    aimd_job_start(d, x, AIMD_CHAT);
}
