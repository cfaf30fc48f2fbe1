/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/shard_index.h"

#include "base/alloc.h"
#include "base/file.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_SHARDS = 4096,
    MAX_INDEX_BYTES = 64 << 20, /* about half a million tensors */
};

/* A shard lies in the folder of the index, nowhere else. */
static bool is_bare_name(const char *s)
{
    return s[0] != '\0' && s[0] != '.' && !strchr(s, '/');
}

static int by_string(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The distinct files of weight_map, sorted, into index->files (room for one a key). */
static int list_files(aim__shard_index *index, aim_error *err)
{
    size_t n = 0, kept = 0;
    const char *key, **files = index->files;
    json_t *value;
    json_object_foreach((json_t *)index->weight_map, key, value)
    {
        files[n] = json_string_value(value);
        if (!files[n] || !is_bare_name(files[n]))
            return aim_fail(err, AIM_EFORMAT,
                            "%s: tensor \"%.200s\": \"%.100s\" is not a bare file name",
                            index->name, key, files[n] ? files[n] : "");
        n++;
    }
    qsort(files, n, sizeof *files, by_string);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(files[kept - 1], files[i]) != 0)
            files[kept++] = files[i];
    index->n_files = kept;
    if (kept > MAX_SHARDS)
        return aim_fail(err, AIM_EFORMAT, "%s: %zu files, at most %d are read", index->name, kept,
                        MAX_SHARDS);
    return AIM_OK;
}

static int read_weight_map(aim__shard_index *index, aim_error *err)
{
    index->weight_map = json_object_get(index->document, "weight_map");
    if (!json_is_object(index->weight_map))
        return aim_fail_param(err, AIM_EFORMAT, "weight_map",
                              "%s: \"weight_map\" must be an object", index->name);
    index->files = aim_calloc(json_object_size(index->weight_map), sizeof *index->files);
    return index->files ? list_files(index, err) : aim_fail_nomem(err, index->name);
}

int aim__shard_index_open(const char *dir, const char *name, aim__shard_index *out, aim_error *err)
{
    *out = (aim__shard_index){.name = name};
    char *path = aim_path_join(dir, name);
    if (!path)
        return aim_fail_nomem(err, name);
    aim_error cause = {0};
    out->document = aim_json_load(path, MAX_INDEX_BYTES, &cause);
    aim_free(path);
    if (!out->document)
        return aim_fail(err, cause.code, "%s", cause.text);
    int code = read_weight_map(out, err);
    if (code)
        aim__shard_index_close(out);
    return code;
}

void aim__shard_index_close(aim__shard_index *index)
{
    aim_free(index->files);
    json_decref(index->document);
    *index = (aim__shard_index){0};
}

const char *aim__shard_index_place(const aim__shard_index *index, const char *tensor)
{
    return json_string_value(json_object_get(index->weight_map, tensor));
}
