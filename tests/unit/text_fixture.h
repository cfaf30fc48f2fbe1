/* SPDX-License-Identifier: Apache-2.0 */
/* text_fixture.h - what the tests of runtime/text/ have in common. */
#ifndef AIM_TESTS_UNIT_TEXT_FIXTURE_H
#define AIM_TESTS_UNIT_TEXT_FIXTURE_H

#include "tests/unit/byte_vocab.h"

#include "base/json.h"
#include "text/tokenizer.h"

#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

static inline const char *source_path(const char *name)
{
    static char path[4096];
    const char *top = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/%s", top ? top : ".", name);
    return path;
}

static inline aim_tokenizer *load(const char *folder)
{
    aim_error err = {0};
    aim_tokenizer *t = aim_tokenizer_load(source_path(folder), &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    return t;
}

static inline aim_tokenizer *small(json_t *doc)
{
    char *text = dump(doc);
    aim_error err = {0};
    aim_tokenizer *t = aim_tokenizer_parse(text, strlen(text), NULL, 0, &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    free_text(text);
    return t;
}

static inline aim_ids encode(const aim_tokenizer *t, const char *text, size_t len, unsigned flags)
{
    aim_ids ids = {0};
    aim_error err = {0};
    int code = aim_tokenizer_encode(t, text, len, flags, NULL, 0, &ids, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    return ids;
}

static inline aim_buf decode(const aim_tokenizer *t, const int32_t *ids, size_t n,
                             bool skip_special)
{
    aim_buf text = AIM_BUF_INIT;
    ck_assert_int_eq(aim_tokenizer_decode(t, ids, n, skip_special, &text, NULL), AIM_OK);
    return text;
}

static inline void expect_bytes(const aim_buf *got, const char *want, size_t len)
{
    ck_assert_uint_eq(got->len, len);
    if (len > 0)
        ck_assert_mem_eq(got->data, want, len);
}

static inline bool same_ids(const json_t *want, const int32_t *ids, size_t n)
{
    bool same = json_array_size(want) == n;
    for (size_t i = 0; same && i < n; i++)
        same = json_integer_value(json_array_get(want, i)) == ids[i];
    return same;
}

/* A generator for test inputs (xorshift64*); the state may not be 0. */
static inline uint32_t random_below(uint64_t *state, uint32_t n)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return (uint32_t)((*state * UINT64_C(2685821657736338717) >> 33) % n);
}

/* Run a suite as the main function of a test does. */
static inline int run_suite(Suite *suite)
{
    aim_json_init();
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* A megabyte of unit over and over becomes so many tokens. Quadratic work would take
 * many minutes here. */
static inline void expect_long_text(const aim_tokenizer *t, const char *unit, size_t tokens)
{
    size_t len = 1 << 20, n = strlen(unit);
    char *text = malloc(len);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < len; i++)
        text[i] = unit[i % n];
    aim_ids ids = encode(t, text, len, 0);
    ck_assert_uint_eq(ids.n, tokens);
    aim_ids_free(&ids);
    free(text);
}

#endif
