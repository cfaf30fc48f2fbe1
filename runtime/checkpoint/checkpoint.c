/* SPDX-License-Identifier: Apache-2.0 */
#include "checkpoint/checkpoint.h"

#include "base/alloc.h"
#include "base/json.h"
#include "checkpoint/shard_index.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The forms of a checkpoint, in the order in which they are looked for. */
static const struct form {
    const char *name;
    const char *file;  /* all tensors in one */
    const char *index; /* or this, which names the shards */
    aim_tensor_file_fn *parse;
} forms[] = {
    {"safetensors", "model.safetensors", "model.safetensors.index.json", aim_safetensors_parse},
    {"torch", "pytorch_model.bin", "pytorch_model.bin.index.json", aim_torch_parse},
};

enum { N_FORMS = sizeof forms / sizeof forms[0] };

struct aim_checkpoint {
    const struct form *form;
    aim_map *maps; /* one a file */
    size_t n_maps;
    aim_tensor *tensors; /* sorted by name once open */
    size_t n_tensors, room;
};

/* What the visitor of one file needs. */
struct loading {
    aim_checkpoint *checkpoint;
    const aim__shard_index *index; /* NULL: a single file, which may hold any tensor */
    const char *file;
};

/* Every tensor must be in the file the index names: with unique keys that also
 * rules out one name in two shards. */
static int check_place(const struct loading *l, const aim_tensor *t, aim_error *err)
{
    if (!l->index)
        return AIM_OK;
    const char *place = aim__shard_index_place(l->index, t->name);
    if (!place)
        return aim_fail(err, AIM_EFORMAT, "%s: tensor \"%.200s\" is not in %s", l->file, t->name,
                        l->index->name);
    if (strcmp(place, l->file) != 0)
        return aim_fail(err, AIM_EFORMAT, "%s: tensor \"%.200s\" belongs into \"%.100s\" by %s",
                        l->file, t->name, place, l->index->name);
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
static int load_file(aim_checkpoint *c, const char *dir, const char *file, const struct form *form,
                     const aim__shard_index *index, aim_error *err)
{
    aim_map *map = &c->maps[c->n_maps];
    int code = aim_map_open(dir, file, map, err);
    if (code)
        return code;
    c->n_maps++;
    code = aim_check_content(map->data, map->size, file, err);
    struct loading l = {c, index, file};
    return code ? code : form->parse(map->data, map->size, file, add_tensor, &l, err);
}

static int load_single(aim_checkpoint *c, const char *dir, const struct form *form, aim_error *err)
{
    c->maps = aim_calloc(1, sizeof *c->maps);
    return c->maps ? load_file(c, dir, form->file, form, NULL, err) : aim_fail_nomem(err, dir);
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
static int check_all_found(aim_checkpoint *c, const aim__shard_index *index, aim_error *err)
{
    if (c->n_tensors == json_object_size(index->weight_map))
        return AIM_OK;
    sort_tensors(c);
    const char *key;
    json_t *file;
    json_object_foreach((json_t *)index->weight_map, key, file)
    {
        if (!aim_checkpoint_find(c, key))
            return aim_fail(err, AIM_EFORMAT, "%s: tensor \"%.200s\" is missing",
                            json_string_value(file), key);
    }
    return aim_fail(err, AIM_EINTERNAL, "%s: tensors do not add up", index->name);
}

static int load_shards(aim_checkpoint *c, const char *dir, const struct form *form,
                       const aim__shard_index *index, aim_error *err)
{
    c->maps = aim_calloc(index->n_files, sizeof *c->maps);
    if (!c->maps)
        return aim_fail_nomem(err, form->index);
    for (size_t i = 0; i < index->n_files; i++) {
        int code = load_file(c, dir, index->files[i], form, index, err);
        if (code)
            return code;
    }
    return check_all_found(c, index, err);
}

/* False if the folder has nothing of this form; otherwise it is loaded, or err
 * tells why not. A shard that is not there is a failure of its form. */
static bool load_form(aim_checkpoint *c, const char *dir, const struct form *form, aim_error *err)
{
    aim_error cause = {0};
    if (load_single(c, dir, form, &cause) == AIM_ENOTFOUND) {
        aim_free(c->maps);
        c->maps = NULL;
        cause = (aim_error){0};
        aim__shard_index index;
        int code = aim__shard_index_open(dir, form->index, &index, &cause);
        if (code == AIM_ENOTFOUND)
            return false;
        if (!code) {
            load_shards(c, dir, form, &index, &cause);
            aim__shard_index_close(&index);
        }
    }
    if (cause.code)
        aim_fail(err, cause.code, "%s", cause.text);
    return true;
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
    bool found = false;
    for (size_t i = 0; !found && i < N_FORMS; i++) {
        c->form = &forms[i];
        found = load_form(c, dir, c->form, &cause);
    }
    if (!found)
        aim_fail(&cause, AIM_ENOTFOUND, "%s: neither %s nor %s, nor an index of shards of either",
                 dir, forms[0].file, forms[1].file);
    if (cause.code) {
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

const char *aim_checkpoint_format(const aim_checkpoint *c)
{
    return c->form->name;
}

size_t aim_checkpoint_bytes(const aim_checkpoint *c)
{
    size_t total = 0;
    for (size_t i = 0; i < c->n_maps; i++)
        total += c->maps[i].size;
    return total;
}

void aim_checkpoint_expect(const aim_checkpoint *c, enum aim_map_use use)
{
    for (size_t i = 0; i < c->n_maps; i++)
        aim_map_expect(&c->maps[i], use);
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
