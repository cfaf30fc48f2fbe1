/* SPDX-License-Identifier: Apache-2.0 */
/* listeners.h - the sockets of the daemon: ours or handed over by systemd. */
#ifndef AIMD_LISTENERS_H
#define AIMD_LISTENERS_H

#include "server/daemon.h"
#include "server/notify.h"

/* Open d->main_listener and, unless it is off, d->admin_listener, on the
 * sockets that were handed over (put into *sockets) or on our own. A listener
 * that was opened before the failure stays for the caller to stop. */
int aimd_listeners_open(aimd_daemon *d, aimd_activation *sockets, aim_error *err);

#endif
