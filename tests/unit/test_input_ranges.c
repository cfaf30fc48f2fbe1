/* SPDX-License-Identifier: Apache-2.0 */
/* Calibrated input ranges: finding them, and the file they are kept in. */
#include "analog/input_ranges.h"

#include "base/alloc.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/json.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static char folder[64], path[128];

static void make_folder(void)
{
    snprintf(folder, sizeof folder, "/tmp/analogd-ranges-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/ranges.json", folder);
}

static void remove_folder(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -r %s", folder);
    ck_assert_int_eq(system(command), 0);
}

/* Layers 0, 3 and 65535, with 1, 2 and 3 tiles. */
static aim_input_ranges_set *some_ranges(void)
{
    static const int layers[] = {0, 3, 65535};
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    ck_assert_ptr_nonnull(set);
    for (int i = 0; i < 3; i++) {
        float *range = aim_input_ranges_add(set, layers[i], i + 1);
        ck_assert_ptr_nonnull(range);
        for (int t = 0; t <= i; t++)
            range[t] = 1.0f / (float)(3 + i + 10 * t); /* no short decimals */
    }
    set->layers[2].range[0] = 1e-45f;
    set->layers[2].range[1] = 3.4028234e38f;
    set->origin = (aim_ranges_origin){"quantile", 1.0 / 3, 2, INT64_C(1) << 40};
    return set;
}

static void check_equal(const aim_input_ranges_set *a, const aim_input_ranges_set *b)
{
    ck_assert_uint_eq(a->n_layers, b->n_layers);
    ck_assert_str_eq(a->origin.method, b->origin.method);
    ck_assert_double_eq(a->origin.value, b->origin.value);
    ck_assert_int_eq(a->origin.texts, b->origin.texts);
    ck_assert_int_eq(a->origin.tokens, b->origin.tokens);
    for (size_t i = 0; i < a->n_layers; i++) {
        ck_assert_int_eq(a->layers[i].layer, b->layers[i].layer);
        ck_assert_int_eq(a->layers[i].tiles, b->layers[i].tiles);
        ck_assert_mem_eq(a->layers[i].range, b->layers[i].range,
                         sizeof(float) * (size_t)a->layers[i].tiles);
    }
}

START_TEST(layers_are_found)
{
    aim_input_ranges_set *set = some_ranges();
    ck_assert_ptr_eq(aim_input_ranges_find(set, 0), &set->layers[0]);
    ck_assert_ptr_eq(aim_input_ranges_find(set, 3), &set->layers[1]);
    ck_assert_ptr_eq(aim_input_ranges_find(set, 65535), &set->layers[2]);
    ck_assert_ptr_null(aim_input_ranges_find(set, 2));
    ck_assert_ptr_null(aim_input_ranges_find(set, 70000));
    ck_assert_ptr_null(aim_input_ranges_find(NULL, 0));
    aim_input_ranges_free(set);
    aim_input_ranges_free(NULL);
}
END_TEST

START_TEST(copy_is_another_one)
{
    aim_input_ranges_set *set = some_ranges(), *copy = aim_input_ranges_copy(set);
    check_equal(set, copy);
    ck_assert_ptr_ne(set->layers[0].range, copy->layers[0].range);
    aim_input_ranges_free(copy);
    aim_input_ranges_free(set);
}
END_TEST

static aim_input_ranges_set *load(aim_error *err)
{
    *err = (aim_error){0};
    return aim_input_ranges_load(path, err);
}

START_TEST(file_brings_every_bit_back)
{
    aim_error err = {0};
    aim_input_ranges_set *set = some_ranges();
    ck_assert_msg(aim_input_ranges_save(set, path, &err) == AIM_OK, "%s", err.text);
    aim_input_ranges_set *loaded = load(&err);
    ck_assert_msg(loaded != NULL, "%s", err.text);
    check_equal(set, loaded);
    /* Saved again over the old one, with fewer layers. */
    aim_free(set->layers[--set->n_layers].range);
    ck_assert_int_eq(aim_input_ranges_save(set, path, &err), AIM_OK);
    aim_input_ranges_free(loaded);
    loaded = load(&err);
    check_equal(set, loaded);
    aim_input_ranges_free(loaded);
    aim_input_ranges_free(set);
}
END_TEST

START_TEST(empty_set_is_a_file_too)
{
    aim_error err = {0};
    const aim_input_ranges_set empty = {0};
    ck_assert_int_eq(aim_input_ranges_save(&empty, path, &err), AIM_OK);
    aim_input_ranges_set *loaded = load(&err);
    ck_assert_msg(loaded != NULL, "%s", err.text);
    ck_assert_uint_eq(loaded->n_layers, 0);
    ck_assert_str_eq(loaded->origin.method, "");
    aim_input_ranges_free(loaded);
}
END_TEST

static int count_files(void)
{
    char command[128], answer[16] = "";
    snprintf(command, sizeof command, "ls -A %s | wc -l", folder);
    FILE *pipe = popen(command, "r");
    ck_assert_ptr_nonnull(pipe);
    ck_assert_ptr_nonnull(fgets(answer, sizeof answer, pipe));
    pclose(pipe);
    return atoi(answer);
}

/* What cannot be written leaves what was there, and no temporary file. */
START_TEST(failed_save_leaves_the_old_file)
{
    aim_error err = {0};
    aim_input_ranges_set *set = some_ranges();
    char inside[192];
    snprintf(inside, sizeof inside, "%s/none/ranges.json", folder);
    ck_assert_int_eq(aim_input_ranges_save(set, inside, &err), AIM_EIO);
    ck_assert_ptr_nonnull(strstr(err.text, "none/ranges.json"));
    /* A folder cannot be replaced by a file. */
    ck_assert_int_eq(mkdir(path, 0700), 0);
    err = (aim_error){0};
    ck_assert_int_eq(aim_input_ranges_save(set, path, &err), AIM_EIO);
    ck_assert_int_eq(count_files(), 1);
    ck_assert_int_eq(rmdir(path), 0);
    ck_assert_int_eq(aim_input_ranges_save(set, path, &err), AIM_OK);
    ck_assert_int_eq(count_files(), 1);
    aim_input_ranges_free(set);
}
END_TEST

#define ORIGIN(fields)                                                                             \
    "{\"format\":\"analogd input ranges\",\"version\":1,\"origin\":" fields ",\"layers\":[]}"
#define DOC(layers) "{\"format\":\"analogd input ranges\",\"version\":1,\"layers\":" layers "}"

static const struct {
    const char *text, *error;
} bad_files[] = {
    {"", "ranges.json: "},
    {"[]", "\"format\" must be"},
    {"{\"format\":\"x\",\"version\":1,\"layers\":[]}", "\"format\" must be"},
    {"{\"format\":\"analogd input ranges\",\"layers\":[]}", "\"version\" is missing"},
    {"{\"format\":\"analogd input ranges\",\"version\":2,\"layers\":[]}", "\"version\" is 2"},
    {"{\"format\":\"analogd input ranges\",\"version\":1}", "\"layers\" must be a list"},
    {"{\"format\":\"analogd input ranges\",\"version\":1,\"layers\":[],\"x\":1}",
     "unknown field \"x\""},
    {ORIGIN("1"), "\"origin\" must be an object"},
    {ORIGIN("{\"method\":\"max\",\"value\":0,\"texts\":1}"), "\"tokens\" is missing"},
    {ORIGIN("{\"method\":\"m\\\"\",\"value\":0,\"texts\":1,\"tokens\":1}"), "must be one word"},
    {ORIGIN("{\"method\":\"abcdefghijklmnop\",\"value\":0,\"texts\":1,\"tokens\":1}"),
     "must be one word"},
    {ORIGIN("{\"method\":\"max\",\"value\":-1,\"texts\":1,\"tokens\":1}"), "\"value\" is -1"},
    {ORIGIN("{\"method\":\"max\",\"value\":1,\"texts\":1,\"tokens\":1,\"x\":1}"),
     "unknown field \"x\""},
    {DOC("{}"), "\"layers\" must be a list"},
    {DOC("[1]"), "\"layers\" must be a list of objects"},
    {DOC("[{}]"), "\"layer\" is missing"},
    {DOC("[{\"layer\":0}]"), "layer 0: \"ranges\" must be a list"},
    {DOC("[{\"layer\":0,\"ranges\":[]}]"), "must be a list of 1 to 65535"},
    {DOC("[{\"layer\":0,\"ranges\":{\"a\":1}}]"), "must be a list"},
    {DOC("[{\"layer\":0,\"ranges\":[1],\"tiles\":1}]"), "unknown field \"tiles\""},
    {DOC("[{\"layer\":-1,\"ranges\":[1]}]"), "\"layer\" is -1"},
    {DOC("[{\"layer\":65536,\"ranges\":[1]}]"), "\"layer\" is 65536"},
    {DOC("[{\"layer\":0.5,\"ranges\":[1]}]"), "\"layer\" must be an integer"},
    {DOC("[{\"layer\":4,\"ranges\":[1]},{\"layer\":4,\"ranges\":[1]}]"),
     "\"layer\" is 4, must be between 5"},
    {DOC("[{\"layer\":4,\"ranges\":[1]},{\"layer\":3,\"ranges\":[1]}]"), "\"layer\" is 3"},
    {DOC("[{\"layer\":7,\"ranges\":[1,0]}]"), "layer 7: \"ranges\": number 1 must be a number"},
    {DOC("[{\"layer\":7,\"ranges\":[-1]}]"), "number 0 must be a number above 0"},
    {DOC("[{\"layer\":7,\"ranges\":[\"1\"]}]"), "number 0 must be a number above 0"},
    {DOC("[{\"layer\":7,\"ranges\":[null]}]"), "number 0 must be a number above 0"},
    {DOC("[{\"layer\":7,\"ranges\":[1e-60]}]"), "number 0 must be a number above 0"},
    {DOC("[{\"layer\":7,\"ranges\":[1e60]}]"), "number 0 must be a number above 0"},
    {DOC("[{\"layer\":7,\"ranges\":[1e999]}]"), "ranges.json: line 1"},
    {DOC("[{\"layer\":7,\"ranges\":[NaN]}]"), "ranges.json: line 1"},
    {DOC("[{\"layer\":7,\"layer\":8,\"ranges\":[1]}]"), "ranges.json: line 1"},
};

START_TEST(bad_file_is_refused)
{
    aim_error err = {0};
    const char *text = bad_files[_i].text;
    ck_assert_int_eq(aim_save_file(path, text, strlen(text), &err), AIM_OK);
    ck_assert_ptr_null(load(&err));
    ck_assert_int_eq(err.code, AIM_EFORMAT);
    ck_assert_msg(strstr(err.text, bad_files[_i].error), "\"%s\" for %s", err.text, text);
}
END_TEST

START_TEST(too_many_tiles_and_bytes)
{
    aim_error err = {0};
    aim_buf text = AIM_BUF_INIT;
    aim_buf_puts(&text, "{\"format\":\"analogd input ranges\",\"version\":1,\"layers\":"
                        "[{\"layer\":0,\"ranges\":[1");
    for (int i = 0; i < 65535; i++)
        aim_buf_puts(&text, ",1");
    aim_buf_puts(&text, "]}]}");
    ck_assert(!text.failed);
    ck_assert_int_eq(aim_save_file(path, text.data, text.len, &err), AIM_OK);
    aim_buf_free(&text);
    ck_assert_ptr_null(load(&err));
    ck_assert_ptr_nonnull(strstr(err.text, "must be a list of 1 to 65535"));
    ck_assert_int_eq(truncate(path, (16 << 20) + 1), 0);
    ck_assert_ptr_null(load(&err));
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_ptr_null(load(&err));
    ck_assert_int_eq(err.code, AIM_ENOTFOUND);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    aim_error err = {0};
    aim_input_ranges_set *set = some_ranges(), *loaded = NULL, *copy = NULL;
    int code = AIM_ENOMEM;
    for (long n = 0; code; n++) {
        aim_alloc_fail_after(n);
        err = (aim_error){0};
        code = aim_input_ranges_save(set, path, &err);
        aim_alloc_fail_after(-1);
        ck_assert(code == AIM_OK || (code == AIM_ENOMEM && err.code == AIM_ENOMEM));
    }
    for (long n = 0; !loaded; n++) {
        aim_alloc_fail_after(n);
        loaded = load(&err);
        aim_alloc_fail_after(-1);
        ck_assert(loaded || err.code == AIM_ENOMEM);
    }
    for (long n = 0; !copy; n++) {
        aim_alloc_fail_after(n);
        copy = aim_input_ranges_copy(loaded);
        aim_alloc_fail_after(-1);
    }
    check_equal(set, copy);
    aim_input_ranges_free(copy);
    aim_input_ranges_free(loaded);
    aim_input_ranges_free(set);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("input_ranges");
    TCase *sets = tcase_create("sets");
    tcase_add_test(sets, layers_are_found);
    tcase_add_test(sets, copy_is_another_one);
    suite_add_tcase(s, sets);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, make_folder, remove_folder);
    tcase_add_test(files, file_brings_every_bit_back);
    tcase_add_test(files, empty_set_is_a_file_too);
    tcase_add_test(files, failed_save_leaves_the_old_file);
    tcase_add_loop_test(files, bad_file_is_refused, 0, COUNT(bad_files));
    tcase_add_test(files, too_many_tiles_and_bytes);
    tcase_add_test(files, every_allocation_may_fail);
    suite_add_tcase(s, files);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
