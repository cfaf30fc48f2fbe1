/* SPDX-License-Identifier: Apache-2.0 */
/* search_response.h - the candidates of a search as its answer tells of them. */
#ifndef AIMD_SEARCH_RESPONSE_H
#define AIMD_SEARCH_RESPONSE_H

#include "server/search_job.h"

/* ,"candidates":[...]: those of each prompt, best first. */
void aimd__search_write_candidates(const aimd_job *job, aim_buf *out);

/* Where the request asks for the stream of its candidates, send an event; it may fail
 * the job. What a token added to a candidate: */
void aimd__search_tell_token(aimd_search_run *run, const aim_event *e);
/* Those that the search has ended by a decision: */
void aimd__search_tell_ends(aimd_search_run *run);

#endif
