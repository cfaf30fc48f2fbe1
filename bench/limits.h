/* SPDX-License-Identifier: Apache-2.0 */
/* limits.h - what the machine can do at most: read memory, and multiply int8 by
 * int8. Each function takes the best of so many passes on all threads of the pool;
 * a pass takes some milliseconds. Many find what the machine can do at its best, one what
 * it gives just then. */
#ifndef AIM_BENCH_LIMITS_H
#define AIM_BENCH_LIMITS_H

#include "base/error.h"
#include "base/pool.h"

#include <stddef.h>

/* What is read to measure: much larger than the caches, touched by the pool. */
typedef struct limit_array {
    unsigned char *data;
    size_t size;
} limit_array;
/* 0, or AIM_ENOMEM. Kept to the end of the program. */
int limit_array_init(limit_array *a, aim_pool *pool, aim_error *err);

/* Bytes per second all threads together read, reading only, from the first `bytes`
 * of the array again and again; bytes 0: from all of it, and so from memory. */
double limit_read_bandwidth(aim_pool *pool, const limit_array *a, size_t bytes, int passes);

/* int8 multiply-adds per second (two operations each) of all threads together, by
 * the best instruction set of this CPU, from registers alone. */
double limit_int8_macs(aim_pool *pool, int passes);

/* Seconds of the fastest of so many runs of n_tasks tasks on the pool. */
double limit_best_seconds(aim_pool *pool, aim_task_fn *fn, void *arg, int n_tasks, int passes);

#endif
