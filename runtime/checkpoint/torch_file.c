/* SPDX-License-Identifier: Apache-2.0 */
/* What torch.save writes: a zip archive with a pickle, `<root>/data.pkl`, and the
 * bytes of each storage, `<root>/data/<key>`. The file is a stranger's:
 *
 *  1. It keeps the rules of zip_archive.c; every member lies below one root, in
 *     which there is a data.pkl, and byteorder, if there, says "little".
 *  2. data.pkl has the checksum the archive tells and keeps those of pickle.c.
 *     (Checksums of storages would mean to read all weights twice: not checked.)
 *  3. It holds a dict whose keys are names, none twice, and whose values are
 *     tensors: torch._utils._rebuild_tensor_v2(storage, offset, size, stride, ...),
 *     or a Parameter made of that.
 *  4. A storage is ("storage", type, key, location, elements): the member data/key
 *     exists and has exactly that many elements.
 *  5. Each element of a tensor lies in its storage, and no stride makes more
 *     elements than the storage has. Tensors may share bytes (tied weights). */
#include "checkpoint/checkpoint.h"

#include "base/alloc.h"
#include "checkpoint/dtype.h"
#include "checkpoint/pickle.h"
#include "checkpoint/plain_text.h"
#include "checkpoint/zip_archive.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PICKLE "data.pkl"

enum {
    MAX_PICKLE = 64 << 20, /* about a hundred thousand tensors */
    MAX_NAME = 1000,
    MAX_KEY = 20, /* digits of a storage's key */
};

/* One file; the members' names are relative to the root once it is known. */
struct archive {
    const char *file;
    aim__zip zip;
    aim__pickle pickle;
    aim_error *err;
};

/* A storage as its persistent id describes it. */
struct storage {
    const aim_dtype_info *dtype;
    const unsigned char *data;
    uint64_t elements;
};

/* ---- the kind of file ----------------------------------------------------- */

/* Older torch wrote bare pickles, and before that tar files. */
static int check_kind(const struct archive *a, const unsigned char *data, size_t size)
{
    const char *kind = NULL;
    if (size >= 4 && memcmp(data, "PK\3\4", 4) == 0)
        return AIM_OK;
    if (size >= 2 && data[0] == 0x80 && data[1] <= 5)
        kind = "a bare pickle";
    else if (size >= 262 && memcmp(data + 257, "ustar", 5) == 0)
        kind = "a tar file";
    if (kind)
        return aim_fail(a->err, AIM_EUNSUPPORTED,
                        "%s: %s, which old versions of torch wrote, is not read: convert the "
                        "checkpoint to safetensors",
                        a->file, kind);
    return aim_fail(a->err, AIM_EFORMAT, "%s: not a zip archive, as torch.save writes it", a->file);
}

/* ---- rule 1: the members -------------------------------------------------- */

/* The length of the root in front of "/data.pkl", 0 if m is another member. */
static size_t root_of(const aim__zip_member *m)
{
    const char *slash = memchr(m->name, '/', m->name_len);
    size_t root = slash ? (size_t)(slash - m->name) : 0;
    if (root == 0 || m->name_len - root != strlen("/" PICKLE) ||
        memcmp(slash, "/" PICKLE, m->name_len - root) != 0)
        return 0;
    return root;
}

static int find_root(const struct archive *a, const char **root, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < a->zip.n_members; i++) {
        size_t n = root_of(&a->zip.members[i]);
        if (n && *len)
            return aim_fail(a->err, AIM_EFORMAT, "%s: more than one " PICKLE, a->file);
        if (n) {
            *root = a->zip.members[i].name;
            *len = n;
        }
    }
    if (*len == 0)
        return aim_fail(a->err, AIM_EFORMAT, "%s: a zip archive without " PICKLE, a->file);
    return AIM_OK;
}

/* Make the names relative to the root, which all share; their order stays. */
static int strip_root(struct archive *a)
{
    const char *root = NULL;
    size_t len;
    int code = find_root(a, &root, &len);
    for (size_t i = 0; !code && i < a->zip.n_members; i++) {
        aim__zip_member *m = &a->zip.members[i];
        if (m->name_len <= len || memcmp(m->name, root, len) != 0 || m->name[len] != '/')
            return aim_fail(a->err, AIM_EFORMAT, "%s: member \"%.*s\" lies outside of the folder",
                            a->file, m->name_len < 200 ? (int)m->name_len : 200, m->name);
        m->name += len + 1;
        m->name_len -= len + 1;
    }
    return code;
}

static int check_byteorder(const struct archive *a)
{
    const aim__zip_member *m = aim__zip_find(&a->zip, "byteorder");
    if (m && (m->size != strlen("little") || memcmp(m->data, "little", m->size) != 0))
        return aim_fail(a->err, AIM_EUNSUPPORTED,
                        "%s: written on a machine of another byte order; convert the checkpoint "
                        "to safetensors there",
                        a->file);
    return AIM_OK;
}

/* ---- rule 2: the pickle --------------------------------------------------- */

static int decode_pickle(struct archive *a)
{
    const aim__zip_member *m = aim__zip_find(&a->zip, PICKLE);
    if (m->size > MAX_PICKLE)
        return aim_fail(a->err, AIM_ETOOLARGE, "%s: " PICKLE " has %zu bytes, at most %d are read",
                        a->file, m->size, MAX_PICKLE);
    if (!aim__zip_member_is_intact(m))
        return aim_fail(a->err, AIM_EFORMAT, "%s: the checksum of " PICKLE " is wrong", a->file);
    return aim__pickle_decode(m->data, m->size, a->file, &a->pickle, a->err);
}

/* ---- rules 4 and 5: one tensor -------------------------------------------- */

static int __attribute__((format(printf, 3, 4)))
bad(const struct archive *a, const aim_tensor *t, const char *fmt, ...)
{
    char why[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, sizeof why, fmt, ap);
    va_end(ap);
    aim_fail(a->err, AIM_EFORMAT, "%s: tensor \"%.200s\": %s", a->file, t->name, why);
    return AIM_EFORMAT;
}

static bool is_string(const aim__value *v, const char *text)
{
    return v->kind == AIM__STRING && v->count == strlen(text) &&
           memcmp(v->text, text, v->count) == 0;
}

static bool is_key(const aim__value *v)
{
    if (v->kind != AIM__STRING || v->count == 0 || v->count > MAX_KEY)
        return false;
    for (size_t i = 0; i < v->count; i++)
        if (v->text[i] < '0' || v->text[i] > '9')
            return false;
    return true;
}

static int read_storage(const struct archive *a, const aim__value *v, struct storage *s,
                        const aim_tensor *t)
{
    const aim__value *id =
        v->kind == AIM__PERSISTENT && v->count == 5 ? aim__pickle_items(&a->pickle, v) : NULL;
    if (!id || !is_string(&id[0], "storage") || id[1].kind != AIM__GLOBAL ||
        id[1].global->kind != AIM__STORAGE || id[3].kind != AIM__STRING ||
        id[4].kind != AIM__INTEGER || id[4].integer < 0)
        return bad(a, t, "its storage is not (\"storage\", type, key, location, elements)");
    if (!is_key(&id[2]))
        return bad(a, t, "the key of its storage is not a number");
    char name[sizeof "data/" + MAX_KEY];
    snprintf(name, sizeof name, "data/%.*s", (int)id[2].count, id[2].text);
    const aim__zip_member *m = aim__zip_find(&a->zip, name);
    if (!m)
        return bad(a, t, "its storage %s is missing", name);
    s->dtype = aim__dtype_find(id[1].global->dtype);
    s->data = m->data;
    s->elements = (uint64_t)id[4].integer;
    size_t width = s->dtype->bits / 8;
    if (m->size % width != 0 || m->size / width != s->elements)
        return bad(a, t, "its storage %s has %zu bytes, not %" PRIu64 " elements of %s", name,
                   m->size, s->elements, s->dtype->name);
    return AIM_OK;
}

/* The tuple behind a torch.Size, or v itself. */
static const aim__value *plain_size(const struct archive *a, const aim__value *v)
{
    bool size = v->kind == AIM__CALL && v->callee == AIM__SIZE && v->count == 1;
    return size ? aim__pickle_items(&a->pickle, v) : v;
}

static int read_dims(const struct archive *a, const aim__value *v, int64_t *out,
                     const aim_tensor *t)
{
    for (uint32_t i = 0; i < v->count; i++) {
        const aim__value *n = &aim__pickle_items(&a->pickle, v)[i];
        if (n->kind != AIM__INTEGER || n->integer < 0)
            return bad(a, t, "sizes and strides must be integers of 0 or more");
        out[i] = n->integer;
    }
    return AIM_OK;
}

static int read_layout(const struct archive *a, const aim__value *size, const aim__value *stride,
                       aim_tensor *t)
{
    size = plain_size(a, size);
    if (size->kind != AIM__TUPLE || stride->kind != AIM__TUPLE || size->count != stride->count)
        return bad(a, t, "its sizes and strides are not two tuples of one length");
    if (size->count > AIM_MAX_RANK)
        return bad(a, t, "more than %d dimensions", AIM_MAX_RANK);
    t->rank = (int)size->count;
    int code = read_dims(a, size, t->shape, t);
    return code ? code : read_dims(a, stride, t->stride, t);
}

/* Elements of the tensor, and the offset of the last one from the first; false if
 * either is beyond all numbers. */
static bool measure(const aim_tensor *t, uint64_t *elements, uint64_t *last)
{
    *elements = 1;
    *last = 0;
    for (int i = 0; i < t->rank; i++) {
        uint64_t n = (uint64_t)t->shape[i], reach;
        if (__builtin_mul_overflow(*elements, n, elements))
            return false;
        if (n > 0 && (__builtin_mul_overflow(n - 1, (uint64_t)t->stride[i], &reach) ||
                      __builtin_add_overflow(*last, reach, last)))
            return false;
    }
    return true;
}

static int place(const struct archive *a, const struct storage *s, const aim__value *offset,
                 aim_tensor *t)
{
    uint64_t elements, last;
    if (offset->kind != AIM__INTEGER || offset->integer < 0)
        return bad(a, t, "its offset is not an integer of 0 or more");
    uint64_t begin = (uint64_t)offset->integer;
    if (begin > s->elements || !measure(t, &elements, &last) ||
        (elements > 0 && last >= s->elements - begin))
        return bad(a, t, "it reaches beyond its storage of %" PRIu64 " elements", s->elements);
    if (elements > s->elements)
        return bad(a, t, "it repeats elements of its storage");
    size_t width = s->dtype->bits / 8;
    t->data = s->data + begin * width;
    t->bytes = elements * width;
    t->dtype = s->dtype->dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", s->dtype->name);
    return AIM_OK;
}

/* The arguments of a call to callee with exactly count of them, the last one the
 * hooks that nobody uses; NULL if v is no such call. */
static const aim__value *arguments_of(const struct archive *a, const aim__value *v,
                                      enum aim__global_kind callee, uint32_t count)
{
    if (v->kind != AIM__CALL || v->callee != callee || v->count != count)
        return NULL;
    const aim__value *arguments = aim__pickle_items(&a->pickle, v);
    const aim__value *trained = &arguments[count - 2], *hooks = &arguments[count - 1];
    if (trained->kind != AIM__BOOL || hooks->kind != AIM__DICT || !hooks->ordered)
        return NULL;
    return arguments;
}

static int read_tensor(const struct archive *a, const aim__value *v, aim_tensor *t)
{
    const aim__value *parameter = arguments_of(a, v, AIM__REBUILD_PARAMETER, 3);
    const aim__value *made_of =
        arguments_of(a, parameter ? &parameter[0] : v, AIM__REBUILD_TENSOR, 6);
    if (!made_of)
        return bad(a, t,
                   v->kind == AIM__CALL ? "it is rebuilt from wrong arguments"
                                        : "the value is not a tensor");
    struct storage s = {0};
    int code = read_storage(a, &made_of[0], &s, t);
    if (!code)
        code = read_layout(a, &made_of[2], &made_of[3], t);
    return code ? code : place(a, &s, &made_of[1], t);
}

/* ---- rule 3: the state dict ----------------------------------------------- */

static int by_key(const void *left, const void *right)
{
    const aim__value *a = &(*(const aim__dict_entry *const *)left)->key;
    const aim__value *b = &(*(const aim__dict_entry *const *)right)->key;
    int order = memcmp(a->text, b->text, a->count < b->count ? a->count : b->count);
    return order ? order : (a->count > b->count) - (a->count < b->count);
}

static int check_entry(const struct archive *a, const aim__dict_entry *e)
{
    const aim__value *key = &e->key;
    if (key->kind != AIM__STRING || key->count > MAX_NAME ||
        !aim__is_plain_text(key->text, key->count))
        return aim_fail(a->err, AIM_EFORMAT,
                        "%s: a key of the state dict is not a name of 1 to %d printable ASCII "
                        "characters",
                        a->file, MAX_NAME);
    if (e->value.kind == AIM__DICT)
        return aim_fail(a->err, AIM_EUNSUPPORTED,
                        "%s: \"%.*s\" is a dictionary, so the file wraps its state dict; save the "
                        "state dict itself, best as safetensors",
                        a->file, key->count < 200 ? (int)key->count : 200, key->text);
    return AIM_OK;
}

/* The entries of the root, sorted by name, into list (room for all). */
static int list_entries(const struct archive *a, const aim__dict_entry **list, size_t *n)
{
    const aim__pickle *p = &a->pickle;
    *n = 0;
    for (size_t i = 0; i < p->n_entries; i++) {
        if (p->entries[i].dict != p->root.index)
            continue;
        int code = check_entry(a, &p->entries[i]);
        if (code)
            return code;
        list[(*n)++] = &p->entries[i];
    }
    qsort(list, *n, sizeof *list, by_key);
    for (size_t i = 1; i < *n; i++)
        if (by_key(&list[i - 1], &list[i]) == 0)
            return aim_fail(a->err, AIM_EFORMAT, "%s: tensor \"%.*s\" is there twice", a->file,
                            (int)list[i]->key.count, list[i]->key.text);
    return AIM_OK;
}

static int visit_entry(const struct archive *a, const aim__dict_entry *e, aim_tensor_fn *visit,
                       void *arg)
{
    char name[MAX_NAME + 1];
    snprintf(name, sizeof name, "%.*s", (int)e->key.count, e->key.text);
    aim_tensor t = {.name = name};
    int code = read_tensor(a, &e->value, &t);
    return code || !visit ? code : visit(arg, &t, a->err);
}

static int read_state_dict(const struct archive *a, aim_tensor_fn *visit, void *arg)
{
    if (a->pickle.root.kind != AIM__DICT)
        return aim_fail(a->err, AIM_EFORMAT, "%s: holds no dictionary of tensors", a->file);
    const aim__dict_entry **list = aim_calloc(a->pickle.n_entries, sizeof *list);
    if (!list)
        return aim_fail_nomem(a->err, a->file);
    size_t n;
    int code = list_entries(a, list, &n);
    for (size_t i = 0; !code && i < n; i++)
        code = visit_entry(a, list[i], visit, arg);
    aim_free(list);
    return code;
}

/* ---- public --------------------------------------------------------------- */

int aim_torch_parse(const unsigned char *data, size_t size, const char *name, aim_tensor_fn *visit,
                    void *arg, aim_error *err)
{
    struct archive a = {.file = name, .err = err};
    int code = check_kind(&a, data, size);
    if (!code)
        code = aim__zip_open(data, size, name, &a.zip, err);
    if (code)
        return code;
    code = strip_root(&a);
    if (!code)
        code = check_byteorder(&a);
    if (!code)
        code = decode_pickle(&a);
    if (!code)
        code = read_state_dict(&a, visit, arg);
    aim__pickle_fini(&a.pickle);
    aim__zip_close(&a.zip);
    return code;
}
