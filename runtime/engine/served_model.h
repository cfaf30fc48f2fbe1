/* SPDX-License-Identifier: Apache-2.0 */
/* served_model.h - a checkpoint folder brought to life: configuration,
 * tokenizer, chat template, decoder, engine. What both the daemon and the
 * benches start. */
#ifndef AIM_ENGINE_SERVED_MODEL_H
#define AIM_ENGINE_SERVED_MODEL_H

#include "analog/chip.h"
#include "engine/memory_plan.h"
#include "text/chat_template.h"

typedef struct aim_model_options {
    const char *name; /* in errors about memory; NULL: dir */
    const char *dir;
    const char *backend; /* NULL: the default */
    /* What a backend on tiles programs the weights on, or puts them on (decoder.h);
     * borrowed for the call, and its ranges with it. Other backends do not look at it. */
    const aim_chip *chip;
    const char *kernels; /* NULL: the best this CPU has */
    /* How conversations are written (text/chat_template.h). NULL: as the model's
     * own template says. */
    const char *chat_template;
    /* To measure speed: random weights of this published shape (see
     * random_shapes.h); dir then gives the tokenizer alone. NULL: no. */
    const char *random_weights;
    aim_engine_config engine;
    /* Set by another thread it ends aim_model_open early, with AIM_ECANCELED; NULL:
     * never. Looked at between layers. */
    const atomic_bool *cancelled;
    /* Made by aim_model_plan and fitted, together with other models say; NULL: the
     * model is planned for alone. */
    const aim_memory_plan *plan;
} aim_model_options;

typedef struct aim_model {
    char *dir;
    aim_hf_config config;
    aim_checkpoint *checkpoint;
    aim_tokenizer *tokenizer;
    const aim_chat_template *chat; /* NULL: see chat_error */
    aim_error chat_error;
    const aim_backend *backend;
    aim_memory_plan memory;
    aim_compute compute;
    aim_decoder *decoder;
    aim_engine *engine;
} aim_model;

/* Count what a model will take, from its folder's configuration alone. The plan
 * borrows o->name or o->dir. */
int aim_model_plan(const aim_model_options *o, aim_memory_plan *out, aim_error *err);

/* Everything that aim_model_open looks at before it reads weights, but whether the
 * memory is there just now. */
int aim_model_check(const aim_model_options *o, aim_error *err);

/* Load and start; blocks for as long as that takes. NULL on failure; without a
 * plan that is AIM_ENOMEM, before anything big is taken, if memory is too short. */
aim_model *aim_model_open(const aim_model_options *o, aim_event_sink *sink, void *sink_arg,
                          aim_progress_fn *progress, void *progress_arg, aim_error *err);
void aim_model_close(aim_model *m); /* NULL is fine */

#endif
