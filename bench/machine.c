/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/machine.h"

#include "bench/cpu_name.h"
#include "bench/limits.h"
#include "bench/report.h"
#include "tensor/kernels.h"

#include <fnmatch.h>

enum { THOROUGH = 7, SHORT = 1 }; /* passes; the best of many is not what lasts */

#define FITS_THE_CACHES 16e6 /* bytes */

static const char BANDWIDTH[] = "read_bandwidth", PEAK[] = "int8_peak";

static struct {
    limit_array array;
    aim_pool *pool;
    int threads;
} probe;

aim_pool *machine_pool(int threads)
{
    aim_error err = {0};
    threads = threads ? threads : aim_cpu_count();
    if (probe.threads != threads) {
        aim_pool_free(probe.pool);
        probe.pool = aim_pool_new(threads, &err);
        probe.threads = threads;
    }
    if (!probe.pool)
        bench_fail(err.text);
    return probe.pool;
}

/* The pool, and something for it to read. */
static aim_pool *get_probe(int threads)
{
    aim_error err = {0};
    aim_pool *pool = machine_pool(threads);
    if (!probe.array.data && limit_array_init(&probe.array, pool, &err))
        bench_fail(err.text);
    return pool;
}

bool machine_has_figure(const char *pattern)
{
    return fnmatch(pattern, BANDWIDTH, 0) == 0 || fnmatch(pattern, PEAK, 0) == 0;
}

void machine_report(void)
{
    char cpu[CPU_NAME];
    aim_error err = {0};
    aim_pool *pool = get_probe(0);
    const aim_kernels *kernels = aim_kernels_pick(NULL, &err);
    if (!kernels)
        bench_fail(err.text);
    cpu_describe(cpu);
    report_machine(cpu, kernels->name, aim_pool_threads(pool));
    report_title("Limits of this machine");
    double bandwidth = limit_read_bandwidth(pool, &probe.array, 0, THOROUGH);
    report(BANDWIDTH, bandwidth * 1e-9, "GB/s", 0, false);
    report(PEAK, 2e-12 * limit_int8_macs(pool, THOROUGH), "Tops", 0, false);
}

machine_limits machine_probe(int threads, double bytes)
{
    aim_pool *pool = get_probe(threads);
    size_t size = bytes < FITS_THE_CACHES ? (size_t)bytes : 0;
    return (machine_limits){limit_read_bandwidth(pool, &probe.array, size, SHORT),
                            limit_int8_macs(pool, SHORT)};
}

machine_limits machine_between(machine_limits a, machine_limits b)
{
    return (machine_limits){(a.bandwidth + b.bandwidth) / 2, (a.int8_macs + b.int8_macs) / 2};
}
