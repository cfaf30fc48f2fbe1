/* SPDX-License-Identifier: Apache-2.0 */
/* request_list.h - requests for one engine, from when they are made to when they are
 * submitted together. */
#ifndef AIMD_REQUEST_LIST_H
#define AIMD_REQUEST_LIST_H

#include "engine/engine.h"

typedef struct aimd_request_list {
    aim_request **v; /* owned */
    size_t n, room;
} aimd_request_list;

/* Takes r over, also on failure; r NULL is one: there was no memory for it. */
int aimd_request_list_take(aimd_request_list *list, aim_request *r, aim_error *err);
/* Submit all or none and empty the list. *candidates grows by the number of those whose
 * last events will come. Errors as of aim_engine_submit. */
int aimd_request_list_submit(aimd_request_list *list, aim_engine *engine, int *candidates,
                             aim_error *err);
void aimd_request_list_free(aimd_request_list *list);

#endif
