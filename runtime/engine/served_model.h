/* SPDX-License-Identifier: Apache-2.0 */
/* served_model.h - a checkpoint folder brought to life: configuration,
 * tokenizer, chat template, decoder, engine. What both the daemon and the
 * benches start. */
#ifndef AIM_ENGINE_SERVED_MODEL_H
#define AIM_ENGINE_SERVED_MODEL_H

#include "engine/engine.h"
#include "text/chat_template.h"

typedef struct aim_model_options {
    const char *dir;
    const char *backend; /* NULL: the default */
    const char *kernels; /* NULL: the best this CPU has */
    /* How conversations are written (text/chat_template.h). NULL: as the model's
     * own template says. */
    const char *chat_template;
    /* To measure speed: random weights of this published shape (see
     * random_shapes.h); dir then gives the tokenizer alone. NULL: no. */
    const char *random_weights;
    aim_engine_config engine;
} aim_model_options;

typedef struct aim_model {
    char *dir;
    aim_hf_config config;
    aim_checkpoint *checkpoint;
    aim_tokenizer *tokenizer;
    const aim_chat_template *chat; /* NULL: see chat_error */
    aim_error chat_error;
    aim_compute compute;
    aim_decoder *decoder;
    aim_engine *engine;
} aim_model;

/* Load and start; blocks for as long as that takes. NULL on failure. */
aim_model *aim_model_open(const aim_model_options *o, aim_event_sink *sink, void *sink_arg,
                          aim_progress_fn *progress, void *progress_arg, aim_error *err);
void aim_model_close(aim_model *m); /* NULL is fine */

#endif
