/* SPDX-License-Identifier: Apache-2.0 */
/* checkpoint.h - a folder in Hugging Face layout as one table of tensors.
 *
 * Files are memory-mapped and never trusted: the rules stand in safetensors.c and
 * torch_file.c. Tensors stay where they lie in the map.
 * Threading: immutable after open, any thread may read. */
#ifndef AIM_CHECKPOINT_CHECKPOINT_H
#define AIM_CHECKPOINT_CHECKPOINT_H

#include "base/error.h"
#include "base/file.h"

#include <stddef.h>
#include <stdint.h>

enum aim_dtype { AIM_F32, AIM_F16, AIM_BF16, AIM_OTHER_DTYPE };
enum { AIM_MAX_RANK = 8 };

typedef struct aim_tensor {
    char *name;
    enum aim_dtype dtype;
    char dtype_name[12]; /* as safetensors files spell it: "F32", "BF16", "I64" */
    int rank;
    int64_t shape[AIM_MAX_RANK];
    /* Elements from one index to the next. Row-major in a safetensors file; a torch
     * file may hold transposed and other views. */
    int64_t stride[AIM_MAX_RANK];
    const unsigned char *data; /* the first element, in the map; may be unaligned */
    size_t bytes;              /* of all elements, wherever they lie */
} aim_tensor;

typedef struct aim_checkpoint aim_checkpoint;

/* Open in folder dir the first there is of model.safetensors, the shards that
 * model.safetensors.index.json names, pytorch_model.bin, and the shards that
 * pytorch_model.bin.index.json names. NULL on failure; errors name file, tensor,
 * reason. */
aim_checkpoint *aim_checkpoint_open(const char *dir, aim_error *err);
void aim_checkpoint_close(aim_checkpoint *c); /* NULL is fine */

/* Borrowed; NULL if there is no such tensor. */
const aim_tensor *aim_checkpoint_find(const aim_checkpoint *c, const char *name);
int aim_checkpoint_count(const aim_checkpoint *c);
const aim_tensor *aim_checkpoint_at(const aim_checkpoint *c, int i); /* sorted by name */
const char *aim_checkpoint_format(const aim_checkpoint *c); /* "safetensors" or "torch" */
/* Bytes of all files mapped. */
size_t aim_checkpoint_bytes(const aim_checkpoint *c);
/* Of every file (base/file.h). */
void aim_checkpoint_expect(const aim_checkpoint *c, enum aim_map_use use);

/* The tensor, if it has a float dtype and exactly this shape; otherwise NULL
 * and an error that names it. rank 1: pass cols = -1. */
const aim_tensor *aim_checkpoint_require(const aim_checkpoint *c, const char *name, int64_t rows,
                                         int64_t cols, aim_error *err);

/* Elements [start, start + n) of the flattened (row-major) tensor as float32,
 * whatever its strides; quickest where they are row-major. */
void aim_tensor_read(const aim_tensor *t, size_t start, size_t n, float *out);

/* Parse one file held in memory, calling visit (which may be NULL) for each tensor
 * until it returns other than 0; what was visited counts only if the parser
 * returns 0. The name of a visited tensor lives as long as the call; its data lies
 * in `data`. name stands for the file in errors. */
typedef int aim_tensor_fn(void *arg, const aim_tensor *t, aim_error *err);
typedef int aim_tensor_file_fn(const unsigned char *data, size_t size, const char *name,
                               aim_tensor_fn *visit, void *arg, aim_error *err);
/* model.safetensors: tensors in the order of their data. */
aim_tensor_file_fn aim_safetensors_parse;
/* pytorch_model.bin, as torch.save writes it: tensors in the order of their names. */
aim_tensor_file_fn aim_torch_parse;

#endif
