/* SPDX-License-Identifier: Apache-2.0 */
/* wait.h - following what the server does to a chip until it is done. */
#ifndef ACTL_WAIT_H
#define ACTL_WAIT_H

#include "base/error.h"
#include "ctl/client.h"

#include <jansson.h>
#include <signal.h>
#include <stdbool.h>

/* Not 0 once Ctrl-C was pressed during a wait: for actl_client_open. */
extern volatile sig_atomic_t actl_interrupted;

/* *chip is the server's answer to a change; it is replaced by later ones until the
 * chip is at rest. Ctrl-C ends the wait (ACTL_INTERRUPTED), not the server's work.
 * bar: whether to show progress on a terminal. */
int actl_wait(actl_client *c, json_t **chip, bool bar, aim_error *err);

#endif
