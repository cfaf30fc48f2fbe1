/* SPDX-License-Identifier: Apache-2.0 */
#include "server/request_list.h"

#include "base/alloc.h"

int aimd_request_list_take(aimd_request_list *list, aim_request *r, aim_error *err)
{
    if (!r || !aim_grow(&list->v, &list->room, list->n + 1, sizeof(aim_request *))) {
        aim_request_free(r);
        return aim_fail_nomem(err, "request");
    }
    list->v[list->n++] = r;
    return AIM_OK;
}

int aimd_request_list_submit(aimd_request_list *list, aim_engine *engine, int *candidates,
                             aim_error *err)
{
    int sum = 0;
    if (list->n == 0)
        return AIM_OK;
    for (size_t i = 0; i < list->n; i++)
        sum += list->v[i]->n;
    int code = aim_engine_submit(engine, list->v, (int)list->n, err);
    list->n = 0; /* the engine has them, or has freed them */
    if (code == AIM_OK)
        *candidates += sum;
    return code;
}

void aimd_request_list_free(aimd_request_list *list)
{
    for (size_t i = 0; i < list->n; i++)
        aim_request_free(list->v[i]);
    aim_free(list->v);
    *list = (aimd_request_list){0};
}
