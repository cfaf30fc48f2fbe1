/* SPDX-License-Identifier: Apache-2.0 */
/* cpus.h - the CPUs this process may use, and how they lie in the machine. */
#ifndef AIM_BASE_CPUS_H
#define AIM_BASE_CPUS_H

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

/* The CPUs of the affinity mask, those of a node together. */
typedef struct aim_cpu_map {
    int n_cpus; /* 0: unknown */
    int n_nodes;
    int cpu[AIM_MAX_CPUS], node[AIM_MAX_CPUS]; /* [n_cpus] number and node of each */
} aim_cpu_map;

void aim_cpu_map_read(aim_cpu_map *map);

#endif
