/* SPDX-License-Identifier: Apache-2.0 */
/* Text to words: against the words of the reference library, what is refused,
 * and a lack of memory at any point. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "text/tokenizer_internal.h"

#define PRE "tokenizer.json: pre_tokenizer"

/* Read the pre-tokenizer of a tokenizer.json. */
static int read_root(aim_tokenizer *t, const json_t *root, aim_error *err)
{
    *t = (aim_tokenizer){0};
    return aim__read_pretokenizer(t, root, err);
}

/* As this, of the pre-tokenizer alone, which is released. */
static int read_json(aim_tokenizer *t, json_t *pre_tokenizer, aim_error *err)
{
    json_t *root = json_pack("{s:o}", "pre_tokenizer", pre_tokenizer);
    int code = read_root(t, root, err);
    json_decref(root);
    return code;
}

/* Of this there is always enough. */
static struct aim__allowance plenty = {SIZE_MAX, UINT64_MAX};

/* ---- the reference library ------------------------------------------------------- */

/* Collects words in an array; a word that is no text would be NULL. */
static int on_word(void *arg, const char *word, size_t n)
{
    return json_array_append_new(arg, json_stringn(word, n)) == 0 ? AIM_OK : AIM_EINTERNAL;
}

static void check_words(const struct aim__pretokenizer *p, const json_t *text, const json_t *want)
{
    json_t *got = json_array();
    aim_error err = {0};
    int code = aim__pretokenizer_run(p, json_string_value(text), json_string_length(text), true,
                                     &plenty, on_word, got, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    if (!json_equal(got, want))
        ck_abort_msg("\"%s\" is cut into %s", json_string_value(text),
                     json_dumps(got, JSON_COMPACT));
    json_decref(got);
}

static void check_setting(const json_t *setting, const json_t *cases)
{
    aim_tokenizer t;
    aim_error err = {0};
    size_t i;
    json_t *row;
    int code = read_json(&t, json_deep_copy(setting), &err);
    char *shown = json_dumps(setting, JSON_COMPACT | JSON_ENCODE_ANY);
    ck_assert_msg(code == AIM_OK, "%s: %s", shown, err.text);
    ck_assert_int_eq(t.pretokenizer.byte_level, strstr(shown, "ByteLevel") != NULL);
    ck_assert_uint_gt(json_array_size(cases), 30);
    json_array_foreach(cases, i, row)
    {
        check_words(&t.pretokenizer, json_array_get(row, 0), json_array_get(row, 1));
    }
    aim__pretokenizer_fini(&t.pretokenizer);
    free_text(shown);
}

START_TEST(equals_the_reference)
{
    FILE *f = fopen(source_path("tests/data/text/pretokenizers.jsonl"), "r");
    char line[1 << 14];
    int n = 0;
    ck_assert_ptr_nonnull(f);
    for (; fgets(line, sizeof line, f); n++) {
        json_t *row = json_loads(line, JSON_ALLOW_NUL, NULL);
        ck_assert_ptr_nonnull(row);
        check_setting(json_object_get(row, "pre_tokenizer"), json_object_get(row, "cases"));
        json_decref(row);
    }
    fclose(f);
    ck_assert_int_gt(n, 100);
}
END_TEST

/* Only text that begins here gets the character of "first" in front. */
START_TEST(first_is_the_beginning_of_the_text)
{
    aim_tokenizer t;
    json_t *first = json_pack("{s:s,s:s,s:s}", "type", "Metaspace", "replacement", "_",
                              "prepend_scheme", "first");
    json_t *words = json_array(), *want = json_pack("[s,s]", "a", "_b");
    ck_assert_int_eq(read_json(&t, first, NULL), AIM_OK);
    ck_assert_int_eq(
        aim__pretokenizer_run(&t.pretokenizer, "a b", 3, false, &plenty, on_word, words, NULL),
        AIM_OK);
    ck_assert(json_equal(words, want));
    json_decref(words);
    json_decref(want);
    aim__pretokenizer_fini(&t.pretokenizer);
}
END_TEST

/* ---- refused ----------------------------------------------------------------------- */

static const struct {
    const char *json;
    enum aim_code code;
    const char *text;
} refusals[] = {
    {"[]", AIM_EFORMAT, PRE ": must be an object"},
    {"{}", AIM_EFORMAT, PRE ": \"type\" is missing"},
    {"{\"type\":\"Punctuation\"}", AIM_EUNSUPPORTED,
     PRE ": \"type\" is \"Punctuation\", which is not supported"},
    {"{\"type\":\"UnicodeScripts\"}", AIM_EUNSUPPORTED,
     PRE ": \"type\" is \"UnicodeScripts\", which is not supported"},
    {"{\"type\":\"Digits\"}", AIM_EFORMAT, PRE ": \"individual_digits\" is missing"},
    {"{\"type\":\"ByteLevel\"}", AIM_EFORMAT, PRE ": \"add_prefix_space\" is missing"},
    {"{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"use_regex\":1}", AIM_EFORMAT,
     PRE ": \"use_regex\" must be true or false"},
    {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"}}", AIM_EFORMAT,
     PRE ": \"behavior\" is missing"},
    {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"isolated\"}",
     AIM_EUNSUPPORTED, PRE ": \"behavior\" is \"isolated\", which is not supported"},
    {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"a\"},\"behavior\":\"Isolated\",\"invert\":0}",
     AIM_EFORMAT, PRE ": \"invert\" must be true or false"},
    {"{\"type\":\"Split\",\"pattern\":{},\"behavior\":\"Isolated\"}", AIM_EFORMAT,
     PRE ": \"Regex\" is missing"},
    {"{\"type\":\"Split\",\"pattern\":\" \",\"behavior\":\"Isolated\"}", AIM_EFORMAT,
     PRE ": \"Regex\" is missing"},
    {"{\"type\":\"Split\",\"pattern\":{\"String\":\"\"},\"behavior\":\"Isolated\"}",
     AIM_EUNSUPPORTED, PRE ": \"pattern\" is {\"String\":\"\"}, which is not supported"},
    {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\"},\"behavior\":\"Isolated\"}",
     AIM_EUNSUPPORTED, PRE ": \"pattern\" is {\"Regex\":\"\"}, which is not supported"},
    {"{\"type\":\"Split\",\"pattern\":{\"Regex\":\"\\\\w\"},\"behavior\":\"Removed\"}",
     AIM_EUNSUPPORTED, PRE ": the pattern has \"\\w\" at 0, which is not supported"},
    {"{\"type\":\"Metaspace\"}", AIM_EFORMAT, PRE ": \"replacement\" is missing"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"\"}", AIM_EFORMAT,
     PRE ": \"replacement\" must be one character"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"__\"}", AIM_EFORMAT,
     PRE ": \"replacement\" must be one character"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"_\",\"prepend_scheme\":\"last\"}", AIM_EUNSUPPORTED,
     PRE ": \"prepend_scheme\" is \"last\", which is not supported"},
    {"{\"type\":\"Metaspace\",\"replacement\":\"_\",\"add_prefix_space\":false,"
     "\"prepend_scheme\":\"first\"}",
     AIM_EFORMAT, PRE ": \"add_prefix_space\" is false, but \"prepend_scheme\" is not \"never\""},
    {"{\"type\":\"Sequence\"}", AIM_EFORMAT, PRE ": \"pretokenizers\" must be an array"},
    {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Whitespace\"},"
     "{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"Bert\"}]}]}",
     AIM_EUNSUPPORTED,
     PRE ".pretokenizers[1].pretokenizers[0]: \"type\" is \"Bert\", which is not supported"},
    {"{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":\"ByteLevel\",\"add_prefix_space\":false}"
     ","
     "{\"type\":\"Digits\",\"individual_digits\":true}]}",
     AIM_EUNSUPPORTED,
     PRE ".pretokenizers[1]: \"type\" is \"Digits\" after ByteLevel, which is not supported"},
};

static void expect_refusal(json_t *setting, enum aim_code code, const char *text)
{
    aim_tokenizer t;
    aim_error err = {0};
    ck_assert_int_eq(read_json(&t, setting, &err), code);
    ck_assert_str_eq(err.text, text);
    ck_assert_int_eq(err.code, code);
    aim__pretokenizer_fini(&t.pretokenizer);
}

START_TEST(setting_is_refused_by_name)
{
    json_t *setting = json_loads(refusals[_i].json, 0, NULL);
    ck_assert_ptr_nonnull(setting);
    expect_refusal(setting, refusals[_i].code, refusals[_i].text);
}
END_TEST

START_TEST(steps_are_capped)
{
    json_t *list = json_array();
    for (int i = 0; i < 9; i++)
        json_array_append_new(
            list, json_pack("{s:s,s:s}", "type", "Metaspace", "replacement", i % 2 ? "_" : "-"));
    expect_refusal(json_pack("{s:s,s:o}", "type", "Sequence", "pretokenizers", list), AIM_ETOOLARGE,
                   PRE ".pretokenizers[8]: at most 16 steps are allowed");
}
END_TEST

START_TEST(nesting_is_capped)
{
    json_t *setting = json_pack("{s:s}", "type", "WhitespaceSplit");
    for (int i = 0; i < 5; i++)
        setting = json_pack("{s:s,s:[o]}", "type", "Sequence", "pretokenizers", setting);
    expect_refusal(setting, AIM_ETOOLARGE,
                   PRE ".pretokenizers[0].pretokenizers[0].pretokenizers[0].pretokenizers[0]: a "
                       "Sequence within 4 others is not supported");
}
END_TEST

/* ---- limits ------------------------------------------------------------------------ */

/* Steps that change text, and cut it by a scanner, a fixed text and a pattern. */
#define MANY_STEPS                                                                                 \
    "{\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":["                                \
    "{\"type\":\"Metaspace\",\"replacement\":\"_\"},"                                              \
    "{\"type\":\"Digits\",\"individual_digits\":true},"                                            \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"x+\"},\"behavior\":\"Removed\"},"                \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":true}]}}"

static int count_word(void *arg, const char *word, size_t n)
{
    (void)word;
    *(size_t *)arg += n;
    return AIM_OK;
}

static int read_and_run(const json_t *root, size_t *bytes, aim_error *err)
{
    static const char text[] = "a bc1xx2 d";
    aim_tokenizer t;
    *bytes = 0;
    int code = read_root(&t, root, err);
    if (!code)
        code = aim__pretokenizer_run(&t.pretokenizer, text, sizeof text - 1, true, &plenty,
                                     count_word, bytes, err);
    aim__pretokenizer_fini(&t.pretokenizer);
    return code;
}

START_TEST(every_allocation_may_fail)
{
    json_t *root = json_loads(MANY_STEPS, 0, NULL);
    size_t bytes;
    int code = AIM_ENOMEM, n;
    for (n = 0; code && n < 1000; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        code = read_and_run(root, &bytes, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, code);
        if (code)
            ck_assert_int_eq(code, AIM_ENOMEM);
    }
    ck_assert_int_gt(n, 8);
    /* " _a", " _bc", " 1", " 2", " _d" */
    ck_assert_uint_eq(bytes, 3 + 4 + 2 + 2 + 3);
    json_decref(root);
}
END_TEST

START_TEST(deadline_ends_a_pattern)
{
    json_t *root = json_loads(MANY_STEPS, 0, NULL);
    aim_tokenizer t;
    aim_error err = {0};
    struct aim__allowance late = {SIZE_MAX, 0};
    size_t bytes = 0;
    ck_assert_int_eq(read_root(&t, root, NULL), AIM_OK);
    int code =
        aim__pretokenizer_run(&t.pretokenizer, "a", 1, true, &late, count_word, &bytes, &err);
    ck_assert_int_eq(code, AIM_EINVAL);
    ck_assert_str_eq(err.text, "the tokenizer's pattern takes too long to split this text");
    ck_assert_uint_eq(bytes, 0);
    aim__pretokenizer_fini(&t.pretokenizer);
    json_decref(root);
}
END_TEST

static const char *const long_texts[] = {
    "a", " ", "1", "_", "\n", "A", "aA", "x1 ", "\xF0\x9F\x98\x80", "e\xCC\x81", "\xD7\x90",
};

/* Quadratic work would take many minutes here. */
START_TEST(long_texts_end)
{
    FILE *f = fopen(source_path("tests/data/text/pretokenizers.jsonl"), "r");
    size_t len = 1 << 16, unit = strlen(long_texts[_i]), bytes = 0;
    char line[1 << 14], *text = malloc(len);
    ck_assert(f != NULL && text != NULL);
    len -= len % unit;
    for (size_t i = 0; i < len; i++)
        text[i] = long_texts[_i][i % unit];
    while (fgets(line, sizeof line, f)) {
        aim_tokenizer t;
        aim_error err = {0};
        json_t *root = json_loads(line, JSON_ALLOW_NUL, NULL);
        int code = read_root(&t, root, &err);
        if (!code)
            code = aim__pretokenizer_run(&t.pretokenizer, text, len, true, &plenty, count_word,
                                         &bytes, &err);
        ck_assert_msg(code == AIM_OK, "%.80s: %s", line, err.text);
        aim__pretokenizer_fini(&t.pretokenizer);
        json_decref(root);
    }
    fclose(f);
    free(text);
}
END_TEST

static Suite *pretokenizer_suite(void)
{
    Suite *s = suite_create("pretokenizer");
    TCase *words = tcase_create("words");
    tcase_add_test(words, equals_the_reference);
    tcase_add_test(words, first_is_the_beginning_of_the_text);
    suite_add_tcase(s, words);

    TCase *refused = tcase_create("refused");
    tcase_add_loop_test(refused, setting_is_refused_by_name, 0, COUNT(refusals));
    tcase_add_test(refused, steps_are_capped);
    tcase_add_test(refused, nesting_is_capped);
    suite_add_tcase(s, refused);

    TCase *limits = tcase_create("limits");
    tcase_add_test(limits, every_allocation_may_fail);
    tcase_add_test(limits, deadline_ends_a_pattern);
    tcase_add_loop_test(limits, long_texts_end, 0, COUNT(long_texts));
    tcase_set_timeout(limits, 300);
    suite_add_tcase(s, limits);
    return s;
}

int main(void)
{
    return run_suite(pretokenizer_suite());
}
