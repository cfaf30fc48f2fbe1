/* SPDX-License-Identifier: Apache-2.0 */
/* process_stats.h - what this process uses, as Prometheus wants to know it. */
#ifndef AIMD_PROCESS_STATS_H
#define AIMD_PROCESS_STATS_H

typedef struct aimd_process_stats {
    double cpu_seconds;
    double resident_bytes, virtual_bytes;
    double open_fds, max_fds;
    double start_time; /* unix time */
} aimd_process_stats;

/* All but start_time. Figures the system does not tell are 0. */
void aimd_process_stats_read(aimd_process_stats *p);

#endif
