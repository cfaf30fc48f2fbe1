/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "tensor/kernel_rows.h"

#include "base/cpu.h"

#include <string.h>

static const aim_kernels *const rows[] = {
#ifdef HAVE_X86_KERNELS
    &aim__kernels_avx512vnni,
#ifdef HAVE_AVXVNNI_KERNELS
    &aim__kernels_avxvnni,
#endif
    &aim__kernels_avx2,
#endif
#ifdef HAVE_ARM_KERNELS
    &aim__kernels_neondot,
#endif
    &aim__kernels_portable,
};
enum { N_ROWS = sizeof rows / sizeof rows[0] };

const aim_kernels *const *aim_kernels_all(int *count)
{
    *count = N_ROWS;
    return rows;
}

static const aim_kernels *find(const char *name)
{
    for (int i = 0; i < N_ROWS; i++)
        if (strcmp(rows[i]->name, name) == 0)
            return rows[i];
    return NULL;
}

const aim_kernels *aim_kernels_pick(const char *name, aim_error *err)
{
    unsigned cpu = aim_cpu_features();
    if (!name || strcmp(name, "auto") == 0) {
        int i = 0;
        while (rows[i]->needs & ~cpu) /* ends: the portable row needs nothing */
            i++;
        return rows[i];
    }
    const aim_kernels *row = find(name);
    if (!row)
        aim_fail(err, AIM_EUNSUPPORTED, "kernels \"%.40s\" are not known to this build", name);
    else if (row->needs & ~cpu)
        aim_fail(err, AIM_EUNSUPPORTED, "this CPU cannot run the %s kernels", name);
    else
        return row;
    return NULL;
}
