/* SPDX-License-Identifier: Apache-2.0 */
/* dtype.h - the element types a checkpoint may hold, by the names that
 * safetensors files give them. */
#ifndef AIM_CHECKPOINT_DTYPE_H
#define AIM_CHECKPOINT_DTYPE_H

#include "checkpoint/checkpoint.h"

typedef struct aim_dtype_info {
    const char *name;
    unsigned bits; /* of one element; below 8 they are packed */
    enum aim_dtype dtype;
    /* Elements at src (no alignment needed) as float32; NULL: not read here. */
    void (*to_f32)(const unsigned char *src, size_t n, float *out);
} aim_dtype_info;

/* NULL if the format knows no such type. */
const aim_dtype_info *aim__dtype_find(const char *name);

#endif
