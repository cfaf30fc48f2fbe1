/* SPDX-License-Identifier: Apache-2.0 */
/* kernels_under_test.h - the rows of the table of kernels, and behind them the row of
 * AVX-VNNI once more, in the encoding of AVX-512 VNNI (evex.h): few machines have
 * AVX-VNNI itself. */
#ifndef TESTS_UNIT_KERNELS_UNDER_TEST_H
#define TESTS_UNIT_KERNELS_UNDER_TEST_H

#include "config.h"

#include "base/cpu.h"
#include "tensor/kernels.h"

#ifdef HAVE_AVXVNNI_KERNELS
extern const aim_kernels aim__kernels_evex;
#endif

static inline int row_count(void)
{
    int n;
    aim_kernels_all(&n);
#ifdef HAVE_AVXVNNI_KERNELS
    n++;
#endif
    return n;
}

/* NULL if this CPU cannot run row i. */
static inline const aim_kernels *row_or_skip(int i)
{
    int n;
    const aim_kernels *const *rows = aim_kernels_all(&n);
    unsigned cpu = aim_cpu_features();
    if (i < n)
        return rows[i]->needs & ~cpu ? NULL : rows[i];
#ifdef HAVE_AVXVNNI_KERNELS
    return cpu & AIM_CPU_AVX512_VNNI ? &aim__kernels_evex : NULL;
#else
    return NULL;
#endif
}

#endif
