/* SPDX-License-Identifier: Apache-2.0 */
/* engine_load.h - a batch of requests straight into the engine. */
#ifndef AIM_BENCH_ENGINE_LOAD_H
#define AIM_BENCH_ENGINE_LOAD_H

#include "engine/served_model.h"

/* Open a model whose events this module receives. */
aim_model *engine_load_open(const aim_model_options *o, aim_error *err);
/* Decode `sequences` answers of `tokens` tokens each after prompts of
 * `prompt_tokens` (the same ones the HTTP load sends); tokens a second. */
double engine_load_run(aim_model *m, int sequences, int prompt_tokens, int tokens);

#endif
