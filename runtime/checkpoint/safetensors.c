/* SPDX-License-Identifier: Apache-2.0 */
/* The safetensors format: a little-endian u64 n, n bytes of JSON that describe
 * the tensors, and their data end to end. The file is a stranger's: a file is
 * accepted only if every byte of it is accounted for exactly once.
 *
 *  1. n is at most MAX_HEADER and what the file holds.
 *  2. The header is one JSON object without duplicate keys (two entries of one
 *     name could hide which data is used); spaces may follow.
 *  3. "__metadata__" maps strings to strings; every other entry has a known
 *     dtype, a shape of integers and two offsets b <= e.
 *  4. The shape, multiplied without overflow, takes exactly e - b bytes.
 *  5. In order of offsets, each tensor begins where the one before ended, the
 *     first at 0, and the last ends with the file.
 *
 * Nothing promises that data is aligned, so it is read bytewise (dtype.c). */
#include "checkpoint/checkpoint.h"

#include "base/alloc.h"
#include "base/json.h"
#include "checkpoint/dtype.h"
#include "checkpoint/little_endian.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HEADER 100000000u /* as the reference implementation */
#define MAX_DIM ((json_int_t)1 << 53)

enum { LENGTH_BYTES = 8 };

#define CUT_SHORT "was the download finished?"

/* Longest part of a name shown in an error. */
#define NAME "%.200s"

/* One header entry; begin and end are relative to the data part. */
struct entry {
    aim_tensor tensor;
    uint64_t begin, end;
};

static int bad(aim_error *err, const char *file, const char *tensor, const char *why)
{
    return aim_fail(err, AIM_EFORMAT, "%s: tensor \"" NAME "\": %s", file, tensor, why);
}

/* The header's length, by rule 1. */
static int header_length(const unsigned char *data, size_t size, const char *file, size_t *length,
                         aim_error *err)
{
    if (size < LENGTH_BYTES)
        return aim_fail(err, AIM_EFORMAT, "%s: %zu bytes are no safetensors file", file, size);
    uint64_t n = aim__load64(data);
    if (n > MAX_HEADER)
        return aim_fail(err, AIM_EFORMAT, "%s: header of %" PRIu64 " bytes, the format allows %u",
                        file, n, MAX_HEADER);
    if (n > size - LENGTH_BYTES)
        return aim_fail(err, AIM_EFORMAT,
                        "%s: header of %" PRIu64 " bytes in a file of %zu bytes: " CUT_SHORT, file,
                        n, size);
    *length = (size_t)n;
    return AIM_OK;
}

static json_t *parse_header(const char *text, size_t length, const char *file, aim_error *err)
{
    /* Entries take nine (long names) to sixteen times their text on the heap. */
    size_t budget = ((size_t)8 << 20) + 16 * length;
    json_t *header = aim_json_parse(text, length, budget, file, err);
    if (header && !json_is_object(header)) {
        aim_fail(err, AIM_EFORMAT, "%s: the header is not a JSON object", file);
        json_decref(header);
        return NULL;
    }
    return header;
}

static int check_metadata(const json_t *metadata, const char *file, aim_error *err)
{
    if (!json_is_object(metadata))
        return aim_fail(err, AIM_EFORMAT, "%s: __metadata__ is not an object", file);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value) if (!json_is_string(value)) return aim_fail(
        err, AIM_EFORMAT, "%s: __metadata__ \"" NAME "\" is not a string", file, key);
    return AIM_OK;
}

static int read_shape(const json_t *shape, aim_tensor *t, const char *file, aim_error *err)
{
    if (!json_is_array(shape))
        return bad(err, file, t->name, "\"shape\" is not an array");
    if (json_array_size(shape) > AIM_MAX_RANK)
        return bad(err, file, t->name, "more than 8 dimensions");
    t->rank = (int)json_array_size(shape);
    for (int i = 0; i < t->rank; i++) {
        const json_t *dim = json_array_get(shape, (size_t)i);
        if (!json_is_integer(dim) || json_integer_value(dim) < 0 ||
            json_integer_value(dim) > MAX_DIM)
            return bad(err, file, t->name, "a dimension is not an integer from 0 to 2^53");
        t->shape[i] = json_integer_value(dim);
    }
    return AIM_OK;
}

static int read_offsets(const json_t *offsets, struct entry *e, const char *file, aim_error *err)
{
    if (!json_is_array(offsets) || json_array_size(offsets) != 2)
        return bad(err, file, e->tensor.name, "\"data_offsets\" is not an array of two");
    const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);
    if (!json_is_integer(begin) || !json_is_integer(end) || json_integer_value(begin) < 0 ||
        json_integer_value(end) < json_integer_value(begin))
        return bad(err, file, e->tensor.name,
                   "\"data_offsets\" are not integers 0 <= begin <= end");
    e->begin = (uint64_t)json_integer_value(begin);
    e->end = (uint64_t)json_integer_value(end);
    return AIM_OK;
}

/* Elements follow each other in the order of their indices. A tensor without
 * elements keeps strides of 0: its other dimensions may be beyond all numbers. */
static void set_strides(aim_tensor *t)
{
    int64_t next = t->bytes > 0;
    for (int i = t->rank - 1; i >= 0; i--) {
        t->stride[i] = next;
        next *= t->bytes > 0 ? t->shape[i] : 0;
    }
}

/* Rule 4. */
static int check_size(struct entry *e, unsigned bits, const char *file, aim_error *err)
{
    uint64_t total = bits;
    for (int i = 0; i < e->tensor.rank; i++)
        if (__builtin_mul_overflow(total, (uint64_t)e->tensor.shape[i], &total))
            return bad(err, file, e->tensor.name, "the shape is too large");
    if (total % 8 != 0)
        return bad(err, file, e->tensor.name, "the elements do not fill whole bytes");
    if (total / 8 != e->end - e->begin)
        return aim_fail(err, AIM_EFORMAT,
                        "%s: tensor \"" NAME "\": shape and dtype take %" PRIu64
                        " bytes, the offsets %" PRIu64,
                        file, e->tensor.name, total / 8, e->end - e->begin);
    e->tensor.bytes = (size_t)(total / 8);
    set_strides(&e->tensor);
    return AIM_OK;
}

static int read_entry(const char *name, const json_t *info, struct entry *e, const char *file,
                      aim_error *err)
{
    aim_tensor *t = &e->tensor;
    t->name = (char *)name;
    if (!json_is_object(info))
        return bad(err, file, name, "not an object");
    const char *dtype = json_string_value(json_object_get(info, "dtype"));
    const aim_dtype_info *known = dtype ? aim__dtype_find(dtype) : NULL;
    if (!known)
        return aim_fail(err, AIM_EFORMAT, "%s: tensor \"" NAME "\": unknown dtype \"%.20s\"", file,
                        name, dtype ? dtype : "");
    t->dtype = known->dtype;
    snprintf(t->dtype_name, sizeof t->dtype_name, "%s", known->name);
    int code = read_shape(json_object_get(info, "shape"), t, file, err);
    if (!code)
        code = read_offsets(json_object_get(info, "data_offsets"), e, file, err);
    return code ? code : check_size(e, known->bits, file, err);
}

static int by_offsets(const void *left, const void *right)
{
    const struct entry *a = left, *b = right;
    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Rule 5. Sorts the entries and points each at its data. */
static int lay_out(struct entry *entries, size_t n, const unsigned char *data, size_t size,
                   const char *file, aim_error *err)
{
    qsort(entries, n, sizeof *entries, by_offsets);
    uint64_t expected = 0;
    for (size_t i = 0; i < n; i++) {
        struct entry *e = &entries[i];
        if (e->begin != expected)
            return aim_fail(err, AIM_EFORMAT,
                            "%s: tensor \"" NAME "\" begins at byte %" PRIu64
                            " of the data, the one before ends at %" PRIu64,
                            file, e->tensor.name, e->begin, expected);
        if (e->end > size)
            return aim_fail(err, AIM_EFORMAT,
                            "%s: tensor \"" NAME "\" ends at byte %" PRIu64
                            " of the data, the file has %zu: " CUT_SHORT,
                            file, e->tensor.name, e->end, size);
        e->tensor.data = data + e->begin;
        expected = e->end;
    }
    if (expected != size)
        return aim_fail(err, AIM_EFORMAT, "%s: %" PRIu64 " bytes behind the last tensor", file,
                        (uint64_t)size - expected);
    return AIM_OK;
}

/* Fill entries (room for every key of header); *n is how many are tensors. */
static int read_entries(json_t *header, struct entry *entries, size_t *n, const char *file,
                        aim_error *err)
{
    const char *key;
    json_t *value;
    *n = 0;
    json_object_foreach(header, key, value)
    {
        int code = strcmp(key, "__metadata__") == 0
                       ? check_metadata(value, file, err)
                       : read_entry(key, value, &entries[(*n)++], file, err);
        if (code)
            return code;
    }
    return AIM_OK;
}

int aim_safetensors_parse(const unsigned char *data, size_t size, const char *name,
                          aim_tensor_fn *visit, void *arg, aim_error *err)
{
    size_t length = 0, n = 0;
    int code = header_length(data, size, name, &length, err);
    if (code)
        return code;
    aim_error cause = {0};
    json_t *header = parse_header((const char *)data + LENGTH_BYTES, length, name, &cause);
    if (!header)
        return aim_fail(err, cause.code, "%s", cause.text);
    struct entry *entries = aim_calloc(json_object_size(header), sizeof *entries);
    code = entries ? read_entries(header, entries, &n, name, err) : aim_fail_nomem(err, name);
    size_t before = LENGTH_BYTES + length;
    if (!code)
        code = lay_out(entries, n, data + before, size - before, name, err);
    for (size_t i = 0; !code && visit && i < n; i++)
        code = visit(arg, &entries[i].tensor, err);
    aim_free(entries);
    json_decref(header);
    return code;
}
