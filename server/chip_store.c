/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_store.h"

#include "analog/chip_digest.h"
#include "base/alloc.h"
#include "base/file.h"
#include "server/chip_files.h"
#include "server/chip_record.h"
#include "server/daemon.h"
#include "server/open_model.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_FILE_BYTES = 16 << 10 };

static int make_folders(aimd_daemon *d, aim_error *err)
{
    const char *dir = d->options->state_dir;
    d->chips.folder = aim_path_join(dir, "chips");
    d->chips.configured_folder = aim_path_join(dir, "configured");
    if (!d->chips.folder || !d->chips.configured_folder)
        return aim_fail_nomem(err, "state_dir");
    int rc = aimd_chip_folder_make(dir, err);
    if (rc == 0)
        rc = aimd_chip_folder_make(d->chips.folder, err);
    return rc ? rc : aimd_chip_folder_make(d->chips.configured_folder, err);
}

int aimd_chip_store_init(aimd_daemon *d, aim_error *err)
{
    d->chips.lock = -1;
    if (!d->options->state_dir)
        return 0;
    int rc = make_folders(d, err);
    if (rc)
        return rc;
    d->chips.lock = aimd_chip_folder_lock(d->options->state_dir, err);
    if (d->chips.lock < 0)
        return AIM_EINVAL;
    aimd_chip_folder_sweep(d->chips.folder);
    aimd_chip_folder_sweep(d->chips.configured_folder);
    return 0;
}

void aimd_chip_store_fini(aimd_daemon *d)
{
    if (d->chips.folder && d->chips.lock >= 0)
        close(d->chips.lock);
    aim_free(d->chips.folder);
    aim_free(d->chips.configured_folder);
}

/* ---- writing ------------------------------------------------------------- */

static int save_ranges(const char *folder, const aimd_chip_record *r, const aimd_model *m,
                       aim_error *err)
{
    if (!r->ranges[0])
        return 0;
    char *path = aimd_chip_ranges_path(folder, r->id, r->ranges);
    int rc = path ? aim_input_ranges_save(m->chip->ranges, path, err) : aim_fail_nomem(err, "chip");
    aim_free(path);
    return rc;
}

static int save_record(const char *folder, const aimd_chip_record *r, aim_error *err)
{
    aim_buf text = AIM_BUF_INIT;
    char *path = aimd_chip_record_path(folder, r->id);
    aimd_chip_record_write(r, &text);
    int rc = path && !text.failed ? aim_save_file(path, text.data, text.len, err)
                                  : aim_fail_nomem(err, "chip");
    aim_buf_free(&text);
    aim_free(path);
    return rc;
}

/* The record is what counts: what it names is there before, and goes after. */
int aimd_chip_store_save(const aimd_daemon *d, const aimd_kept_chip *chip, aim_error *err)
{
    aimd_chip_record r;
    if (!d->chips.folder)
        return 0;
    const char *folder = chip->configured ? d->chips.configured_folder : d->chips.folder;
    aimd_chip_record_make(chip, &r);
    int rc = save_ranges(folder, &r, chip->model, err);
    if (rc == 0)
        rc = save_record(folder, &r, err);
    if (rc == 0)
        aimd_chip_ranges_remove(folder, r.id, r.ranges);
    return rc;
}

int aimd_chip_store_remove(const aimd_daemon *d, const char *id, aim_error *err)
{
    if (!d->chips.folder)
        return 0;
    int rc = aimd_chip_record_remove(d->chips.folder, id, err);
    if (rc == 0)
        aimd_chip_ranges_remove(d->chips.folder, id, "");
    return rc;
}

/* ---- reading ------------------------------------------------------------- */

/* Into m's chip, if there are any; they are what the record says or an error. */
static int read_ranges(const char *folder, const char *id, const aimd_chip_record *r, aimd_model *m,
                       aim_error *err)
{
    char digest[AIM_SHA256_HEX];
    aim_error cause = {0};
    if (!r->ranges[0])
        return 0;
    char *path = aimd_chip_ranges_path(folder, id, r->ranges);
    aim_input_ranges_set *set = path ? aim_input_ranges_load(path, &cause) : NULL;
    aim_input_ranges_digest(set, digest);
    if (!set)
        aim_fail(err, AIM_EFORMAT, "%s", path ? cause.text : "out of memory");
    else if (strcmp(digest, r->ranges) != 0)
        aim_fail(err, AIM_EFORMAT, "%s: these are not the ranges of the chip", path);
    else
        m->chip->ranges = set;
    if (!m->chip->ranges)
        aim_input_ranges_free(set);
    aim_free(path);
    return m->chip->ranges ? 0 : AIM_EFORMAT;
}

/* The model as it was asked for; where the base is gone it has no folder. */
static aimd_model *make_model(aimd_daemon *d, const aimd_chip_record *r, aim_error *err)
{
    static const aimd_model_options gone = {0};
    const aimd_model_options *base = aimd_chip_base(d->options, r->base_model);
    const aimd_chip_request asked = {.name = r->id,
                                     .profile = r->profile,
                                     .backend = r->backend,
                                     .seed = (uint64_t)r->seed,
                                     .age = r->age,
                                     .conductance_bits = (int)r->conductance_bits,
                                     .out_bound = r->out_bound};
    return aimd_chip_model_new(d, base ? base : &gone, r->base_model, &asked, err);
}

/* All that a chip needs beside its options. What is wrong here is the chip's failure. */
static int prepare(aimd_stored_chip *s, const aimd_chip_record *r)
{
    aimd_model *m = s->model;
    if (!m->options.dir)
        return aim_fail(&s->error, AIM_ENOTFOUND, "the model %s is not configured", r->base_model);
    if (aimd_model_make_chip(m, &s->error) || aimd_chip_record_check(r, m, &s->error) ||
        read_ranges(m->daemon->chips.folder, s->id, r, m, &s->error))
        return (int)s->error.code;
    return aimd_model_plan(m, &s->error);
}

static int check_names(const aimd_chip_record *r, const char *id, const char *path, aim_error *err)
{
    if (strcmp(r->id, id) != 0)
        return aim_fail(err, AIM_EFORMAT, "%s: \"id\" is not the name of the file", path);
    if (strchr(r->profile, '/'))
        return aim_fail(err, AIM_EFORMAT, "%s: \"profile\" is not a name", path);
    return 0;
}

/* A record that is one; else s->error says why not. */
static void read_record(aimd_daemon *d, aimd_stored_chip *s, const char *path)
{
    aimd_chip_record r;
    json_t *file = aim_json_load(path, MAX_FILE_BYTES, &s->error);
    if (file && aimd_chip_record_read(file, path, &r, &s->error) == 0 &&
        check_names(&r, s->id, path, &s->error) == 0) {
        s->base_model = aim_strdup(r.base_model);
        s->model = make_model(d, &r, &s->error);
        if (s->model) {
            s->model->created = r.created;
            prepare(s, &r);
        }
    }
    json_decref(file);
}

/* NULL when out of memory. */
static aimd_stored_chip *read_chip(aimd_daemon *d, const char *id)
{
    aimd_stored_chip *s = aim_calloc(1, sizeof *s);
    char *path = aimd_chip_record_path(d->chips.folder, id);
    if (s && path) {
        memcpy(s->id, id, strlen(id) + 1);
        read_record(d, s, path);
        if (!s->model)
            s->model = aimd_chip_unknown_model(d, id);
    }
    aim_free(path);
    if (s && s->model)
        return s;
    aim_free(s);
    return NULL;
}

/* Behind those that are as old: files come by name. */
static void insert(aimd_stored_chip **list, aimd_stored_chip *s)
{
    while (*list && (*list)->model->created <= s->model->created)
        list = &(*list)->next;
    s->next = *list;
    *list = s;
}

aimd_stored_chip *aimd_chip_store_read(aimd_daemon *d)
{
    aimd_stored_chip *list = NULL;
    struct dirent **files = NULL;
    char id[AIMD_CHIP_NAME + 1];
    int n = d->chips.folder ? scandir(d->chips.folder, &files, NULL, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        bool chip = aimd_chip_of_file(files[i]->d_name, id);
        aimd_stored_chip *s = chip ? read_chip(d, id) : NULL;
        if (s)
            insert(&list, s);
        free(files[i]);
    }
    free(files);
    return list;
}

void aimd_stored_chips_free(aimd_stored_chip *list)
{
    for (aimd_stored_chip *next; list; list = next) {
        next = list->next;
        aimd_model_discard(list->model);
        aim_free(list->base_model);
        aim_free(list);
    }
}

/* ---- of the configuration ------------------------------------------------ */

static int take_ranges(aimd_daemon *d, aimd_chip *c, const char *path, aim_error *err)
{
    aimd_chip_record r;
    json_t *file = aim_json_load(path, MAX_FILE_BYTES, err);
    int rc = file ? aimd_chip_record_read(file, path, &r, err) : (int)err->code;
    if (rc == 0 && r.ranges[0])
        rc = aimd_chip_record_check(&r, c->model, err);
    if (rc == 0)
        rc = read_ranges(d->chips.configured_folder, c->id, &r, c->model, err);
    json_decref(file);
    return rc;
}

void aimd_chip_store_find_ranges(aimd_daemon *d, aimd_chip *c)
{
    aim_error err = {0};
    char *path = d->chips.folder ? aimd_chip_record_path(d->chips.configured_folder, c->id) : NULL;
    if (path && take_ranges(d, c, path, &err) && err.code != AIM_ENOTFOUND) {
        aim_fail(&c->error, err.code, "calibrated input ranges are not used: %s", err.text);
        aimd_log(AIMD_LOG_ERROR, "input_ranges_ignored", AIMD_STR("chip", c->id),
                 AIMD_STR("file", path), AIMD_STR("reason", err.text));
    }
    aim_free(path);
}
