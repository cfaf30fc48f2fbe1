/* SPDX-License-Identifier: Apache-2.0 */
/* Torch files that torch wrote: they load equal to their safetensors twins, and
 * what is not read is refused with a reason. Made files are in
 * test_torch_hostile.c, fixtures come from tests/reference/make_torch_fixtures.py. */
#include "base/alloc.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A path below tests/data/torch; valid until the fourth call after it. */
static const char *fixture(const char *name)
{
    static char paths[4][512];
    static int next;
    const char *top = getenv("top_srcdir");
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/tests/data/torch/%s", top ? top : ".", name);
    return path;
}

static size_t elements(const aim_tensor *t)
{
    size_t n = 1;
    for (int i = 0; i < t->rank; i++)
        n *= (size_t)t->shape[i];
    return n;
}

/* All of a float tensor; the caller frees. */
static float *read_all(const aim_tensor *t)
{
    float *values = malloc((elements(t) + 1) * sizeof *values);
    ck_assert_ptr_nonnull(values);
    aim_tensor_read(t, 0, elements(t), values);
    return values;
}

/* ---- twins ---------------------------------------------------------------- */

static const char *const folders[] = {"f32",   "f16",     "bf16",       "other_dtypes",
                                      "views", "tied",    "parameters", "module",
                                      "many",  "nothing", "sharded"};

struct comparison {
    const aim_checkpoint *torch;
    int count;
};

/* t is of the safetensors twin, whose data is row-major. */
static int compare(void *arg, const aim_tensor *t, aim_error *err)
{
    (void)err;
    struct comparison *c = arg;
    const aim_tensor *u = aim_checkpoint_find(c->torch, t->name);
    c->count++;
    ck_assert_msg(u != NULL, "%s", t->name);
    ck_assert_str_eq(u->dtype_name, t->dtype_name);
    ck_assert_int_eq(u->dtype, t->dtype);
    ck_assert_int_eq(u->rank, t->rank);
    ck_assert_mem_eq(u->shape, t->shape, sizeof t->shape);
    ck_assert_uint_eq(u->bytes, t->bytes);
    if (t->dtype == AIM_OTHER_DTYPE) {
        ck_assert_mem_eq(u->data, t->data, t->bytes);
        return AIM_OK;
    }
    float *want = read_all(t), *got = read_all(u);
    ck_assert_msg(memcmp(want, got, elements(t) * sizeof *want) == 0, "%s", t->name);
    free(want);
    free(got);
    return AIM_OK;
}

START_TEST(equals_its_twin)
{
    char name[64];
    snprintf(name, sizeof name, "read/%s", folders[_i]);
    const char *dir = fixture(name);
    aim_error err = {0};
    aim_checkpoint *torch = aim_checkpoint_open(dir, &err);
    ck_assert_msg(torch != NULL, "%s", err.text);
    aim_map twin;
    ck_assert_int_eq(aim_map_open(dir, "twin.safetensors", &twin, &err), AIM_OK);
    struct comparison c = {torch, 0};
    ck_assert_int_eq(aim_safetensors_parse(twin.data, twin.size, "twin", compare, &c, &err),
                     AIM_OK);
    ck_assert_int_eq(aim_checkpoint_count(torch), c.count);
    ck_assert(c.count > 0 || strcmp(folders[_i], "nothing") == 0);
    aim_map_close(&twin);
    aim_checkpoint_close(torch);
}
END_TEST

static aim_checkpoint *open_fixture(const char *name)
{
    aim_error err = {0};
    aim_checkpoint *c = aim_checkpoint_open(fixture(name), &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    return c;
}

START_TEST(tied_tensors_share_their_bytes)
{
    aim_checkpoint *c = open_fixture("read/tied");
    const aim_tensor *a = aim_checkpoint_find(c, "embed_tokens.weight");
    const aim_tensor *b = aim_checkpoint_find(c, "lm_head.weight");
    ck_assert_ptr_nonnull(a);
    ck_assert_ptr_eq(a->data, b->data);
    aim_checkpoint_close(c);
}
END_TEST

/* ---- views ---------------------------------------------------------------- */

/* The element with this index of the flattened tensor, by the definition of strides. */
static float element(const aim_tensor *t, size_t index)
{
    size_t offset = 0, width = t->dtype == AIM_F32 ? 4 : 2;
    for (int i = t->rank - 1; i >= 0; i--) {
        offset += index % (size_t)t->shape[i] * (size_t)t->stride[i];
        index /= (size_t)t->shape[i];
    }
    aim_tensor one = {.dtype = t->dtype, .bytes = width, .data = t->data + offset * width};
    memcpy(one.dtype_name, t->dtype_name, sizeof one.dtype_name);
    float value;
    aim_tensor_read(&one, 0, 1, &value);
    return value;
}

/* Each piece of each view, the large one in steps. */
START_TEST(views_are_read_in_pieces)
{
    aim_checkpoint *c = open_fixture("read/views");
    for (int i = 0; i < aim_checkpoint_count(c); i++) {
        const aim_tensor *t = aim_checkpoint_at(c, i);
        size_t total = elements(t), step = total > 200 ? 211 : 1;
        for (size_t start = 0; start < total; start += step)
            for (size_t n = 1; n <= total - start; n += step) {
                float got[4000];
                got[n] = 77;
                aim_tensor_read(t, start, n, got);
                for (size_t k = 0; k < n; k++)
                    ck_assert_float_eq(got[k], element(t, start + k));
                ck_assert_float_eq(got[n], 77);
            }
    }
    aim_checkpoint_close(c);
}
END_TEST

START_TEST(views_keep_their_strides)
{
    static const struct {
        const char *name;
        int rank;
        int64_t shape[3], stride[3];
    } cases[] = {
        {"whole", 2, {6, 8}, {8, 1}},
        {"transposed", 2, {8, 6}, {1, 8}},
        {"column", 1, {6}, {8}},
        {"every_second", 2, {3, 3}, {16, 3}},
        {"permuted", 3, {4, 2, 3}, {1, 12, 4}},
    };
    aim_checkpoint *c = open_fixture("read/views");
    for (size_t i = 0; i < COUNT(cases); i++) {
        const aim_tensor *t = aim_checkpoint_find(c, cases[i].name);
        ck_assert_int_eq(t->rank, cases[i].rank);
        ck_assert_mem_eq(t->shape, cases[i].shape, (size_t)t->rank * sizeof(int64_t));
        ck_assert_mem_eq(t->stride, cases[i].stride, (size_t)t->rank * sizeof(int64_t));
    }
    const aim_tensor *whole = aim_checkpoint_find(c, "whole");
    ck_assert_ptr_eq(aim_checkpoint_find(c, "transposed")->data, whole->data);
    ck_assert_ptr_eq(aim_checkpoint_find(c, "column")->data, whole->data + 3 * 4);
    aim_checkpoint_close(c);
}
END_TEST

/* ---- analog checkpoints --------------------------------------------------- */

/* Files of aihwkit-lightning and the values that belong into them. */
static const struct published {
    const char *file, *values, *dtype;
} published[] = {
    {"tiny_clean.bin", "values_f32", "F32"},
    {"tiny_fp16.bin", "values_f16", "F16"},
    {"tiny_with_metadata.bin", "values_f32", "F32"}, /* with rpu_config objects */
};

struct expectation {
    const struct published *file;
    json_t *tensors;
    size_t count;
};

static int check_published(void *arg, const aim_tensor *t, aim_error *err)
{
    (void)err;
    struct expectation *e = arg;
    json_t *want = json_object_get(e->tensors, t->name);
    json_t *shape = json_object_get(want, "shape"),
           *values = json_object_get(want, e->file->values);
    e->count++;
    ck_assert_msg(json_is_object(want), "%s", t->name);
    ck_assert_str_eq(t->dtype_name, e->file->dtype);
    ck_assert_int_eq(t->rank, (int)json_array_size(shape));
    for (int i = 0; i < t->rank; i++)
        ck_assert_int_eq(t->shape[i], json_integer_value(json_array_get(shape, (size_t)i)));
    float *got = read_all(t);
    ck_assert_uint_eq(elements(t), json_array_size(values));
    for (size_t i = 0; i < elements(t); i++)
        ck_assert_float_eq(got[i], (float)json_number_value(json_array_get(values, i)));
    free(got);
    return AIM_OK;
}

START_TEST(analog_checkpoint_has_its_values)
{
    aim_error err = {0};
    json_t *manifest = aim_json_load(fixture("manifest.json"), 1 << 20, &err);
    ck_assert_msg(manifest != NULL, "%s", err.text);
    struct expectation e = {&published[_i], json_object_get(manifest, "tensors"), 0};
    aim_map map;
    ck_assert_int_eq(aim_map_open(fixture("."), e.file->file, &map, &err), AIM_OK);
    int code = aim_torch_parse(map.data, map.size, e.file->file, check_published, &e, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    ck_assert_uint_eq(e.count, json_object_size(e.tensors));
    aim_map_close(&map);
    json_decref(manifest);
}
END_TEST

/* ---- refusals ------------------------------------------------------------- */

static const struct refusal {
    const char *file;
    enum aim_code code;
    const char *error;
} refusals[] = {
    {"old_pickle.bin", AIM_EUNSUPPORTED, "convert the checkpoint to safetensors"},
    {"protocol_4.bin", AIM_EFORMAT, "pickle protocol 4; torch.save writes 2"},
    {"wrapped.bin", AIM_EUNSUPPORTED,
     "\"state_dict\" is a dictionary, so the file wraps its state"},
    {"bare_tensor.bin", AIM_EFORMAT, "holds no dictionary of tensors"},
    {"with_number.bin", AIM_EFORMAT, "tensor \"steps\": the value is not a tensor"},
    {"list.bin", AIM_EFORMAT, "holds no dictionary of tensors"},
    {"float8.bin", AIM_EFORMAT, "the global torch._utils._rebuild_tensor_v3 is refused"},
    {"expanded.bin", AIM_EFORMAT, "tensor \"a\": it repeats elements of its storage"},
    {"dtype.bin", AIM_EFORMAT, "the global torch.float32 is refused"},
    {"pickled_module.bin", AIM_EFORMAT, "the global torch.nn.modules.linear.Linear is refused"},
};

START_TEST(refused)
{
    const struct refusal *r = &refusals[_i];
    aim_error err = {0};
    aim_map map;
    ck_assert_int_eq(aim_map_open(fixture("refused"), r->file, &map, &err), AIM_OK);
    ck_assert_int_eq(aim_torch_parse(map.data, map.size, r->file, NULL, NULL, &err), r->code);
    ck_assert_msg(strstr(err.text, r->error) && strstr(err.text, r->file), "%s", err.text);
    aim_map_close(&map);
}
END_TEST

/* ---- folders -------------------------------------------------------------- */

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[256];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const void *bytes, size_t n)
{
    FILE *f = fopen(in_dir(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    fclose(f);
}

static void copy_file(const char *name, const char *from)
{
    size_t size;
    char *bytes = aim_read_file(fixture(from), 1 << 20, &size, NULL);
    ck_assert_ptr_nonnull(bytes);
    write_file(name, bytes, size);
    aim_free(bytes);
}

#define INDEX "pytorch_model.bin.index.json"

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/aim-torch-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static void remove_dir(void)
{
    static const char *const names[] = {"model.safetensors", "pytorch_model.bin", INDEX, "a.bin"};
    for (size_t i = 0; i < COUNT(names); i++)
        unlink(in_dir(names[i]));
    ck_assert_int_eq(rmdir(dir), 0);
}

static void check_failure(const char *error)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_checkpoint_open(dir, &err));
    ck_assert_msg(strstr(err.text, error), "%s", err.text);
}

static void check_count(int count)
{
    aim_error err = {0};
    aim_checkpoint *c = aim_checkpoint_open(dir, &err);
    ck_assert_msg(c != NULL, "%s", err.text);
    ck_assert_int_eq(aim_checkpoint_count(c), count);
    aim_checkpoint_close(c);
}

/* Each form hides those behind it, even if it cannot be read. */
START_TEST(forms_have_an_order)
{
    make_dir();
    check_failure("neither model.safetensors nor pytorch_model.bin, nor an index");
    copy_file("a.bin", "read/tied/pytorch_model.bin");
    static const char index[] = "{\"weight_map\":{\"embed_tokens.weight\":\"a.bin\","
                                "\"norm.weight\":\"a.bin\",\"lm_head.weight\":\"a.bin\"}}";
    write_file(INDEX, index, sizeof index - 1);
    check_count(3);
    copy_file("pytorch_model.bin", "read/module/pytorch_model.bin");
    check_count(4);
    copy_file("model.safetensors", "read/views/twin.safetensors");
    check_count(13);
    write_file("model.safetensors", "", 0);
    check_failure("model.safetensors: 0 bytes");
    remove_dir();
}
END_TEST

START_TEST(index_is_checked)
{
    static const struct {
        const char *index, *error;
    } cases[] = {
        {"{\"weight_map\":{\"a\":\"../a.bin\"}}",
         INDEX ": tensor \"a\": \"../a.bin\" is not a bare"},
        {"{\"weight_map\":{\"a\":\"b.bin\"}}", "b.bin"},
        {"{\"weight_map\":{\"norm.weight\":\"a.bin\"}}",
         "a.bin: tensor \"embed_tokens.weight\" is not in " INDEX},
        {"{\"weight_map\":{\"embed_tokens.weight\":\"a.bin\",\"norm.weight\":\"a.bin\","
         "\"lm_head.weight\":\"a.bin\",\"x\":\"a.bin\"}}",
         "a.bin: tensor \"x\" is missing"},
        {"{}", INDEX ": \"weight_map\" must be an object"},
    };
    make_dir();
    copy_file("a.bin", "read/tied/pytorch_model.bin");
    for (size_t i = 0; i < COUNT(cases); i++) {
        write_file(INDEX, cases[i].index, strlen(cases[i].index));
        check_failure(cases[i].error);
    }
    remove_dir();
}
END_TEST

START_TEST(git_lfs_pointer_is_named)
{
    static const char pointer[] = "version https://git-lfs.github.com/spec/v1\noid sha256:0\n";
    make_dir();
    write_file("pytorch_model.bin", pointer, sizeof pointer - 1);
    check_failure("pytorch_model.bin: a Git LFS pointer");
    write_file("model.safetensors", pointer, sizeof pointer - 1);
    check_failure("model.safetensors: a Git LFS pointer");
    remove_dir();
}
END_TEST

START_TEST(open_survives_every_failed_allocation)
{
    const char *path = fixture("read/sharded");
    aim_checkpoint *c = NULL;
    for (long n = 0; !c; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        c = aim_checkpoint_open(path, &err);
        aim_alloc_fail_after(-1);
        ck_assert_msg(c || err.code == AIM_ENOMEM, "%s", err.text);
    }
    ck_assert_int_eq(aim_checkpoint_count(c), 5);
    aim_checkpoint_close(c);
}
END_TEST

static Suite *torch_suite(void)
{
    Suite *s = suite_create("torch");

    TCase *reading = tcase_create("reading");
    tcase_add_loop_test(reading, equals_its_twin, 0, COUNT(folders));
    tcase_add_test(reading, tied_tensors_share_their_bytes);
    tcase_add_test(reading, views_are_read_in_pieces);
    tcase_add_test(reading, views_keep_their_strides);
    tcase_add_loop_test(reading, analog_checkpoint_has_its_values, 0, COUNT(published));
    tcase_add_loop_test(reading, refused, 0, COUNT(refusals));
    suite_add_tcase(s, reading);

    TCase *folder = tcase_create("folder");
    tcase_add_test(folder, forms_have_an_order);
    tcase_add_test(folder, index_is_checked);
    tcase_add_test(folder, git_lfs_pointer_is_named);
    tcase_add_test(folder, open_survives_every_failed_allocation);
    suite_add_tcase(s, folder);
    return s;
}

int main(void)
{
    aim_json_init();
    SRunner *runner = srunner_create(torch_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
