/* SPDX-License-Identifier: Apache-2.0 */
/* shard_index.h - the JSON file that tells which shard holds which tensor. */
#ifndef AIM_CHECKPOINT_SHARD_INDEX_H
#define AIM_CHECKPOINT_SHARD_INDEX_H

#include "base/error.h"
#include "base/json.h"

#include <stddef.h>

typedef struct aim__shard_index {
    const char *name; /* of the index file, for errors */
    json_t *document;
    const json_t *weight_map; /* tensor name to shard, all strings; part of document */
    const char **files;       /* the distinct shards, sorted: bare file names */
    size_t n_files;
} aim__shard_index;

/* Read dir/name, which must outlive out. AIM_ENOTFOUND if there is none; on
 * failure out needs no close. */
int aim__shard_index_open(const char *dir, const char *name, aim__shard_index *out, aim_error *err);
void aim__shard_index_close(aim__shard_index *index);

/* The shard that holds the tensor; borrowed, NULL if the index has no such tensor. */
const char *aim__shard_index_place(const aim__shard_index *index, const char *tensor);

#endif
