/* SPDX-License-Identifier: Apache-2.0 */
/* input_ranges.h - calibrated input ranges of a chip: one for each tile of each
 * linear layer, and the file they are kept in. */
#ifndef AIM_ANALOG_INPUT_RANGES_H
#define AIM_ANALOG_INPUT_RANGES_H

#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

typedef struct aim_layer_ranges {
    int layer; /* number of the linear layer, as chip.h counts them */
    int tiles;
    float *range; /* [tiles], finite, > 0 */
} aim_layer_ranges;

/* What ranges were made from, for people to read. */
typedef struct aim_ranges_origin {
    char method[16]; /* "quantile", "max" or "std"; "": nothing is known */
    double value;    /* of the method; 0 with max */
    int64_t texts, tokens;
} aim_ranges_origin;

typedef struct aim_input_ranges_set {
    aim_layer_ranges *layers; /* ascending numbers */
    size_t n_layers;
    aim_ranges_origin origin;
} aim_input_ranges_set;

/* The ranges of a layer, NULL if there are none. set may be NULL. */
const aim_layer_ranges *aim_input_ranges_find(const aim_input_ranges_set *set, int layer);
/* Append a layer with room for its ranges, which the caller fills. Numbers must
 * ascend. NULL when out of memory. */
float *aim_input_ranges_add(aim_input_ranges_set *set, int layer, int tiles);
void aim_input_ranges_free(aim_input_ranges_set *set); /* the set too; NULL is fine */
aim_input_ranges_set *aim_input_ranges_copy(const aim_input_ranges_set *set);

/* JSON. Written to a temporary file beside path, flushed and renamed: a crash leaves
 * the old file or the new one. Errors: AIM_EIO, AIM_ENOMEM; on reading AIM_ENOTFOUND
 * and AIM_EFORMAT with file, field and reason. */
int aim_input_ranges_save(const aim_input_ranges_set *set, const char *path, aim_error *err);
aim_input_ranges_set *aim_input_ranges_load(const char *path, aim_error *err);

#endif
