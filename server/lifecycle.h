/* SPDX-License-Identifier: Apache-2.0 */
/* lifecycle.h - from a parsed configuration to the exit status. */
#ifndef AIMD_LIFECYCLE_H
#define AIMD_LIFECYCLE_H

#include "server/daemon.h"

/* Listen, load, serve until a signal says stop, drain. Returns the exit status. */
int aimd_run(aimd_options *options);

#endif
