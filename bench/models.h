/* SPDX-License-Identifier: Apache-2.0 */
/* models.h - the models that figures are measured on: shapes, each with every
 * arithmetic it can be served with. */
#ifndef AIM_BENCH_MODELS_H
#define AIM_BENCH_MODELS_H

#include "engine/served_model.h"

/* What takes turns; a set of them is a mask of 1 << enum. */
enum contestant { INT8, INT4, ANALOG8, ANALOG16, CONTESTANTS };
enum { ALL_CONTESTANTS = (1 << CONTESTANTS) - 1 };
/* "int8", "int4", "analog8", "analog16": the last part of the names of figures. */
const char *contestant_name(enum contestant c);
/* int8 products that the kernels make for one multiply-add: two for 16 bits. */
int contestant_products(enum contestant c);

enum model_shape { SHIPPED, LLAMA_1B, PHI3_MINI, SHAPES };
/* The name for aim_model_options.random_weights; NULL: the shipped weights. */
const char *model_shape_name(enum model_shape s);

/* dir: the shipped model, whose tokenizer all use; profile: the file of that of chips.
 * Ends the program if the profile cannot be read. */
void models_setup(const char *dir, const char *profile);

/* A model that is ready: one opened before, or a new one, for which others are closed
 * when the memory set aside for the bench is used up. threads 0: all. The answer is
 * borrowed and stays until models_release. NULL on failure. */
aim_model *models_get(enum model_shape s, enum contestant c, int threads, aim_error *err);
/* None of those given out is in use any more. */
void models_release(void);
void models_close(void);

/* Opens one for the caller to close, programmed without noise if `exact`. */
aim_model *models_open(enum model_shape s, enum contestant c, int threads, bool exact,
                       aim_error *err);

#endif
