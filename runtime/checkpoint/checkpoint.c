/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/checkpoint.h"

#include "base/alloc.h"
#include "base/json.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SINGLE_FILE "model.safetensors"
#define INDEX_FILE "model.safetensors.index.json"

enum {
    MAX_SHARDS = 4096,
    MAX_INDEX_BYTES = 64 << 20, /* about half a million tensors */
};

struct aim_checkpoint {
    aim_map *maps; /* one a file */
    size_t n_maps;
    aim_tensor *tensors; /* sorted by name once open */
    size_t n_tensors, room;
};

/* What the visitor of one file needs. */
struct loading {
    aim_checkpoint *checkpoint;
    const json_t *weight_map; /* NULL: a single file, which may hold any tensor */
    const char *file;
};

/* Every tensor must be in the file the index names: with unique keys that also
 * rules out one name in two shards. */
static int check_place(const struct loading *l, const aim_tensor *t, aim_error *err)
{
    if (!l->weight_map)
        return AIM_OK;
    const char *place = json_string_value(json_object_get(l->weight_map, t->name));
    if (!place)
        return aim_fail(err, AIM_EFORMAT, "%s: tensor \"%.200s\" is not in " INDEX_FILE, l->file,
                        t->name);
    if (strcmp(place, l->file) != 0)
        return aim_fail(err, AIM_EFORMAT,
                        "%s: tensor \"%.200s\" belongs into \"%.100s\" by " INDEX_FILE, l->file,
                        t->name, place);
    return AIM_OK;
}

static int add_tensor(void *arg, const aim_tensor *t, aim_error *err)
{
    struct loading *l = arg;
    aim_checkpoint *c = l->checkpoint;
    int code = check_place(l, t, err);
    if (code)
        return code;
    if (!aim_grow(&c->tensors, &c->room, c->n_tensors + 1, sizeof *c->tensors))
        return aim_fail_nomem(err, l->file);
    char *name = aim_strdup(t->name);
    if (!name)
        return aim_fail_nomem(err, l->file);
    c->tensors[c->n_tensors] = *t;
    c->tensors[c->n_tensors++].name = name;
    return AIM_OK;
}

/* Map and parse file; c->maps has room for it. */
static int load_file(aim_checkpoint *c, const char *dir, const char *file, const json_t *weight_map,
                     aim_error *err)
{
    aim_map *map = &c->maps[c->n_maps];
    int code = aim_map_open(dir, file, map, err);
    if (code)
        return code;
    c->n_maps++;
    struct loading l = {c, weight_map, file};
    return aim_safetensors_parse(map->data, map->size, file, add_tensor, &l, err);
}

static int load_single(aim_checkpoint *c, const char *dir, aim_error *err)
{
    c->maps = aim_calloc(1, sizeof *c->maps);
    return c->maps ? load_file(c, dir, SINGLE_FILE, NULL, err) : aim_fail_nomem(err, dir);
}

/* ---- the sharded form --------------------------------------------------- */

static bool is_bare_name(const char *s)
{
    return s[0] != '\0' && s[0] != '.' && !strchr(s, '/');
}

static int by_string(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* The distinct files of weight_map, sorted, into files (room for one a key). */
static int list_shards(const json_t *weight_map, const char **files, size_t *n_files,
                       aim_error *err)
{
    size_t n = 0, kept = 0;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)weight_map, key, value)
    {
        files[n] = json_string_value(value);
        if (!files[n] || !is_bare_name(files[n]))
            return aim_fail(err, AIM_EFORMAT,
                            INDEX_FILE ": tensor \"%.200s\": \"%.100s\" is not a bare file name",
                            key, files[n] ? files[n] : "");
        n++;
    }
    qsort(files, n, sizeof *files, by_string);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(files[kept - 1], files[i]) != 0)
            files[kept++] = files[i];
    if (kept > MAX_SHARDS)
        return aim_fail(err, AIM_EFORMAT, INDEX_FILE ": %zu files, at most %d are read", kept,
                        MAX_SHARDS);
    *n_files = kept;
    return AIM_OK;
}

static int by_name(const void *left, const void *right)
{
    const aim_tensor *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static void sort_tensors(aim_checkpoint *c)
{
    if (c->n_tensors)
        qsort(c->tensors, c->n_tensors, sizeof *c->tensors, by_name);
}

/* The index may promise more than the shards hold. */
static int check_all_found(aim_checkpoint *c, const json_t *weight_map, aim_error *err)
{
    if (c->n_tensors == json_object_size(weight_map))
        return AIM_OK;
    sort_tensors(c);
    const char *key;
    json_t *value;
    json_object_foreach(
        (json_t *)weight_map, key,
        value) if (!aim_checkpoint_find(c, key)) return aim_fail(err, AIM_EFORMAT,
                                                                 "%s: tensor \"%.200s\" is missing",
                                                                 json_string_value(value), key);
    return aim_fail(err, AIM_EINTERNAL, INDEX_FILE ": tensors do not add up");
}

static int load_shards(aim_checkpoint *c, const char *dir, const json_t *weight_map, aim_error *err)
{
    if (!json_is_object(weight_map))
        return aim_fail_param(err, AIM_EFORMAT, "weight_map",
                              INDEX_FILE ": \"weight_map\" must be an object");
    size_t n = 0;
    const char **files = aim_calloc(json_object_size(weight_map), sizeof *files);
    int code = files ? list_shards(weight_map, files, &n, err) : aim_fail_nomem(err, INDEX_FILE);
    if (!code && !(c->maps = aim_calloc(n, sizeof *c->maps)))
        code = aim_fail_nomem(err, INDEX_FILE);
    for (size_t i = 0; !code && i < n; i++)
        code = load_file(c, dir, files[i], weight_map, err);
    if (!code)
        code = check_all_found(c, weight_map, err);
    aim_free(files);
    return code;
}

static int load_index(aim_checkpoint *c, const char *dir, aim_error *err)
{
    aim_error cause = {0};
    char *path = aim_path_join(dir, INDEX_FILE);
    if (!path)
        return aim_fail_nomem(err, INDEX_FILE);
    json_t *index = aim_json_load(path, MAX_INDEX_BYTES, &cause);
    aim_free(path);
    if (cause.code == AIM_ENOTFOUND)
        return aim_fail(err, AIM_ENOTFOUND, "%s: neither " SINGLE_FILE " nor " INDEX_FILE, dir);
    if (!index)
        return aim_fail(err, cause.code, "%s", cause.text);
    int code = load_shards(c, dir, json_object_get(index, "weight_map"), err);
    json_decref(index);
    return code;
}

/* ---- public ------------------------------------------------------------- */

aim_checkpoint *aim_checkpoint_open(const char *dir, aim_error *err)
{
    aim_checkpoint *c = aim_calloc(1, sizeof *c);
    if (!c) {
        aim_fail_nomem(err, dir);
        return NULL;
    }
    aim_error cause = {0};
    int code = load_single(c, dir, &cause);
    if (code == AIM_ENOTFOUND) {
        aim_free(c->maps);
        c->maps = NULL;
        cause = (aim_error){0};
        code = load_index(c, dir, &cause);
    }
    if (code) {
        aim_fail(err, cause.code, "%s", cause.text);
        aim_checkpoint_close(c);
        return NULL;
    }
    sort_tensors(c);
    return c;
}

void aim_checkpoint_close(aim_checkpoint *c)
{
    if (!c)
        return;
    for (size_t i = 0; i < c->n_tensors; i++)
        aim_free(c->tensors[i].name);
    for (size_t i = 0; i < c->n_maps; i++)
        aim_map_close(&c->maps[i]);
    aim_free(c->tensors);
    aim_free(c->maps);
    aim_free(c);
}

const aim_tensor *aim_checkpoint_find(const aim_checkpoint *c, const char *name)
{
    aim_tensor key = {.name = (char *)name};
    if (c->n_tensors == 0)
        return NULL;
    return bsearch(&key, c->tensors, c->n_tensors, sizeof *c->tensors, by_name);
}

int aim_checkpoint_count(const aim_checkpoint *c)
{
    return (int)c->n_tensors;
}

const aim_tensor *aim_checkpoint_at(const aim_checkpoint *c, int i)
{
    return &c->tensors[i];
}

size_t aim_checkpoint_bytes(const aim_checkpoint *c)
{
    size_t total = 0;
    for (size_t i = 0; i < c->n_maps; i++)
        total += c->maps[i].size;
    return total;
}

/* "[3, 4]" for errors. */
static const char *shape_text(char *text, size_t room, int rank, const int64_t *shape)
{
    size_t used = (size_t)snprintf(text, room, "[");
    for (int i = 0; i < rank && used < room; i++)
        used += (size_t)snprintf(text + used, room - used, "%s%" PRId64, i ? ", " : "", shape[i]);
    if (used < room)
        snprintf(text + used, room - used, "]");
    return text;
}

const aim_tensor *aim_checkpoint_require(const aim_checkpoint *c, const char *name, int64_t rows,
                                         int64_t cols, aim_error *err)
{
    const aim_tensor *t = aim_checkpoint_find(c, name);
    if (!t) {
        aim_fail(err, AIM_EFORMAT, "tensor \"%s\" is missing", name);
        return NULL;
    }
    if (t->dtype == AIM_OTHER_DTYPE) {
        aim_fail(err, AIM_EUNSUPPORTED,
                 "tensor \"%s\" has dtype %s; only F32, F16 and BF16 are read", name,
                 t->dtype_name);
        return NULL;
    }
    const int64_t want[] = {rows, cols};
    int rank = cols < 0 ? 1 : 2;
    if (t->rank != rank || memcmp(t->shape, want, (size_t)rank * sizeof want[0]) != 0) {
        char has[200], needs[64];
        aim_fail(err, AIM_EFORMAT, "tensor \"%s\" has shape %s, the configuration needs %s", name,
                 shape_text(has, sizeof has, t->rank, t->shape),
                 shape_text(needs, sizeof needs, rank, want));
        return NULL;
    }
    return t;
}
