/* SPDX-License-Identifier: Apache-2.0 */
/* http.h - the daemon that the figures over HTTP are measured on. */
#ifndef AIM_BENCH_HTTP_H
#define AIM_BENCH_HTTP_H

#include "bench/cases.h"
#include "bench/daemon_process.h"

/* A daemon that serves the model of this case, started if there is none yet; NULL after
 * a message. */
const daemon_process *served_daemon(const bench_case *c);
void served_daemon_close(void);

#endif
