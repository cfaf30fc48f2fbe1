/* SPDX-License-Identifier: Apache-2.0 */
#include "server/chip_store.h"

#include "base/alloc.h"
#include "base/decimal.h"
#include "base/file.h"
#include "base/json.h"
#include "server/daemon.h"
#include "server/json_out.h"
#include "server/open_model.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { VERSION = 1, MAX_FILE_BYTES = 16 << 10 };

static const char chip_suffix[] = ".json", ranges_suffix[] = ".ranges.json";

/* FOLDER/NAMEsuffix (aim_free); NULL when out of memory. */
static char *path_of(const aimd_daemon *d, const char *id, const char *suffix)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_printf(&b, "%s/%s%s", d->chips.folder, id, suffix);
    char *path = aim_buf_steal(&b, NULL);
    aim_buf_free(&b);
    return path;
}

static void log_unread(const char *path, const aim_error *err)
{
    aimd_log(AIMD_LOG_ERROR, "chip_file_ignored", AIMD_STR("file", path),
             AIMD_STR("reason", err->text));
}

/* ---- the folder ---------------------------------------------------------- */

static int make_folder(const char *path, aim_error *err)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return aim_fail(err, AIM_EINVAL, "state_dir: %s: %s", path, strerror(errno));
}

int aimd_chip_store_init(aimd_daemon *d, aim_error *err)
{
    const char *dir = d->options->state_dir;
    if (!dir)
        return 0;
    d->chips.folder = aim_path_join(dir, "chips");
    if (!d->chips.folder)
        return aim_fail_nomem(err, "state_dir");
    int rc = make_folder(dir, err);
    if (rc == 0)
        rc = make_folder(d->chips.folder, err);
    if (rc == 0 && access(d->chips.folder, R_OK | W_OK | X_OK))
        rc = aim_fail(err, AIM_EINVAL, "state_dir: %s: %s", d->chips.folder, strerror(errno));
    return rc;
}

/* ---- writing ------------------------------------------------------------- */

static void put_text(aim_buf *out, const char *key, const char *value)
{
    aim_buf_printf(out, "  \"%s\": ", key);
    aimd_json_cstring(out, value);
    aim_buf_puts(out, ",\n");
}

static void write_record(aim_buf *out, const aimd_chip_record *r)
{
    const aim_chip *c = r->model->chip;
    aim_buf_printf(out, "{\n  \"version\": %d,\n", VERSION);
    put_text(out, "id", r->id);
    put_text(out, "base_model", r->base_model);
    put_text(out, "backend", r->model->options.backend);
    put_text(out, "profile", r->model->options.profile);
    put_text(out, "profile_sha256", r->model->profile_digest);
    aim_buf_printf(out, "  \"seed\": %llu,\n  \"age\": %.17g,\n", (unsigned long long)c->seed,
                   c->age);
    aim_buf_printf(out, "  \"conductance_bits\": %d,\n  \"out_bound\": %.17g,\n",
                   r->model->options.conductance_bits, r->model->options.out_bound);
    aim_buf_printf(out, "  \"calibrated\": %s,\n  \"created\": %lld\n}\n",
                   c->ranges ? "true" : "false", (long long)r->created);
}

static int save_ranges(const aimd_daemon *d, const aimd_chip_record *r, aim_error *err)
{
    char *path = path_of(d, r->id, ranges_suffix);
    int rc = path ? aim_input_ranges_save(r->model->chip->ranges, path, err)
                  : aim_fail_nomem(err, "chip");
    aim_free(path);
    return rc;
}

static int save_record(const aimd_daemon *d, const aimd_chip_record *r, aim_error *err)
{
    aim_buf text = AIM_BUF_INIT;
    char *path = path_of(d, r->id, chip_suffix);
    write_record(&text, r);
    int rc = path && !text.failed ? aim_save_file(path, text.data, text.len, err)
                                  : aim_fail_nomem(err, "chip");
    aim_buf_free(&text);
    aim_free(path);
    return rc;
}

static int remove_file(const char *path, aim_error *err)
{
    if (!path)
        return aim_fail_nomem(err, "chip");
    if (unlink(path) == 0 || errno == ENOENT)
        return 0;
    return aim_fail(err, AIM_EIO, "%s: %s", path, strerror(errno));
}

/* What was removed stays away over a loss of power. Some file systems cannot do that for
 * folders. */
static void flush_folder(const aimd_daemon *d)
{
    int fd = open(d->chips.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)!fsync(fd);
    close(fd);
}

static int remove_ranges(const aimd_daemon *d, const char *id, aim_error *err)
{
    char *path = path_of(d, id, ranges_suffix);
    int rc = remove_file(path, err);
    flush_folder(d);
    aim_free(path);
    return rc;
}

/* A chip that says it is calibrated has its ranges: they come first and go last. */
int aimd_chip_store_save(const aimd_daemon *d, const aimd_chip_record *r, bool configured,
                         aim_error *err)
{
    bool calibrated = r->model->chip->ranges;
    if (!d->chips.folder)
        return 0;
    int rc = calibrated ? save_ranges(d, r, err) : 0;
    if (rc == 0 && !configured)
        rc = save_record(d, r, err);
    return rc || calibrated ? rc : remove_ranges(d, r->id, err);
}

/* The chip's own file first: without it the ranges belong to nothing. */
int aimd_chip_store_remove(const aimd_daemon *d, const char *id, aim_error *err)
{
    if (!d->chips.folder)
        return 0;
    char *chip = path_of(d, id, chip_suffix), *ranges = path_of(d, id, ranges_suffix);
    int rc = remove_file(chip, err);
    if (rc == 0)
        rc = remove_file(ranges, err);
    if (rc == 0)
        flush_folder(d);
    aim_free(chip);
    aim_free(ranges);
    return rc;
}

/* ---- reading ------------------------------------------------------------- */

/* The fields of a file, as they stand there; texts are the document's. */
typedef struct fields {
    const char *id, *base_model, *backend, *profile, *digest;
    int64_t version, seed, bits, created;
    double age, out_bound;
    bool calibrated;
} fields;

static int read_fields(const json_t *file, const char *path, fields *f, aim_error *err)
{
    int rc = aim_json_int(file, "version", VERSION, VERSION, true, path, &f->version, err);
    if (rc || aim_json_string(file, "id", true, path, &f->id, err) ||
        aim_json_string(file, "base_model", true, path, &f->base_model, err) ||
        aim_json_string(file, "backend", true, path, &f->backend, err) ||
        aim_json_string(file, "profile", true, path, &f->profile, err) ||
        aim_json_string(file, "profile_sha256", true, path, &f->digest, err) ||
        aim_json_int(file, "seed", 0, AIMD_MAX_CHIP_SEED, true, path, &f->seed, err) ||
        aim_json_number(file, "age", 0, AIM_MAX_AGE, true, path, &f->age, err) ||
        aim_json_int(file, "conductance_bits", 0, 16, true, path, &f->bits, err) ||
        aim_json_number(file, "out_bound", 0, AIMD_MAX_OUT_BOUND, true, path, &f->out_bound, err) ||
        aim_json_bool(file, "calibrated", true, path, &f->calibrated, err))
        return AIM_EFORMAT;
    return aim_json_int(file, "created", 0, INT64_MAX, true, path, &f->created, err);
}

static int check_fields(const fields *f, const char *id, const char *path, aim_error *err)
{
    if (strcmp(f->id, id) != 0)
        return aim_fail(err, AIM_EFORMAT, "%s: \"id\" is not the name of the file", path);
    if (!aimd_is_analog(f->backend))
        return aim_fail(err, AIM_EFORMAT, "%s: \"backend\" is not one of a chip", path);
    if (strchr(f->profile, '/'))
        return aim_fail(err, AIM_EFORMAT, "%s: \"profile\" is not a name", path);
    return 0;
}

/* The model as it was asked for; where the base is gone it has no folder. */
static aimd_model *make_model(aimd_daemon *d, const fields *f, aim_error *err)
{
    static const aimd_model_options gone = {0};
    const aimd_model_options *base = aimd_chip_base(d->options, f->base_model);
    const aimd_chip_request asked = {.name = f->id,
                                     .profile = f->profile,
                                     .backend = f->backend,
                                     .seed = (uint64_t)f->seed,
                                     .age = f->age,
                                     .conductance_bits = (int)f->bits,
                                     .out_bound = f->out_bound};
    return aimd_chip_model_new(d, base ? base : &gone, f->base_model, &asked, err);
}

/* All that a chip needs beside its options. What is wrong here is the chip's failure. */
static int prepare(aimd_stored_chip *s, const fields *f)
{
    aimd_model *m = s->model;
    aimd_daemon *d = m->daemon;
    if (!m->options.dir)
        return aim_fail(&s->error, AIM_ENOTFOUND, "the model %s is not configured", f->base_model);
    if (aimd_model_make_chip(m, &s->error))
        return (int)s->error.code;
    if (strcmp(m->profile_digest, f->digest) != 0)
        return aim_fail(
            &s->error, AIM_EFORMAT,
            "the profile %s has changed since the chip was programmed: delete the chip, "
            "or bring the old profile back",
            f->profile);
    if (f->calibrated) {
        char *path = path_of(d, s->id, ranges_suffix);
        m->chip->ranges = path ? aim_input_ranges_load(path, &s->error) : NULL;
        aim_free(path);
        if (!m->chip->ranges)
            return aim_fail_nomem(&s->error, "input ranges");
    }
    return aimd_model_plan(m, &s->error);
}

/* NULL with an error if the file is no chip. */
static aimd_stored_chip *read_chip(aimd_daemon *d, const char *id, const char *path, aim_error *err)
{
    fields f;
    aimd_stored_chip *s = aim_calloc(1, sizeof *s);
    json_t *file = s ? aim_json_load(path, MAX_FILE_BYTES, err) : NULL;
    if (!s)
        aim_fail_nomem(err, "chip");
    if (file && read_fields(file, path, &f, err) == 0 && check_fields(&f, id, path, err) == 0) {
        memcpy(s->id, id, strlen(id) + 1);
        s->base_model = aim_strdup(f.base_model);
        s->model = make_model(d, &f, err);
    }
    if (s && s->base_model && s->model) {
        s->model->created = f.created;
        prepare(s, &f);
        json_decref(file);
        return s;
    }
    json_decref(file);
    aimd_stored_chips_free(s);
    return NULL;
}

/* NAME of NAME.json into id; false for other files. */
static bool chip_name(const char *file, char id[AIMD_CHIP_NAME + 1])
{
    size_t len = strlen(file), suffix = sizeof chip_suffix - 1;
    if (len <= suffix || len - suffix > AIMD_CHIP_NAME ||
        strcmp(file + len - suffix, chip_suffix) != 0)
        return false;
    memcpy(id, file, len - suffix);
    id[len - suffix] = '\0';
    return aimd_is_chip_name(id);
}

aimd_stored_chip *aimd_chip_store_read(aimd_daemon *d)
{
    aimd_stored_chip *list = NULL, **end = &list;
    struct dirent **files = NULL;
    char id[AIMD_CHIP_NAME + 1];
    int n = d->chips.folder ? scandir(d->chips.folder, &files, NULL, alphasort) : 0;
    for (int i = 0; i < n; i++) {
        aim_error err = {0};
        char *path = chip_name(files[i]->d_name, id) ? path_of(d, id, chip_suffix) : NULL;
        aimd_stored_chip *s = path ? read_chip(d, id, path, &err) : NULL;
        if (s)
            end = &(*end = s)->next;
        else if (path)
            log_unread(path, &err);
        aim_free(path);
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

void aimd_chip_store_find_ranges(aimd_daemon *d, aimd_chip *c)
{
    aim_error err = {0};
    char *path = d->chips.folder ? path_of(d, c->id, ranges_suffix) : NULL;
    if (!path)
        return;
    c->model->chip->ranges = aim_input_ranges_load(path, &err);
    if (!c->model->chip->ranges && err.code != AIM_ENOTFOUND)
        log_unread(path, &err);
    aim_free(path);
}
