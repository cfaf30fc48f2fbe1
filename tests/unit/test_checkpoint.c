/* SPDX-License-Identifier: Apache-2.0 */
/* Checkpoint files: each rule of the safetensors format, single and sharded
 * folders, and conversion to float32. */
#include "base/alloc.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- building files ------------------------------------------------------ */

/* A safetensors file in a block of exactly its size, so that a sanitizer sees
 * any read behind it. claimed is the header length written in front. */
static unsigned char *build(uint64_t claimed, const char *header, size_t data_bytes, size_t *size)
{
    size_t n = strlen(header);
    *size = 8 + n + data_bytes;
    unsigned char *file = malloc(*size);
    ck_assert_ptr_nonnull(file);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(claimed >> 8 * i);
    memcpy(file + 8, header, n);
    for (size_t i = 0; i < data_bytes; i++)
        file[8 + n + i] = (unsigned char)(i * 37 + 1);
    return file;
}

static int parse(const char *header, size_t data_bytes, aim_error *err)
{
    size_t size;
    unsigned char *file = build(strlen(header), header, data_bytes, &size);
    int code = aim_safetensors_parse(file, size, "f", NULL, NULL, err);
    free(file);
    return code;
}

/* ---- the header's rules --------------------------------------------------- */

#define F32_1 "{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}"

static const struct header_case {
    const char *header;
    size_t data;
    const char *error; /* part of the text; NULL: accepted */
} header_cases[] = {
    {"{}", 0, NULL},
    {"{}      ", 0, NULL},
    {"{\"a\":" F32_1 "}", 4, NULL},
    {"{\"a\":" F32_1 "}", 5, "1 bytes behind the last tensor"},
    {"{\"a\":" F32_1 "}", 3, "ends at byte 4 of the data, the file has 3"},
    {"{\"a\":" F32_1 "}", 0, "ends at byte 4"},
    {"{}", 1, "1 bytes behind"},
    {"", 0, "line 1"},
    {"{", 0, "line 1"},
    {"[]", 0, "not a JSON object"},
    {"3", 0, "expected"},
    {"{}x", 0, "line 1"},
    {"{\"a\xff\":" F32_1 "}", 4, "unable to decode"},
    {"{\"a\":" F32_1 ",\"a\":" F32_1 "}", 4, "duplicate"},
    /* metadata */
    {"{\"__metadata__\":{\"format\":\"pt\"}}", 0, NULL},
    {"{\"__metadata__\":{}}", 0, NULL},
    {"{\"__metadata__\":{\"format\":1}}", 0, "__metadata__ \"format\" is not a string"},
    {"{\"__metadata__\":[]}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":null}", 0, "__metadata__ is not an object"},
    {"{\"__metadata__\":{\"a\":{\"b\":\"c\"}}}", 0, "is not a string"},
    /* one entry */
    {"{\"a\":[]}", 0, "tensor \"a\": not an object"},
    {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype \"\""},
    {"{\"a\":{\"dtype\":\"F31\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
     "unknown dtype \"F31\""},
    {"{\"a\":{\"dtype\":32,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "unknown dtype"},
    {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, "\"shape\" is not an array"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":1,\"data_offsets\":[0,4]}}", 4,
     "\"shape\" is not an array"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, "\"data_offsets\" is not an array of two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "not an array of two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4,
     "not an array of two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":{}}}", 4, "not an array of two"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
     "more than 8"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "take 8 bytes"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0,
     "too large"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2147483648,2147483648,4],\"data_offsets\":[0,0]}}", 0,
     "too large"},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]}}", 0, NULL},
    {"{\"a\":{\"dtype\":\"F32\",\"shape\":[9007199254740993,0],\"data_offsets\":[0,0]}}", 0,
     "from 0 to 2^53"},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[2],\"data_offsets\":[0,1]}}", 1, NULL},
    {"{\"a\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,1]}}", 1, "whole bytes"},
    {"{\"a\":{\"dtype\":\"F6_E3M2\",\"shape\":[4],\"data_offsets\":[0,3]}}", 3, NULL},
    {"{\"a\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]}}", 8, NULL},
    /* several entries */
    {"{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[4,6]},\"a\":" F32_1 "}", 6, NULL},
    {"{\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]},\"a\":" F32_1 "}", 4, NULL},
    {"{\"a\":" F32_1 ",\"b\":" F32_1 "}", 4,
     "begins at byte 0 of the data, the one before ends at 4"},
    {"{\"a\":" F32_1 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[3,5]}}", 5,
     "begins at byte 3"},
    {"{\"a\":" F32_1 ",\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[5,7]}}", 7,
     "begins at byte 5"},
    {"{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[1,3]}}", 3,
     "begins at byte 1 of the data, the one before ends at 0"},
    {"{\"a\":" F32_1 ",\"z\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[2,2]}}", 4,
     "begins at byte 2"},
};

START_TEST(header_rule)
{
    const struct header_case *c = &header_cases[_i];
    aim_error err = {0};
    int code = parse(c->header, c->data, &err);
    ck_assert_int_eq(code, err.code);
    if (c->error) {
        ck_assert_msg(code == AIM_EFORMAT, "accepted: %s", c->header);
        ck_assert_msg(strstr(err.text, c->error), "%s: wanted \"%s\"", err.text, c->error);
    } else {
        ck_assert_msg(code == AIM_OK, "%s: %s", c->header, err.text);
    }
}
END_TEST

/* The integers of an entry, each replaced by hostile ones: none of them
 * describes this file. */
START_TEST(hostile_integers)
{
    static const char *const right[] = {"2", "3", "0", "24"}; /* dims, offsets */
    static const char *const values[] = {
        "0",
        "-1",
        "-24",
        "1000000000000000000",
        "9007199254740993",
        "9223372036854775807",
        "1.5",
        "24.0",
        "2e0",
        "9223372036854775808",
        "18446744073709551616",
        "\"1\"",
        "null",
        "true",
        "[24]",
        "-9223372036854775808",
        "1e999",
    };
    for (size_t at = 0; at < COUNT(right); at++)
        for (size_t v = 0; v < COUNT(values); v++) {
            const char *n[] = {right[0], right[1], right[2], right[3]};
            n[at] = values[v];
            if (strcmp(values[v], right[at]) == 0)
                continue;
            char header[200];
            snprintf(header, sizeof header,
                     "{\"a\":{\"dtype\":\"F32\",\"shape\":[%s,%s],\"data_offsets\":[%s,%s]}}", n[0],
                     n[1], n[2], n[3]);
            aim_error err = {0};
            ck_assert_msg(parse(header, 24, &err) == AIM_EFORMAT, "accepted: %s", header);
            ck_assert_str_ne(err.text, "");
        }
}
END_TEST

START_TEST(every_truncation_fails)
{
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},\"a.weight\":{\"dtype\":\"F32\","
                         "\"shape\":[2,3],\"data_offsets\":[0,24]},\"b\":{\"dtype\":\"BF16\","
                         "\"shape\":[70],\"data_offsets\":[24,164]}}";
    size_t size;
    unsigned char *whole = build(strlen(header), header, 164, &size);
    ck_assert_uint_ge(size, 300);
    for (size_t n = 0; n <= size; n++) {
        unsigned char *part = malloc(n ? n : 1);
        memcpy(part, whole, n);
        aim_error err = {0};
        int code = aim_safetensors_parse(part, n, "f", NULL, NULL, &err);
        ck_assert_int_eq(code, n == size ? AIM_OK : AIM_EFORMAT);
        free(part);
    }
    free(whole);
}
END_TEST

START_TEST(header_length_is_checked_before_use)
{
    static const struct {
        uint64_t claimed;
        const char *error;
    } cases[] = {
        {100000001, "header of 100000001 bytes, the format allows 100000000"},
        {100000000, "header of 100000000 bytes in a file of"},
        {UINT64_MAX, "the format allows"},
        {UINT64_MAX - 7, "the format allows"},
        {(uint64_t)1 << 32, "the format allows"},
        {3, "in a file of 10 bytes"},
        {1, "line 1"},
        {0, "line 1"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t size;
        unsigned char *file = build(cases[i].claimed, "{}", 0, &size);
        aim_error err = {0};
        int code = aim_safetensors_parse(file, size, "f", NULL, NULL, &err);
        ck_assert_int_eq(code, AIM_EFORMAT);
        ck_assert_msg(strstr(err.text, cases[i].error), "%s", err.text);
        free(file);
    }
}
END_TEST

START_TEST(deep_json_is_an_error)
{
    for (int object = 0; object < 2; object++) {
        const char *open = object ? "{\"a\":" : "[";
        const int depth = 1000000;
        char *header = malloc(strlen(open) * depth + 16), *p = header;
        p += sprintf(p, "{\"a\":");
        for (int i = 0; i < depth; i++, p += strlen(open))
            memcpy(p, open, strlen(open) + 1);
        aim_error err = {0};
        ck_assert_int_eq(parse(header, 0, &err), AIM_EFORMAT);
        ck_assert_ptr_nonnull(strstr(err.text, "depth"));
        free(header);
    }
}
END_TEST

/* A header that would take far more heap than its text is cut off. */
START_TEST(greedy_json_is_an_error)
{
    size_t n = 4000000;
    char *header = malloc(n + 64), *p = header;
    p += sprintf(p, "{\"a\":[");
    for (; p < header + n; p += 3)
        memcpy(p, "[],", 4);
    sprintf(p, "[]]}");
    aim_error err = {0};
    ck_assert_int_eq(parse(header, 0, &err), AIM_ETOOLARGE);
    ck_assert_ptr_nonnull(strstr(err.text, "memory"));
    free(header);
}
END_TEST

struct seen {
    int n;
    char names[8][16];
    const unsigned char *data[8];
    int stop_at;
};

static int note(void *arg, const aim_tensor *t, aim_error *err)
{
    struct seen *s = arg;
    if (s->n == s->stop_at)
        return aim_fail(err, AIM_EUNSUPPORTED, "enough");
    snprintf(s->names[s->n], sizeof s->names[0], "%s", t->name);
    s->data[s->n++] = t->data;
    return AIM_OK;
}

START_TEST(visits_in_file_order)
{
    const char *header = "{\"c\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[5,7]},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]},"
                         "\"b\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}";
    size_t size;
    unsigned char *file = build(strlen(header), header, 7, &size);
    const unsigned char *data = file + 8 + strlen(header);
    struct seen s = {.stop_at = -1};
    aim_error err = {0};
    ck_assert_int_eq(aim_safetensors_parse(file, size, "f", note, &s, &err), AIM_OK);
    ck_assert_int_eq(s.n, 3);
    ck_assert_str_eq(s.names[0], "b");
    ck_assert_str_eq(s.names[1], "a");
    ck_assert_str_eq(s.names[2], "c");
    ck_assert_ptr_eq(s.data[0], data);
    ck_assert_ptr_eq(s.data[1], data + 1);
    ck_assert_ptr_eq(s.data[2], data + 5);

    s = (struct seen){.stop_at = 1};
    ck_assert_int_eq(aim_safetensors_parse(file, size, "f", note, &s, &err), AIM_EUNSUPPORTED);
    ck_assert_int_eq(s.n, 1);
    free(file);
}
END_TEST

START_TEST(parser_survives_every_failed_allocation)
{
    const char *header = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":" F32_1 "}";
    size_t size;
    unsigned char *file = build(strlen(header), header, 4, &size);
    int code, failures = -1;
    do {
        aim_error err = {0};
        aim_alloc_fail_after(++failures);
        code = aim_safetensors_parse(file, size, "f", NULL, NULL, &err);
        aim_alloc_fail_after(-1);
        ck_assert_msg(code == AIM_OK || code == AIM_ENOMEM, "allocation %d: %s", failures,
                      err.text);
        ck_assert_int_eq(code, err.code);
    } while (code != AIM_OK);
    ck_assert_int_gt(failures, 10);
    free(file);
}
END_TEST

/* ---- conversion ----------------------------------------------------------- */

static const struct conversion {
    const char *dtype;
    enum aim_dtype tag;
    uint32_t bits;
    float want;
} conversions[] = {
    {"F32", AIM_F32, 0x3F800000, 1.0f},
    {"F32", AIM_F32, 0x00000001, 0x1p-149f},
    {"F32", AIM_F32, 0xC2F6E979, -123.456f},
    {"F32", AIM_F32, 0x7F800000, INFINITY},
    {"F32", AIM_F32, 0x7FC00000, NAN},
    {"F32", AIM_F32, 0x80000000, -0.0f},
    {"BF16", AIM_BF16, 0x3F80, 1.0f},
    {"BF16", AIM_BF16, 0xC049, -3.140625f},
    {"BF16", AIM_BF16, 0x0001, 0x1p-133f},
    {"BF16", AIM_BF16, 0x7F7F, 0x1.fep127f},
    {"BF16", AIM_BF16, 0xFF80, -INFINITY},
    {"BF16", AIM_BF16, 0x7FC1, NAN},
    {"BF16", AIM_BF16, 0x8000, -0.0f},
    {"F16", AIM_F16, 0x3C00, 1.0f},
    {"F16", AIM_F16, 0xC248, -3.140625f},
    {"F16", AIM_F16, 0x7BFF, 65504.0f},
    {"F16", AIM_F16, 0x0400, 0x1p-14f},
    {"F16", AIM_F16, 0x03FF, 0x1.ff8p-15f}, /* the largest subnormal */
    {"F16", AIM_F16, 0x0001, 0x1p-24f},
    {"F16", AIM_F16, 0x8001, -0x1p-24f},
    {"F16", AIM_F16, 0x0000, 0.0f},
    {"F16", AIM_F16, 0x8000, -0.0f},
    {"F16", AIM_F16, 0x7C00, INFINITY},
    {"F16", AIM_F16, 0xFC00, -INFINITY},
    {"F16", AIM_F16, 0x7E01, NAN},
};

START_TEST(conversion_is_exact)
{
    const struct conversion *c = &conversions[_i];
    size_t width = c->tag == AIM_F32 ? 4 : 2;
    unsigned char bytes[16];
    for (size_t odd = 0; odd < 4; odd++) { /* any alignment */
        memset(bytes, 0xAA, sizeof bytes);
        for (size_t i = 0; i < width; i++)
            bytes[odd + width + i] = (unsigned char)(c->bits >> 8 * i);
        aim_tensor t = {.dtype = c->tag,
                        .rank = 1,
                        .shape = {3},
                        .stride = {1},
                        .data = bytes + odd,
                        .bytes = 3 * width};
        snprintf(t.dtype_name, sizeof t.dtype_name, "%s", c->dtype);
        float got = 7, guard[2] = {5, 5};
        aim_tensor_read(&t, 1, 1, &got);
        if (isnan(c->want)) {
            ck_assert(isnan(got));
        } else {
            ck_assert_float_eq(got, c->want);
            ck_assert_int_eq(signbit(got) != 0, signbit(c->want) != 0);
        }
        aim_tensor_read(&t, 3, 0, guard); /* nothing at the end is legal */
        ck_assert_float_eq(guard[0], 5);
    }
}
END_TEST

/* Every half, against the definition of the format. */
START_TEST(all_halves)
{
    for (unsigned h = 0; h < 0x10000; h++) {
        unsigned char bytes[2] = {(unsigned char)h, (unsigned char)(h >> 8)};
        aim_tensor t = {
            .dtype = AIM_F16, .dtype_name = "F16", .rank = 0, .data = bytes, .bytes = 2};
        int exponent = (int)(h >> 10 & 31);
        double fraction = h & 1023;
        double want = exponent == 31  ? (fraction > 0 ? NAN : INFINITY)
                      : exponent == 0 ? ldexp(fraction, -24)
                                      : ldexp(1024 + fraction, exponent - 25);
        float got;
        aim_tensor_read(&t, 0, 1, &got);
        ck_assert(isnan(want) ? isnan(got) : got == (float)(h & 0x8000 ? -want : want));
    }
}
END_TEST

/* ---- folders --------------------------------------------------------------- */

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/aim-checkpoint-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void remove_dir(void)
{
    static const char *const names[] = {"model.safetensors", "model.safetensors.index.json",
                                        "a.safetensors", "b.safetensors"};
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(in_dir(names[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}

static void write_bytes(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

/* A file of one-element F32 tensors named by the letters of names. */
static void write_shard(const char *file, const char *names)
{
    char header[1024] = "{", *p = header + 1;
    for (size_t i = 0; names[i]; i++)
        p += sprintf(p, "%s\"%c\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[%zu,%zu]}",
                     i ? "," : "", names[i], 4 * i, 4 * i + 4);
    sprintf(p, "}");
    size_t size;
    unsigned char *bytes = build(strlen(header), header, 4 * strlen(names), &size);
    write_bytes(file, bytes, size);
    free(bytes);
}

#define INDEX "model.safetensors.index.json"

static const struct index_case {
    const char *index;
    const char *error; /* NULL: accepted */
} index_cases[] = {
    /* a.safetensors holds x and y, b.safetensors holds z */
    {"{\"weight_map\":{\"x\":\"a.safetensors\",\"z\":\"b.safetensors\",\"y\":\"a.safetensors\"}}",
     NULL},
    {"{\"metadata\":{\"total_size\":12},\"weight_map\":{\"x\":\"a.safetensors\","
     "\"y\":\"a.safetensors\"}}",
     NULL},
    {"{\"weight_map\":{\"x\":\"a.safetensors\"}}", "tensor \"y\" is not in"},
    {"{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\",\"z\":\"b.safetensors\"}}",
     "tensor \"y\" belongs into \"b.safetensors\""},
    {"{\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"a.safetensors\",\"z\":\"b.safetensors\","
     "\"w\":\"b.safetensors\"}}",
     "b.safetensors: tensor \"w\" is missing"},
    {"{\"weight_map\":{\"x\":\"c.safetensors\"}}", "c.safetensors"},
    {"{\"weight_map\":{\"x\":\"../a.safetensors\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":\"..\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":\".\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":\"\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":\"sub/a.safetensors\"}}", "not a bare file name"},
    {"{\"weight_map\":{\"x\":1}}", "not a bare file name"},
    {"{\"weight_map\":[]}", "\"weight_map\" must be an object"},
    {"{}", "\"weight_map\" must be an object"},
    {"[]", "\"weight_map\" must be an object"},
    {"{\"weight_map\":{\"x\":\"a.safetensors\",\"x\":\"a.safetensors\"}}", "duplicate"},
};

START_TEST(sharded_index)
{
    const struct index_case *c = &index_cases[_i];
    make_dir();
    write_shard("a.safetensors", "xy");
    write_shard("b.safetensors", "z");
    write_bytes(INDEX, c->index, strlen(c->index));
    aim_error err = {0};
    aim_checkpoint *checkpoint = aim_checkpoint_open(dir, &err);
    remove_dir();
    if (c->error) {
        ck_assert_msg(!checkpoint, "accepted: %s", c->index);
        ck_assert_int_ne(err.code, AIM_OK);
        ck_assert_msg(strstr(err.text, c->error), "%s", err.text);
    } else {
        ck_assert_msg(checkpoint != NULL, "%s", err.text);
        ck_assert_ptr_nonnull(aim_checkpoint_find(checkpoint, "y"));
    }
    aim_checkpoint_close(checkpoint);
}
END_TEST

START_TEST(tensors_are_sorted_and_found)
{
    make_dir();
    write_shard("model.safetensors", "qbza");
    aim_error err = {0};
    aim_checkpoint *c = aim_checkpoint_open(dir, &err);
    remove_dir(); /* the map outlives the name */
    ck_assert_msg(c != NULL, "%s", err.text);
    ck_assert_int_eq(aim_checkpoint_count(c), 4);
    const char *sorted = "abqz";
    for (int i = 0; i < 4; i++) {
        const aim_tensor *t = aim_checkpoint_at(c, i);
        ck_assert_int_eq(t->name[0], sorted[i]);
        ck_assert_ptr_eq(aim_checkpoint_find(c, t->name), t);
    }
    ck_assert_ptr_null(aim_checkpoint_find(c, "c"));
    ck_assert_uint_gt(aim_checkpoint_bytes(c), 16);
    aim_checkpoint_close(c);
}
END_TEST

START_TEST(missing_folder_is_named)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_checkpoint_open("/nonexistent/model", &err));
    ck_assert_int_eq(err.code, AIM_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "/nonexistent/model"));
}
END_TEST

START_TEST(open_survives_every_failed_allocation)
{
    const char *index = index_cases[0].index;
    make_dir();
    write_shard("a.safetensors", "xy");
    write_shard("b.safetensors", "z");
    write_bytes(INDEX, index, strlen(index));
    aim_checkpoint *c;
    int n = -1;
    do {
        aim_error err = {0};
        aim_alloc_fail_after(++n);
        c = aim_checkpoint_open(dir, &err);
        aim_alloc_fail_after(-1);
        ck_assert_msg(c || err.code == AIM_ENOMEM, "allocation %d: %s", n, err.text);
    } while (!c);
    ck_assert_int_gt(n, 20);
    aim_checkpoint_close(c);
    remove_dir();
}
END_TEST

START_TEST(require_checks_shape_and_dtype)
{
    static const char header[] =
        "{\"w\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
        "\"v\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[12,24]},"
        "\"i\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[24,28]}}";
    static const struct {
        const char *name;
        int64_t rows, cols;
        const char *error;
    } cases[] = {
        {"w", 2, 3, NULL},
        {"v", 3, -1, NULL},
        {"w", 3, 2, "\"w\" has shape [2, 3], the configuration needs [3, 2]"},
        {"w", 6, -1, "\"w\" has shape [2, 3], the configuration needs [6]"},
        {"v", 3, 1, "\"v\" has shape [3], the configuration needs [3, 1]"},
        {"i", 1, -1, "\"i\" has dtype I32"},
        {"u", 1, -1, "\"u\" is missing"},
    };
    make_dir();
    size_t size;
    unsigned char *bytes = build(strlen(header), header, 28, &size);
    write_bytes("model.safetensors", bytes, size);
    free(bytes);
    aim_checkpoint *c = aim_checkpoint_open(dir, NULL);
    remove_dir();
    ck_assert_ptr_nonnull(c);
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_error err = {0};
        const aim_tensor *t =
            aim_checkpoint_require(c, cases[i].name, cases[i].rows, cases[i].cols, &err);
        ck_assert_int_eq(t != NULL, cases[i].error == NULL);
        if (cases[i].error)
            ck_assert_msg(strstr(err.text, cases[i].error), "%s", err.text);
    }
    aim_checkpoint_close(c);
}
END_TEST

static Suite *checkpoint_suite(void)
{
    Suite *s = suite_create("checkpoint");

    TCase *header = tcase_create("header");
    tcase_add_loop_test(header, header_rule, 0, COUNT(header_cases));
    tcase_add_test(header, hostile_integers);
    tcase_add_test(header, every_truncation_fails);
    tcase_add_test(header, header_length_is_checked_before_use);
    tcase_add_test(header, deep_json_is_an_error);
    tcase_add_test(header, greedy_json_is_an_error);
    tcase_add_test(header, visits_in_file_order);
    tcase_add_test(header, parser_survives_every_failed_allocation);
    suite_add_tcase(s, header);

    TCase *conversion = tcase_create("conversion");
    tcase_add_loop_test(conversion, conversion_is_exact, 0, COUNT(conversions));
    tcase_add_test(conversion, all_halves);
    suite_add_tcase(s, conversion);

    TCase *folder = tcase_create("folder");
    tcase_add_loop_test(folder, sharded_index, 0, COUNT(index_cases));
    tcase_add_test(folder, tensors_are_sorted_and_found);
    tcase_add_test(folder, missing_folder_is_named);
    tcase_add_test(folder, open_survives_every_failed_allocation);
    tcase_add_test(folder, require_checks_shape_and_dtype);
    suite_add_tcase(s, folder);
    return s;
}

int main(void)
{
    aim_json_init();
    SRunner *runner = srunner_create(checkpoint_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
