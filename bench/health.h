/* SPDX-License-Identifier: Apache-2.0 */
/* health.h - GET /health of the daemon against libmicrohttpd's own
 * internal-thread mode serving the same bytes, both under wrk. */
#ifndef AIM_BENCH_HEALTH_H
#define AIM_BENCH_HEALTH_H

void bench_health(int port, int rounds);

#endif
