/* SPDX-License-Identifier: Apache-2.0 */
#include "server/process_stats.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static double cpu_seconds(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t))
        return 0;
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void read_memory(aimd_process_stats *p)
{
    long long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (!f)
        return;
    if (fscanf(f, "%lld %lld", &pages, &resident) == 2) {
        double page = (double)sysconf(_SC_PAGESIZE);
        p->virtual_bytes = (double)pages * page;
        p->resident_bytes = (double)resident * page;
    }
    fclose(f);
}

static double open_fds(void)
{
    int n = 0;
    DIR *dir = opendir("/proc/self/fd");
    if (!dir)
        return 0;
    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 3; /* ".", ".." and the folder's own */
}

void aimd_process_stats_read(aimd_process_stats *p)
{
    struct rlimit files;
    p->cpu_seconds = cpu_seconds();
    p->open_fds = open_fds();
    read_memory(p);
    if (getrlimit(RLIMIT_NOFILE, &files) == 0)
        p->max_fds = (double)files.rlim_cur;
}
