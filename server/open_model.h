/* SPDX-License-Identifier: Apache-2.0 */
/* open_model.h - from the options of a model to an engine that has proved to work.
 * A model counts as loaded once it has generated one token, or scored one if it is a
 * reward model. Any thread but the loop's: these read files, and more. */
#ifndef AIMD_OPEN_MODEL_H
#define AIMD_OPEN_MODEL_H

#include "server/model_table.h"

/* Look at all of a model but the values of its weights. Errors name it. */
int aimd_model_check(const aimd_options *o, const aimd_model_options *m, aim_error *err);

/* Fill in m->plan from the model's folder and the chip. */
int aimd_model_plan(aimd_model *m, aim_error *err);

/* Load the model as m->options, m->chip and m->plan say, test it, and fill in model,
 * load_seconds and fingerprint. m->progress goes from 0 to 1 meanwhile. cancelled
 * (NULL: never) ends it early, with AIM_ECANCELED. After a failure, too, m may hold a
 * model to be closed. */
int aimd_model_open(aimd_model *m, const atomic_bool *cancelled, aim_error *err);

void aimd_self_test_free(struct self_test *t); /* NULL is fine */

#endif
