/* SPDX-License-Identifier: Apache-2.0 */
#include "model/backend_impl.h"

#include <stdio.h>
#include <string.h>

static const aim_backend *const table[] = {&aim__backend_int8, &aim__backend_f32, NULL};

const aim_backend *const *aim_backends(void)
{
    return table;
}

const aim_backend *aim_backend_find(const char *name, aim_error *err)
{
    char known[128] = "";
    size_t used = 0;
    for (int i = 0; table[i]; i++) {
        if (strcmp(table[i]->name, name) == 0)
            return table[i];
        used += (size_t)snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "",
                                 table[i]->name);
    }
    aim_fail_param(err, AIM_EUNSUPPORTED, "backend", "backend \"%.50s\" is not one of: %s", name,
                   known);
    return NULL;
}
