/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - bringing the configured models up on a thread of their own, while the
 * listeners already answer. */
#ifndef AIMD_LOAD_H
#define AIMD_LOAD_H

#include "server/daemon.h"

typedef struct aimd_loader aimd_loader;

/* Look at all of the models from `first` on but the values of their weights, so
 * that what is wrong with them shows before anything is loaded. */
int aimd_load_check(const aimd_options *o, size_t first, aim_error *err);

/* Called once on the loop thread, unless aimd_load_free comes first. err->code
 * is AIM_OK if every model of the daemon is loaded, and ready. */
typedef void aimd_loaded_fn(aimd_daemon *d, const aim_error *err);

/* NULL on failure. */
aimd_loader *aimd_load_new(aimd_daemon *d, aimd_loaded_fn *on_loaded, aim_error *err);
/* Start loading the models of the daemon's table, in order. Nobody may change the
 * table before on_loaded is called. */
int aimd_load_start(aimd_loader *l, aim_error *err);
/* Waits for the model that is being loaded; for after the loop has ended. NULL is
 * fine. */
void aimd_load_free(aimd_loader *l);
/* Stop watching for the end of the load, so that the loop can end. */
void aimd_load_detach(aimd_loader *l);

#endif
