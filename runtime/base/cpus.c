/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* sched_getaffinity is a GNU extension */

#include "base/cpus.h"

#include "base/cgroup.h"

#include <assert.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4608 + 64, LINE_ROOM = 8192, MAX_NODES = 256 };

/* The first line of a file; false if there is none. */
static bool read_line(const char *path, char *line, size_t room)
{
    FILE *f = fopen(path, "re");
    bool any = f && fgets(line, (int)room, f);
    if (f)
        fclose(f);
    return any;
}

/* ---- quotas ------------------------------------------------------------------ */

/* Microseconds a period; false if there is no quota: "max", or -1 in version 1. */
static bool read_quota(int version, const char *folder, double *quota, double *period)
{
    char path[PATH_ROOM], line[64];
    snprintf(path, sizeof path, "%s/%s", folder, version == 2 ? "cpu.max" : "cpu.cfs_quota_us");
    if (!read_line(path, line, sizeof line))
        return false;
    if (version == 2)
        return sscanf(line, "%lf %lf", quota, period) == 2;
    *quota = strtod(line, NULL);
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    if (!read_line(path, line, sizeof line))
        return false;
    *period = strtod(line, NULL);
    return true;
}

static void apply_quota(void *arg, int version, const char *folder)
{
    double *least = arg, quota, period;
    if (read_quota(version, folder, &quota, &period) && quota > 0 && period > 0 &&
        (*least <= 0 || quota / period < *least))
        *least = quota / period;
}

int aim_cpu_quota(const char *root)
{
    double cpus = 0;
    aim_cgroup_each(root, "cpu", apply_quota, &cpus);
    if (!(cpus > 0))
        return 0;
    if (cpus >= AIM_MAX_CPUS)
        return AIM_MAX_CPUS;
    return (int)cpus + (cpus > (int)cpus);
}

/* ---- nodes ------------------------------------------------------------------- */

/* A list such as "0-3,8-11"; what comes behind something else is left out. */
static bool mark_cpus(const char *list, int index, int node[AIM_MAX_CPUS])
{
    bool any = false;
    for (char *end;; list = end + 1) {
        long first = strtol(list, &end, 10), last = first;
        if (end == list)
            return any;
        if (*end == '-')
            last = strtol(end + 1, &end, 10);
        if (first < 0 || last < first || last >= AIM_MAX_CPUS)
            return any;
        for (long i = first; i <= last; i++)
            node[i] = index;
        any = true;
        if (*end != ',')
            return any;
    }
}

int aim_cpu_nodes(const char *root, int node[AIM_MAX_CPUS])
{
    char path[PATH_ROOM], line[LINE_ROOM];
    int n = 0;
    memset(node, 0, AIM_MAX_CPUS * sizeof *node);
    for (int i = 0; i < MAX_NODES; i++) {
        snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/cpulist", root, i);
        if (read_line(path, line, sizeof line))
            n += mark_cpus(line, n, node); /* nodes of memory alone have no number */
    }
    return n > 0 ? n : 1;
}

/* ---- this process ------------------------------------------------------------ */

static bool read_affinity(cpu_set_t *set)
{
    return sched_getaffinity(0, sizeof *set, set) == 0;
}

int aim_cpu_count(void)
{
    cpu_set_t set;
    int n = read_affinity(&set) ? CPU_COUNT(&set) : (int)sysconf(_SC_NPROCESSORS_ONLN);
    int quota = aim_cpu_quota("");
    if (quota > 0 && quota < n)
        n = quota;
    return n > 0 ? n : 1;
}

void aim_cpu_map_read(aim_cpu_map *map)
{
    static_assert(AIM_MAX_CPUS <= CPU_SETSIZE, "the kernel's set holds them all");
    int node[AIM_MAX_CPUS];
    cpu_set_t set;
    map->n_cpus = 0;
    map->n_nodes = aim_cpu_nodes("", node);
    if (!read_affinity(&set))
        return;
    for (int n = 0; n < map->n_nodes; n++)
        for (int i = 0; i < AIM_MAX_CPUS; i++)
            if (node[i] == n && CPU_ISSET(i, &set)) {
                map->cpu[map->n_cpus] = i;
                map->node[map->n_cpus++] = n;
            }
}
