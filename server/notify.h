/* SPDX-License-Identifier: Apache-2.0 */
/* notify.h - what systemd is told, and what it hands over. Without libsystemd,
 * or outside a service, all of it does nothing. Loop thread only. */
#ifndef AIMD_NOTIFY_H
#define AIMD_NOTIFY_H

#include "base/error.h"

#include <stdint.h>

/* Send assignments such as "READY=1\nSTATUS=..." as sd_notify(3) lists them. */
void aimd_notify(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Microseconds after which the watchdog strikes; 0: there is none. */
uint64_t aimd_watchdog_usec(void);

/* Sockets of socket activation, -1 where there is none. The one whose
 * FileDescriptorName= is "admin" is the admin listener's, another the main
 * one's. More than that is an error. */
typedef struct aimd_activation {
    int main_fd, admin_fd;
} aimd_activation;
int aimd_activation_take(aimd_activation *a, aim_error *err);

#endif
