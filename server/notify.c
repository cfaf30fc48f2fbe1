/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "server/notify.h"

#ifdef HAVE_SYSTEMD

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-daemon.h>

void aimd_notify(const char *fmt, ...)
{
    char state[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(state, sizeof state, fmt, ap);
    va_end(ap);
    sd_notify(0, state);
}

uint64_t aimd_watchdog_usec(void)
{
    uint64_t usec;
    return sd_watchdog_enabled(0, &usec) > 0 ? usec : 0;
}

static int assign(aimd_activation *a, int fd, const char *name, aim_error *err)
{
    int *place = strcmp(name, "admin") == 0 ? &a->admin_fd : &a->main_fd;
    if (*place >= 0)
        return aim_fail(err, AIM_EINVAL,
                        "socket activation: one socket for the API and one named \"admin\" can be "
                        "handed over, not more");
    if (sd_is_socket_inet(fd, 0, SOCK_STREAM, 1, 0) <= 0)
        return aim_fail(err, AIM_EINVAL,
                        "socket activation: descriptor %d is not a listening TCP socket", fd);
    *place = fd;
    return 0;
}

int aimd_activation_take(aimd_activation *a, aim_error *err)
{
    *a = (aimd_activation){-1, -1};
    char **names = NULL;
    /* Checks LISTEN_PID, and sets FD_CLOEXEC on each. */
    int n = sd_listen_fds_with_names(1, &names), rc = 0;
    if (n < 0)
        return aim_fail(err, AIM_EINVAL, "socket activation: %s", strerror(-n));
    for (int i = 0; i < n; i++) {
        if (rc == 0)
            rc = assign(a, SD_LISTEN_FDS_START + i, names[i], err);
        free(names[i]);
    }
    free(names);
    return rc;
}

#else

void aimd_notify(const char *fmt, ...)
{
    (void)fmt;
}

uint64_t aimd_watchdog_usec(void)
{
    return 0;
}

int aimd_activation_take(aimd_activation *a, aim_error *err)
{
    (void)err;
    *a = (aimd_activation){-1, -1};
    return 0;
}

#endif
