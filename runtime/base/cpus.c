/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* affinity is a GNU extension */

#include "base/cpus.h"

#include "base/cgroup.h"

#include <assert.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4608 + 64, LINE_ROOM = 8192, MAX_NODES = 256 };

/* The first line of a file; false if there is none, or not all of it. */
static bool read_line(const char *path, char *line, size_t room)
{
    FILE *f = fopen(path, "re");
    bool whole = f && fgets(line, (int)room, f) && strchr(line, '\n');
    if (f)
        fclose(f);
    return whole;
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

/* ---- placement --------------------------------------------------------------- */

void aim_cpu_map_make(const char *root, const aim_cpu_set *set, aim_cpu_map *map)
{
    int node[AIM_MAX_CPUS], n_nodes = aim_cpu_nodes(root, node);
    map->n_cpus = 0;
    for (int n = 0; n < n_nodes; n++)
        for (int i = 0; i < AIM_MAX_CPUS; i++)
            if (node[i] == n && set->has[i]) {
                map->cpu[map->n_cpus] = i;
                map->node[map->n_cpus++] = n;
            }
}

void aim_cpu_place(const aim_cpu_map *map, int thread, int threads, aim_cpu_set *place)
{
    *place = (aim_cpu_set){0};
    if (threads < 2 || map->n_cpus == 0 || map->node[0] == map->node[map->n_cpus - 1])
        return;
    int node = map->node[(int64_t)map->n_cpus * thread / threads];
    for (int i = 0; i < map->n_cpus; i++)
        place->has[map->cpu[i]] = map->node[i] == node;
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

void aim_cpu_affinity(aim_cpu_set *set)
{
    static_assert(AIM_MAX_CPUS <= CPU_SETSIZE, "the kernel's set holds them all");
    cpu_set_t kernel;
    bool known = read_affinity(&kernel);
    for (int i = 0; i < AIM_MAX_CPUS; i++)
        set->has[i] = known && CPU_ISSET(i, &kernel);
}

void aim_cpu_keep_to(const aim_cpu_set *set, aim_cpu_set *before)
{
    cpu_set_t kernel;
    CPU_ZERO(&kernel);
    for (int i = 0; i < AIM_MAX_CPUS; i++)
        if (set->has[i])
            CPU_SET(i, &kernel);
    bool none = CPU_COUNT(&kernel) == 0;
    if (before && none)
        *before = *set;
    else if (before)
        aim_cpu_affinity(before);
    if (!none)
        sched_setaffinity(0, sizeof kernel, &kernel);
}
