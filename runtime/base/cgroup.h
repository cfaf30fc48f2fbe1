/* SPDX-License-Identifier: Apache-2.0 */
/* cgroup.h - the control groups of Linux that this process is in. */
#ifndef AIM_BASE_CGROUP_H
#define AIM_BASE_CGROUP_H

/* version is 1 or 2, folder that of one group. */
typedef void aim_cgroup_fn(void *arg, int version, const char *folder);

/* fn for the group of this process that a controller ("memory", "cpu") is asked in, and
 * for all groups around it, the innermost first; they need not exist. root is put before
 * every path: "" but in tests. */
void aim_cgroup_each(const char *root, const char *controller, aim_cgroup_fn *fn, void *arg);

#endif
