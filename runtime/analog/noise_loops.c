/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "analog/noise_loops.h"

#include "base/cpu.h"

static const aim__noise_loops *const rows[] = {
#ifdef HAVE_X86_KERNELS
    &aim__noise_avx512,
    &aim__noise_avx2,
#endif
    &aim__noise_portable,
};

const aim__noise_loops *const *aim__noise_loops_all(int *count)
{
    *count = sizeof rows / sizeof rows[0];
    return rows;
}

const aim__noise_loops *aim__noise_loops_pick(void)
{
    unsigned cpu = aim_cpu_features();
    int i = 0;
    while (rows[i]->needs & ~cpu) /* ends: the portable row needs nothing */
        i++;
    return rows[i];
}
