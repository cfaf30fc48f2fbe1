/* SPDX-License-Identifier: Apache-2.0 */
/* vector_file.h - reading files of test vectors. They are other people's files:
 * a wrong one gives an error that names file and field. */
#ifndef AIM_TESTS_VECTOR_FILE_H
#define AIM_TESTS_VECTOR_FILE_H

#include "base/json.h"

#include <stddef.h>

enum { VECTOR_MAX_SIZE = 1 << 20 }; /* of a dimension */

/* One JSON object or array inside a file. */
typedef struct vector_source {
    const json_t *object;
    const char *what; /* the file, and which case */
} vector_source;

/* The field's object. */
int vector_child(vector_source from, const char *key, vector_source *child, aim_error *err);

/* Numbers [n] as float32; aim_free. *out is NULL if the field is missing or null
 * and not required. */
int vector_floats(vector_source from, const char *key, size_t n, bool required, float **out,
                  aim_error *err);

/* A dimension: 1 .. VECTOR_MAX_SIZE. */
int vector_size(vector_source from, const char *key, int *out, aim_error *err);

/* The width of a tile, max_input_size: -1 or 0 for no limit. */
int vector_tile_width(vector_source from, int *out, aim_error *err);

/* in_sizes is how `in` inputs are split at max_input_size. */
int vector_check_split(vector_source from, int in, int max_input_size, aim_error *err);

/* The place of the field's string among names [n]. */
int vector_choice(vector_source from, const char *key, const char *const *names, int n, int *out,
                  aim_error *err);

/* "cases" of the file: AIM_EFORMAT unless an array of objects that is not empty. */
int vector_cases(vector_source from, const json_t **cases, aim_error *err);

#endif
