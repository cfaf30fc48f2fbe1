/* SPDX-License-Identifier: Apache-2.0 */
/* Allocation, buffers, errors, files and JSON under a budget. */
#include "base/alloc.h"
#include "base/buf.h"
#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/sha256.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

/* ---- alloc -------------------------------------------------------------------- */

START_TEST(sizes_do_not_overflow)
{
    /* volatile: the compiler would refuse to see such sizes requested. */
    volatile size_t half = SIZE_MAX / 2 + 1;
    ck_assert_ptr_null(aim_array(half, 2));
    ck_assert_ptr_null(aim_rearray(NULL, half, 4));
    ck_assert_ptr_null(aim_calloc(half, 2));
    ck_assert_ptr_null(aim_big_alloc(half + half / 2));
    ck_assert_ptr_null(aim_strndup("", SIZE_MAX));
}
END_TEST

START_TEST(nothing_is_something)
{
    void *p = aim_malloc(0), *q = aim_calloc(0, 8), *r = aim_array(8, 0);
    ck_assert(p && q && r);
    aim_free(p);
    aim_free(q);
    aim_free(r);
}
END_TEST

START_TEST(grow_doubles_and_keeps_content)
{
    int *p = NULL;
    size_t room = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert(aim_grow(&p, &room, (size_t)i + 1, sizeof *p));
        p[i] = i;
    }
    ck_assert_uint_eq(room, 1024);
    for (int i = 0; i < 1000; i++)
        ck_assert_int_eq(p[i], i);
    aim_free(p);
}
END_TEST

START_TEST(failed_growth_changes_nothing)
{
    char *p = NULL;
    size_t room = 0;
    ck_assert(aim_grow(&p, &room, 10, 1));
    strcpy(p, "kept");
    char *before = p;
    size_t had = room;
    ck_assert(!aim_grow(&p, &room, SIZE_MAX, 1));
    ck_assert(!aim_grow(&p, &room, SIZE_MAX / 4, 16));
    aim_alloc_fail_after(0);
    ck_assert(!aim_grow(&p, &room, 1000, 1));
    aim_alloc_fail_after(-1);
    ck_assert_ptr_eq(p, before);
    ck_assert_uint_eq(room, had);
    ck_assert_str_eq(p, "kept");
    aim_free(p);
}
END_TEST

START_TEST(the_chosen_allocation_fails)
{
    aim_alloc_fail_after(2);
    void *a = aim_malloc(1), *b = aim_calloc(1, 1), *c = aim_strdup("x"), *d = aim_malloc(1);
    aim_alloc_fail_after(-1);
    ck_assert(a && b && !c && d);
    aim_free(a);
    aim_free(b);
    aim_free(d);
}
END_TEST

START_TEST(big_memory_is_zeroed_and_aligned)
{
    static const size_t sizes[] = {0, 1, 64, 65, 100000, (4 << 20) - 1, 4 << 20, (4 << 20) + 1};
    unsigned char *p = aim_big_alloc(sizes[_i]);
    ck_assert_ptr_nonnull(p);
    ck_assert_uint_eq((uintptr_t)p % 64, 0);
    size_t set = 0;
    for (size_t i = 0; i < sizes[_i]; i++)
        set += p[i] != 0;
    ck_assert_uint_eq(set, 0);
    memset(p, 1, sizes[_i]);
    aim_big_free(p, sizes[_i]);
}
END_TEST

/* ---- buf ---------------------------------------------------------------------- */

START_TEST(buffer_collects)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_puts(&b, "one ");
    aim_buf_printf(&b, "%d %s ", 2, "three");
    aim_buf_append(&b, "\0x", 2);
    ck_assert_uint_eq(b.len, 14);
    ck_assert_int_eq(memcmp(b.data, "one 2 three \0x", 15), 0);
    aim_buf_consume(&b, 4);
    ck_assert_uint_eq(b.len, 10);
    ck_assert_str_eq(b.data, "2 three ");
    size_t len;
    char *text = aim_buf_steal(&b, &len);
    ck_assert_uint_eq(len, 10);
    ck_assert_uint_eq(b.len, 0);
    ck_assert_ptr_null(b.data);
    aim_free(text);
}
END_TEST

START_TEST(empty_buffer_steals_as_empty_text)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_append(&b, NULL, 0);
    aim_buf_consume(&b, 5);
    char *text = aim_buf_steal(&b, NULL);
    ck_assert_str_eq(text, "");
    aim_free(text);
    aim_buf_clear(&b);
    aim_buf_free(&b);
}
END_TEST

START_TEST(failed_buffer_stays_failed)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_puts(&b, "before");
    aim_alloc_fail_after(0);
    aim_buf_printf(&b, "%0100d", 1);
    aim_alloc_fail_after(-1);
    ck_assert(b.failed);
    aim_buf_puts(&b, "after");
    ck_assert_str_eq(b.data, "before");
    ck_assert_ptr_null(aim_buf_steal(&b, NULL));
    ck_assert_ptr_null(b.data);
}
END_TEST

/* ---- error -------------------------------------------------------------------- */

START_TEST(first_failure_wins)
{
    aim_error err = {0};
    ck_assert_int_eq(aim_fail_param(&err, AIM_EFORMAT, "field", "value %d", 7), AIM_EFORMAT);
    ck_assert_int_eq(aim_fail(&err, AIM_EIO, "later"), AIM_EIO);
    ck_assert_int_eq(err.code, AIM_EFORMAT);
    ck_assert_str_eq(err.param, "field");
    ck_assert_str_eq(err.text, "value 7");
    ck_assert_int_eq(aim_fail_nomem(NULL, "nobody listens"), AIM_ENOMEM);
    ck_assert_str_eq(aim_code_name(AIM_ETOOLARGE), "ETOOLARGE");
    ck_assert_int_eq(aim_code_http_status(AIM_EBUSY), 429);
    ck_assert_str_eq(aim_code_openai_type(AIM_EINVAL), "invalid_request_error");
}
END_TEST

START_TEST(long_texts_are_cut)
{
    aim_error err = {0};
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    aim_fail_param(&err, AIM_EINVAL, text, "%s", text);
    ck_assert_uint_eq(strlen(err.text), sizeof err.text - 1);
    ck_assert_uint_eq(strlen(err.param), sizeof err.param - 1);
}
END_TEST

/* FIPS 180-4's examples, and lengths around a block's. */
START_TEST(digests_are_sha256)
{
    static const struct {
        const char *text;
        size_t n;
        const char *digest;
    } rows[] = {
        {"", 0, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
        {"abc", 3, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56,
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
    };
    for (int i = 0; i < COUNT(rows); i++) {
        for (size_t first = 0; first <= rows[i].n; first++) { /* in two pieces */
            aim_sha256 h;
            char hex[AIM_SHA256_HEX];
            aim_sha256_init(&h);
            aim_sha256_update(&h, rows[i].text, first);
            aim_sha256_update(&h, rows[i].text + first, rows[i].n - first);
            aim_sha256_final(&h, hex);
            ck_assert_str_eq(hex, rows[i].digest);
        }
    }
}
END_TEST

START_TEST(digests_of_a_million_letters)
{
    static const char letters[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    aim_sha256 h;
    char hex[AIM_SHA256_HEX];
    aim_sha256_init(&h);
    for (int i = 0; i < 1000000 / 50; i++)
        aim_sha256_update(&h, letters, 50);
    aim_sha256_final(&h, hex);
    ck_assert_str_eq(hex, "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}
END_TEST

START_TEST(the_machine_is_known)
{
    uint64_t before = aim_now_ns();
    ck_assert_uint_ge(aim_now_ns(), before);
    ck_assert_uint_eq(aim_cpu_features(), aim_cpu_features());
}
END_TEST

/* ---- file --------------------------------------------------------------------- */

static char folder[] = "/tmp/analogd-test-XXXXXX";

static void make_folder(void)
{
    strcpy(folder + strlen(folder) - 6, "XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}

static char *path_of(const char *name)
{
    char *path = aim_path_join(folder, name);
    ck_assert_ptr_nonnull(path);
    return path;
}

static void put_file(const char *name, const char *bytes, size_t n)
{
    char *path = path_of(name);
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
    aim_free(path);
}

static void drop(const char *name)
{
    char *path = path_of(name);
    if (remove(path) != 0)
        ck_abort_msg("cannot remove %s", path);
    aim_free(path);
}

static enum aim_code read_code(const char *name, size_t cap)
{
    aim_error err = {0};
    size_t len;
    char *path = path_of(name), *text = aim_read_file(path, cap, &len, &err);
    ck_assert((text == NULL) == (err.code != AIM_OK));
    ck_assert(text || strstr(err.text, name)); /* the message names the file */
    aim_free(text);
    aim_free(path);
    return err.code;
}

START_TEST(files_are_read_whole_or_refused)
{
    make_folder();
    put_file("data", "ab\0cd", 5);
    put_file("empty", "", 0);
    char *fifo = path_of("fifo"), *data = path_of("data");
    ck_assert_int_eq(mkfifo(fifo, 0600), 0);
    size_t len;
    char *text = aim_read_file(data, 5, &len, NULL);
    ck_assert_uint_eq(len, 5);
    ck_assert_int_eq(memcmp(text, "ab\0cd", 6), 0);
    aim_free(text);
    ck_assert_int_eq(read_code("data", 4), AIM_ETOOLARGE);
    ck_assert_int_eq(read_code("empty", 0), AIM_OK);
    ck_assert_int_eq(read_code("missing", 10), AIM_ENOTFOUND);
    ck_assert_int_eq(read_code("fifo", 10), AIM_EIO); /* and does not hang */
    ck_assert_int_eq(read_code(".", 10), AIM_EIO);
    drop("data");
    drop("empty");
    drop("fifo");
    rmdir(folder);
    aim_free(fifo);
    aim_free(data);
}
END_TEST

/* Leave so much of it; false where there are no limits of address space: QEMU, which runs
 * tests for other CPUs, takes them and ignores them. */
static bool limit_address_space(size_t left)
{
    unsigned long pages = 0;
    FILE *statm = fopen("/proc/self/statm", "r");
    ck_assert_int_eq(fscanf(statm, "%lu", &pages), 1);
    fclose(statm);
    rlim_t most = pages * (rlim_t)sysconf(_SC_PAGESIZE) + left;
    struct rlimit limit = {most, RLIM_INFINITY};
    ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
    ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
    return limit.rlim_cur == most;
}

/* A process may have less address space left than a model takes. */
START_TEST(a_map_without_address_space_lacks_memory)
{
    const size_t size = (size_t)1 << 30;
    make_folder();
    put_file("data", "", 0);
    char *data = path_of("data");
    ck_assert_int_eq(truncate(data, (off_t)size), 0);
    if (limit_address_space(size / 2)) {
        aim_map map;
        aim_error err = {0};
        ck_assert_int_eq(aim_map_open(folder, "data", &map, &err), AIM_ENOMEM);
        ck_assert_ptr_nonnull(strstr(err.text, "/data: cannot map: "));
    }
    drop("data");
    rmdir(folder);
    aim_free(data);
}
END_TEST

static const struct {
    const char *name;
    enum aim_code code;
} map_cases[] = {
    {"data", AIM_OK},     {"empty", AIM_OK},        {"link", AIM_OK},
    {"", AIM_EFORMAT},    {"..", AIM_EFORMAT},      {".", AIM_EFORMAT},
    {"a/b", AIM_EFORMAT}, {"../data", AIM_EFORMAT}, {"/etc/passwd", AIM_EFORMAT},
    {"sub", AIM_EIO},     {"gone", AIM_ENOTFOUND},
};

START_TEST(maps_take_bare_names_of_regular_files)
{
    make_folder();
    put_file("data", "content", 7);
    put_file("empty", "", 0);
    char *sub = path_of("sub"), *link = path_of("link");
    ck_assert_int_eq(mkdir(sub, 0700), 0);
    ck_assert_int_eq(symlink("data", link), 0);
    for (size_t i = 0; i < sizeof map_cases / sizeof map_cases[0]; i++) {
        aim_map map = {0};
        aim_error err = {0};
        int code = aim_map_open(folder, map_cases[i].name, &map, &err);
        ck_assert_msg(code == (int)map_cases[i].code, "\"%s\": %s", map_cases[i].name,
                      aim_code_name((enum aim_code)code));
        ck_assert_int_eq(code, err.code);
        if (strcmp(map_cases[i].name, "link") == 0)
            ck_assert(map.size == 7 && memcmp(map.data, "content", 7) == 0);
        aim_map_close(&map);
        ck_assert_ptr_null(map.data);
    }
    drop("data");
    drop("empty");
    drop("link");
    drop("sub");
    rmdir(folder);
    aim_free(sub);
    aim_free(link);
}
END_TEST

/* ---- json --------------------------------------------------------------------- */

static json_t *parse(const char *text, aim_error *err)
{
    *err = (aim_error){0};
    return aim_json_parse(text, strlen(text), 0, "doc", err);
}

static const struct {
    const char *text;
    enum aim_code code;
} json_cases[] = {
    {"{}", AIM_OK},
    {"[1, 2.5, \"x\", null, true]", AIM_OK},
    {"{\"a\": 1, \"b\": {\"a\": 2}}", AIM_OK},
    {"", AIM_EFORMAT},
    {"{", AIM_EFORMAT},
    {"[1,]", AIM_EFORMAT},
    {"{} x", AIM_EFORMAT},
    {"\"bare\"", AIM_EFORMAT},
    {"{\"a\": 1, \"a\": 1}", AIM_EFORMAT},
    {"{\"a\": {\"b\": 1, \"b\": 2}}", AIM_EFORMAT},
    {"[\"\\ud800\"]", AIM_EFORMAT},
    {"[\"\xff\"]", AIM_EFORMAT},
    {"[1e999]", AIM_EFORMAT},
    {"[99999999999999999999]", AIM_EFORMAT},
    {"[NaN]", AIM_EFORMAT},
};

START_TEST(json_is_strict)
{
    aim_error err;
    json_t *doc = parse(json_cases[_i].text, &err);
    ck_assert_msg(err.code == json_cases[_i].code, "%s: %s", json_cases[_i].text, err.text);
    ck_assert((doc != NULL) == (err.code == AIM_OK));
    if (!doc)
        ck_assert_ptr_nonnull(strstr(err.text, "doc: line "));
    json_decref(doc);
}
END_TEST

/* Small text that takes much memory, and deep nesting. */
START_TEST(json_keeps_its_budget)
{
    enum { MANY = 4 << 20 };
    char *text = aim_malloc(MANY);
    text[0] = '[';
    for (int i = 1; i < MANY; i++)
        text[i] = "[],"[(i - 1) % 3];
    aim_error err = {0};
    ck_assert_ptr_null(aim_json_parse(text, MANY, 0, "body", &err));
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);
    err = (aim_error){0};
    memset(text, '[', MANY);
    ck_assert_ptr_null(aim_json_parse(text, MANY, 0, "body", &err));
    ck_assert_int_ne(err.code, AIM_OK);
    aim_free(text);
    json_t *doc = parse("[[], []]", &err); /* the budget starts anew */
    ck_assert_ptr_nonnull(doc);
    json_decref(doc);
    ck_assert_ptr_null(aim_json_parse("[1, 2, 3]", 9, 100, "body", &err));
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);
}
END_TEST

/* Strings of all lengths, with the budget or the memory ending anywhere in
 * them: the parser's buffer must not lose their end. */
START_TEST(json_strings_survive_any_end)
{
    char text[256] = "[\"";
    for (size_t len = 0; len < 200; len++) {
        memset(text + 2, 'a', len);
        memcpy(text + 2 + len, "\"]", 3);
        for (size_t budget = 1; budget < 1024; budget += 13) {
            aim_error err = {0};
            json_t *doc = aim_json_parse(text, len + 4, budget, "body", &err);
            ck_assert(doc || err.code == AIM_ETOOLARGE);
            json_decref(doc);
        }
        json_t *doc = NULL;
        for (int n = 0; !doc; n++) {
            aim_error err = {0};
            aim_alloc_fail_after(n);
            doc = parse(text, &err);
            aim_alloc_fail_after(-1);
            ck_assert(doc || err.code == AIM_ENOMEM);
        }
        json_decref(doc);
    }
}
END_TEST

START_TEST(json_survives_lack_of_memory)
{
    json_t *doc = NULL;
    aim_error err;
    for (int n = 0; !doc; n++) {
        aim_alloc_fail_after(n);
        doc = parse("{\"a\": [1, \"two\", {\"three\": 3.5}], \"b\": null}", &err);
        aim_alloc_fail_after(-1);
        if (!doc)
            ck_assert_int_eq(err.code, AIM_ENOMEM);
    }
    json_decref(doc);
}
END_TEST

START_TEST(typed_fields)
{
    aim_error err;
    json_t *doc = parse("{\"i\": 5, \"r\": 2.5, \"b\": true, \"s\": \"text\", \"n\": null}", &err);
    int64_t i = -1;
    double r = -1;
    bool b = false;
    const char *s = NULL;
    ck_assert_int_eq(aim_json_int(doc, "i", 0, 5, true, "doc", &i, &err), AIM_OK);
    ck_assert_int_eq(aim_json_number(doc, "r", 0, 3, true, "doc", &r, &err), AIM_OK);
    ck_assert_int_eq(aim_json_bool(doc, "b", true, "doc", &b, &err), AIM_OK);
    ck_assert_int_eq(aim_json_string(doc, "s", true, "doc", &s, &err), AIM_OK);
    ck_assert(i == 5 && r == 2.5 && b);
    ck_assert_str_eq(s, "text");
    ck_assert_int_eq(aim_json_number(doc, "i", 0, 9, true, "doc", &r, &err), AIM_OK);
    ck_assert_double_eq(r, 5);
    i = 77; /* missing and null leave the default */
    ck_assert_int_eq(aim_json_int(doc, "n", 0, 5, false, "doc", &i, &err), AIM_OK);
    ck_assert_int_eq(aim_json_int(doc, "missing", 0, 5, false, "doc", &i, &err), AIM_OK);
    ck_assert_int_eq(i, 77);
    json_decref(doc);
}
END_TEST

static const struct {
    const char *value;
    const char *wrong_for; /* of i(nteger in [0, 5]), r(eal in [0, 5]), b(ool), s(tring) */
} field_cases[] = {
    {"null", "irbs"}, {"6", "irbs"},    {"-1", "irbs"}, {"2.0", "ibs"}, {"5.5", "irbs"},
    {"true", "irs"},  {"\"1\"", "irb"}, {"[]", "irbs"}, {"0", "bs"},
};

START_TEST(wrong_fields_are_named)
{
    char text[64];
    snprintf(text, sizeof text, "{\"field\": %s}", field_cases[_i].value);
    aim_error errs[4] = {0};
    json_t *doc = parse(text, &errs[0]);
    int64_t i;
    double r;
    bool b;
    const char *s;
    aim_json_int(doc, "field", 0, 5, true, "doc", &i, &errs[0]);
    aim_json_number(doc, "field", 0, 5, true, "doc", &r, &errs[1]);
    aim_json_bool(doc, "field", true, "doc", &b, &errs[2]);
    aim_json_string(doc, "field", true, "doc", &s, &errs[3]);
    for (int k = 0; k < 4; k++) {
        bool wrong = strchr(field_cases[_i].wrong_for, "irbs"[k]) != NULL;
        ck_assert_msg(errs[k].code == (wrong ? AIM_EFORMAT : AIM_OK), "%s as %c: %s", text,
                      "irbs"[k], errs[k].text);
        if (wrong)
            ck_assert_str_eq(errs[k].param, "field");
    }
    json_decref(doc);
}
END_TEST

START_TEST(json_files)
{
    aim_error err = {0};
    make_folder();
    put_file("good.json", "{\"x\": 1}", 8);
    put_file("bad.json", "{\"x\": ", 6);
    char *good = path_of("good.json"), *bad = path_of("bad.json"), *gone = path_of("gone.json");
    json_t *doc = aim_json_load(good, 100, &err);
    ck_assert(doc && json_integer_value(json_object_get(doc, "x")) == 1);
    json_decref(doc);
    ck_assert_ptr_null(aim_json_load(bad, 100, &err));
    ck_assert_int_eq(err.code, AIM_EFORMAT);
    ck_assert_ptr_nonnull(strstr(err.text, "bad.json: line 1"));
    err = (aim_error){0};
    ck_assert_ptr_null(aim_json_load(gone, 100, &err));
    ck_assert_int_eq(err.code, AIM_ENOTFOUND);
    err = (aim_error){0};
    ck_assert_ptr_null(aim_json_load(good, 7, &err));
    ck_assert_int_eq(err.code, AIM_ETOOLARGE);
    drop("good.json");
    drop("bad.json");
    rmdir(folder);
    aim_free(good);
    aim_free(bad);
    aim_free(gone);
}
END_TEST

static Suite *base_suite(void)
{
    Suite *s = suite_create("base");
    TCase *memory = tcase_create("memory");
    tcase_add_test(memory, sizes_do_not_overflow);
    tcase_add_test(memory, nothing_is_something);
    tcase_add_test(memory, grow_doubles_and_keeps_content);
    tcase_add_test(memory, failed_growth_changes_nothing);
    tcase_add_test(memory, the_chosen_allocation_fails);
    tcase_add_loop_test(memory, big_memory_is_zeroed_and_aligned, 0, 8);
    tcase_add_test(memory, buffer_collects);
    tcase_add_test(memory, empty_buffer_steals_as_empty_text);
    tcase_add_test(memory, failed_buffer_stays_failed);
    suite_add_tcase(s, memory);
    TCase *system = tcase_create("system");
    tcase_add_test(system, first_failure_wins);
    tcase_add_test(system, long_texts_are_cut);
    tcase_add_test(system, digests_are_sha256);
    tcase_add_test(system, digests_of_a_million_letters);
    tcase_add_test(system, the_machine_is_known);
    tcase_add_test(system, files_are_read_whole_or_refused);
    tcase_add_test(system, a_map_without_address_space_lacks_memory);
    tcase_add_test(system, maps_take_bare_names_of_regular_files);
    suite_add_tcase(s, system);
    TCase *json = tcase_create("json");
    tcase_set_timeout(json, 60);
    tcase_add_loop_test(json, json_is_strict, 0, COUNT(json_cases));
    tcase_add_test(json, json_keeps_its_budget);
    tcase_add_test(json, json_strings_survive_any_end);
    tcase_add_test(json, json_survives_lack_of_memory);
    tcase_add_test(json, typed_fields);
    tcase_add_loop_test(json, wrong_fields_are_named, 0, COUNT(field_cases));
    tcase_add_test(json, json_files);
    suite_add_tcase(s, json);
    return s;
}

int main(void)
{
    aim_json_init();
    SRunner *runner = srunner_create(base_suite());
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
