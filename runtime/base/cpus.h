/* SPDX-License-Identifier: Apache-2.0 */
/* cpus.h - the CPUs this process may use, and how they lie in the machine. */
#ifndef AIM_BASE_CPUS_H
#define AIM_BASE_CPUS_H

#include <stdbool.h>

enum { AIM_MAX_CPUS = 1024 }; /* those with higher numbers are not used by number */

/* How many there are: the affinity mask, lowered by the quotas of control groups. */
int aim_cpu_count(void);

/* CPUs that the control groups of this process pay for, at least 1: the smallest quota
 * of its own group and of those around it, version 1 or 2, rounded up; 0: there is
 * none. root is put before every path: "" but in tests. */
int aim_cpu_quota(const char *root);

/* node[i]: the NUMA node of CPU i, 0 where the kernel does not tell. Returns how many
 * nodes have CPUs, at least 1. root as above. */
int aim_cpu_nodes(const char *root, int node[AIM_MAX_CPUS]);

typedef struct aim_cpu_set {
    bool has[AIM_MAX_CPUS]; /* by number */
} aim_cpu_set;

/* What the calling thread may run on; none if that cannot be told. */
void aim_cpu_affinity(aim_cpu_set *set);

/* Keep the calling thread to these; none: leave it as it is. A hint, which may fail.
 * before, unless NULL: what a second call puts things back with. */
void aim_cpu_keep_to(const aim_cpu_set *set, aim_cpu_set *before);

/* CPUs, those of a node together. */
typedef struct aim_cpu_map {
    int n_cpus;
    int cpu[AIM_MAX_CPUS], node[AIM_MAX_CPUS]; /* [n_cpus] number and node of each */
} aim_cpu_map;

/* Those of a set. root as above. */
void aim_cpu_map_make(const char *root, const aim_cpu_set *set, aim_cpu_map *map);

/* Where one of so many threads is kept, if each is to stay on one node: the CPUs of the
 * node that its place among those of the map lies in. None where there is no choice:
 * all are of one node, or there is one thread, which the kernel may put anywhere. */
void aim_cpu_place(const aim_cpu_map *map, int thread, int threads, aim_cpu_set *place);

#endif
