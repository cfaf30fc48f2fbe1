/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what the machine can do, measured in the run whose figures are
 * printed beside it. Each function takes the best of several passes on all
 * threads of the pool, well under a second in all. */
#ifndef AIMD_BENCH_LIMITS_H
#define AIMD_BENCH_LIMITS_H

#include "base/error.h"
#include "base/pool.h"

/* Bytes per second all threads together read from an array much larger than
 * the caches, reading only. 0 with AIM_ENOMEM if there is no room for it. */
double aim_limit_read_bandwidth(aim_pool *pool, aim_error *err);

/* int8 multiply-adds per second (two operations each) of all threads together,
 * by the best instruction set of this CPU, from registers alone. */
double aim_limit_int8_macs(aim_pool *pool);

#endif
