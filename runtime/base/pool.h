/* SPDX-License-Identifier: Apache-2.0 */
/* pool.h - the engine's work pool: run n independent tasks on all threads.
 *
 * Threading: one thread (the owner) calls aim_pool_run at a time; it takes
 * part in the work. Workers spin for about 50 microseconds after a run, because the
 * next layer comes at once, and then sleep: an idle pool uses no CPU. A CPU quota pays
 * for the spinning too.
 *
 * Each thread begins with its own share of the tasks, always the same one, and takes
 * what is left of others' shares when it is through. So the weights of a layer, cut
 * up in the same way when they are loaded and whenever they are read, stay on the
 * side of the machine that reads them: workers keep to the CPUs of one NUMA node, and
 * so does an owner after aim_pool_bind_owner. Roughly: memory goes to a node by the
 * page, and what aim_big_alloc zeroes itself lies with the thread that asked. */
#ifndef AIM_BASE_POOL_H
#define AIM_BASE_POOL_H

#include "base/cpus.h"
#include "base/error.h"

typedef struct aim_pool aim_pool;

/* worker is in [0, threads): use it to pick scratch memory, never results. */
typedef void aim_task_fn(void *arg, int task, int worker);

/* threads counts the caller; 1 makes no thread. NULL on failure. */
aim_pool *aim_pool_new(int threads, aim_error *err);
/* The same on the CPUs of a map, and not on those of the calling thread. */
aim_pool *aim_pool_new_on(const aim_cpu_map *map, int threads, aim_error *err);
void aim_pool_free(aim_pool *pool); /* NULL is fine */
int aim_pool_threads(const aim_pool *pool);

/* Call fn(arg, i, worker) once for each i in [0, n_tasks), in any order on any
 * thread; returns when all are done. Everything written before the call is
 * seen by the tasks, everything they wrote is seen after it. */
void aim_pool_run(aim_pool *pool, aim_task_fn *fn, void *arg, int n_tasks);

/* Keep the calling thread, which is or becomes the owner, to the node of its share; of no
 * effect where there is one node. before, unless NULL, is for aim_cpu_keep_to, which puts
 * the thread back. */
void aim_pool_bind_owner(const aim_pool *pool, aim_cpu_set *before);

/* The first task of a worker's share of so many; that of the worker behind it ends the
 * share. */
int aim_pool_share(const aim_pool *pool, int n_tasks, int worker);

#endif
