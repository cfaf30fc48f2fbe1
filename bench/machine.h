/* SPDX-License-Identifier: Apache-2.0 */
/* machine.h - the machine as the figures see it: its limits, measured again and
 * again beside them, because machines that others share do not stay the same. */
#ifndef AIM_BENCH_MACHINE_H
#define AIM_BENCH_MACHINE_H

#include "base/pool.h"

#include <stdbool.h>

typedef struct machine_limits {
    double bandwidth; /* bytes read a second by all threads */
    double int8_macs; /* multiply-adds a second of all threads */
} machine_limits;

/* Measures thoroughly and reports: the CPU, the kernels that serve by default, and
 * both limits. Ends the program if it cannot. */
void machine_report(void);
/* Does this pattern of fnmatch(3) fit the name of one of these limits? */
bool machine_has_figure(const char *pattern);

/* A pool of so many threads (0: all) to measure with: the engines have their own. Valid
 * until one of another size is asked for. */
aim_pool *machine_pool(int threads);

/* Measures shortly, a tenth of a second: what so many threads (0: all) can do just
 * now, reading an array of so many bytes: as large as the weights, if these stay in
 * the caches. */
machine_limits machine_probe(int threads, double bytes);

/* What held on average between two probes. */
machine_limits machine_between(machine_limits a, machine_limits b);

#endif
