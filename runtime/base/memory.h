/* SPDX-License-Identifier: Apache-2.0 */
/* memory.h - how much memory there is for this process. */
#ifndef AIM_BASE_MEMORY_H
#define AIM_BASE_MEMORY_H

#include <stdint.h>

typedef struct aim_memory {
    uint64_t total;     /* bytes the machine has, or a cgroup allows if that is less */
    uint64_t available; /* of these, what can be had now without swapping */
} aim_memory;

/* Read what the kernel tells: /proc/meminfo, or the files of the NUMA nodes where
 * a service manager hides that; and the limits of this process's cgroup and of
 * those around it, version 1 or 2, less what they use. File pages count as
 * available, since the kernel takes them back when it needs room. root is put
 * before every path: "" but in tests. */
aim_memory aim_memory_read(const char *root);

/* Anonymous memory that this process has touched, in bytes; 0 if unknown. */
uint64_t aim_memory_anonymous(void);

#endif
