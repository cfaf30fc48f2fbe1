/* SPDX-License-Identifier: Apache-2.0 */
#include "base/memory.h"

#include "base/cgroup.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATH_ROOM = 4608, MAX_NODES = 1024 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t less(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

/* ---- files of numbers ------------------------------------------------------ */

/* The first number in a file; false if there is none, as in "max". */
static bool read_number(const char *path, uint64_t *out)
{
    char text[64] = "", *end;
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    bool any = fgets(text, sizeof text, f);
    fclose(f);
    *out = strtoull(text, &end, 10);
    return any && end != text;
}

/* The number behind a name at the beginning of a line, or behind "Node 0 " there.
 * Adds it to *sum. */
static bool add_field(FILE *f, const char *name, uint64_t *sum)
{
    char line[256];
    size_t n = strlen(name);
    rewind(f);
    while (fgets(line, sizeof line, f)) {
        int skip = 0;
        sscanf(line, "Node %*d %n", &skip);
        const char *key = line + skip;
        if (strncmp(key, name, n) != 0 || (key[n] != ':' && key[n] != ' '))
            continue;
        *sum += strtoull(key + n + 1, NULL, 10);
        return true;
    }
    return false;
}

/* ---- the machine ------------------------------------------------------------ */

static bool read_meminfo(const char *root, aim_memory *m)
{
    char path[PATH_ROOM];
    uint64_t total = 0, available = 0;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    FILE *f = fopen(path, "re");
    bool whole = f && add_field(f, "MemTotal", &total) && add_field(f, "MemAvailable", &available);
    if (f)
        fclose(f);
    if (whole)
        *m = (aim_memory){1024 * total, 1024 * available};
    return whole;
}

/* Without MemAvailable: what is free and what the kernel can take back. */
static bool add_node(const char *root, int node, aim_memory *m)
{
    static const char *const free_again[] = {"MemFree", "Active(file)", "Inactive(file)",
                                             "SReclaimable"};
    char path[PATH_ROOM];
    uint64_t total = 0, available = 0;
    snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/meminfo", root, node);
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    add_field(f, "MemTotal", &total);
    for (size_t i = 0; i < sizeof free_again / sizeof free_again[0]; i++)
        add_field(f, free_again[i], &available);
    fclose(f);
    m->total += 1024 * total;
    m->available += 1024 * available;
    return true;
}

static bool read_nodes(const char *root, aim_memory *m)
{
    *m = (aim_memory){0, 0};
    for (int i = 0; i < MAX_NODES && add_node(root, i, m); i++)
        ;
    return m->total > 0;
}

static aim_memory read_sysconf(void)
{
    uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
    return (aim_memory){page * (uint64_t)sysconf(_SC_PHYS_PAGES),
                        page * (uint64_t)sysconf(_SC_AVPHYS_PAGES)};
}

/* ---- control groups --------------------------------------------------------- */

typedef struct cgroup_version {
    const char *limits[2]; /* the smaller one counts */
    const char *usage;
    const char *free_again[3]; /* fields of memory.stat */
} cgroup_version;

/* Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst of Linux. */
static const cgroup_version version_1 = {
    {"memory.limit_in_bytes", NULL},
    "memory.usage_in_bytes",
    {"total_active_file", "total_inactive_file", NULL},
};
static const cgroup_version version_2 = {
    {"memory.max", "memory.high"},
    "memory.current",
    {"active_file", "inactive_file", "slab_reclaimable"},
};

static uint64_t group_free_again(const cgroup_version *v, const char *folder)
{
    char path[PATH_ROOM + 64];
    uint64_t sum = 0;
    snprintf(path, sizeof path, "%s/memory.stat", folder);
    FILE *f = fopen(path, "re");
    for (int i = 0; f && i < 3 && v->free_again[i]; i++)
        add_field(f, v->free_again[i], &sum);
    if (f)
        fclose(f);
    return sum;
}

struct limits {
    uint64_t machine; /* bytes without any group */
    aim_memory m;
};

/* Lower the limits to what one group allows. A limit that the machine does not reach
 * says nothing; one above that of a group inside does, since others use of it too. */
static void apply_group(void *arg, int version, const char *folder)
{
    struct limits *l = arg;
    const cgroup_version *v = version == 1 ? &version_1 : &version_2;
    char path[PATH_ROOM + 64];
    uint64_t limit = UINT64_MAX, used = 0;
    for (int i = 0; i < 2 && v->limits[i]; i++) {
        uint64_t value;
        snprintf(path, sizeof path, "%s/%s", folder, v->limits[i]);
        if (read_number(path, &value))
            limit = smaller(limit, value);
    }
    if (limit >= l->machine)
        return;
    snprintf(path, sizeof path, "%s/%s", folder, v->usage);
    read_number(path, &used);
    l->m.total = smaller(l->m.total, limit);
    l->m.available = smaller(l->m.available, less(limit, less(used, group_free_again(v, folder))));
}

/* ---- public ------------------------------------------------------------------ */

aim_memory aim_memory_read(const char *root)
{
    aim_memory m;
    if (!read_meminfo(root, &m) && !read_nodes(root, &m))
        m = read_sysconf();
    struct limits limits = {m.total, m};
    aim_cgroup_each(root, "memory", apply_group, &limits);
    return limits.m;
}

uint64_t aim_memory_anonymous(void)
{
    uint64_t kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    if (f) {
        add_field(f, "RssAnon", &kib);
        fclose(f);
    }
    return 1024 * kib;
}
