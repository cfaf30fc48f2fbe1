/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what the machine can do, measured in the run whose figures are
 * printed beside it. Each function takes the best of several passes on all
 * threads of the pool, well under a second in all. */
#ifndef AIM_BENCH_LIMITS_H
#define AIM_BENCH_LIMITS_H

#include "base/error.h"
#include "base/pool.h"

#include <stddef.h>

/* Bytes per second all threads together read from an array of so many bytes,
 * reading only; bytes 0 stands for one much larger than the caches. 0 with
 * AIM_ENOMEM if there is no room for it. */
double aim_limit_read_bandwidth(aim_pool *pool, size_t bytes, aim_error *err);

/* int8 multiply-adds per second (two operations each) of all threads together,
 * by the best instruction set of this CPU, from registers alone. */
double aim_limit_int8_macs(aim_pool *pool);

#endif
