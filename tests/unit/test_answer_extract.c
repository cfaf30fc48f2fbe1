/* SPDX-License-Identifier: Apache-2.0 */
/* Where the answer stands in a text: a table, patterns that are wrong or take long, long
 * texts, and a lack of memory at any point. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "text/answer_internal.h"

static aim_answer_pattern *compile(const char *pattern)
{
    aim_error err = {0};
    aim_answer_pattern *p = aim_answer_pattern_new(pattern, strlen(pattern), &err);
    ck_assert_msg(p != NULL, "%s: %s", pattern, err.text);
    return p;
}

/* ---- the table ------------------------------------------------------------------- */

static void check_row(const json_t *row)
{
    const json_t *text = json_object_get(row, "text"), *want = json_object_get(row, "answer");
    const char *pattern = json_string_value(json_object_get(row, "pattern"));
    aim_answer_pattern *p = pattern ? compile(pattern) : NULL;
    aim_buf got = AIM_BUF_INIT;
    bool any = aim_answer_extract(json_string_value(text), json_string_length(text), p, &got);
    if (any != json_is_string(want) || (any && strcmp(got.data, json_string_value(want)) != 0))
        ck_abort_msg("in '%s' is %s", json_string_value(text), any ? got.data : "none");
    if (!any)
        ck_assert_uint_eq(got.len, 0);
    aim_buf_free(&got);
    aim_answer_pattern_free(p);
}

START_TEST(answers_are_where_the_table_says)
{
    FILE *f = fopen(source_path("tests/data/text/answers_in_texts.jsonl"), "r");
    char line[4096];
    int n = 0;
    ck_assert(f != NULL);
    for (; fgets(line, sizeof line, f); n++) {
        json_t *row = json_loads(line, 0, NULL);
        ck_assert_msg(row != NULL, "%s", line);
        check_row(row);
        json_decref(row);
    }
    fclose(f);
    ck_assert_int_ge(n, 60);
}
END_TEST

/* ---- lengths --------------------------------------------------------------------- */

/* \boxed{ and n digits }, behind as much text. */
static aim_buf boxed(size_t n)
{
    aim_buf text = AIM_BUF_INIT;
    for (size_t i = 0; i < n; i++)
        aim_buf_puts(&text, "7");
    aim_buf_puts(&text, " \\boxed{");
    for (size_t i = 0; i < n; i++)
        aim_buf_puts(&text, "1");
    aim_buf_puts(&text, "}");
    return text;
}

START_TEST(an_answer_has_a_limit)
{
    static const struct {
        size_t len;
        bool any;
    } cases[] = {{1, true}, {AIM_MAX_ANSWER, true}, {AIM_MAX_ANSWER + 1, false}, {10240, false}};
    for (int i = 0; i < COUNT(cases); i++) {
        aim_buf text = boxed(cases[i].len), got = AIM_BUF_INIT;
        ck_assert_int_eq(aim_answer_extract(text.data, text.len, NULL, &got), cases[i].any);
        ck_assert_uint_eq(got.len, cases[i].any ? cases[i].len : 0);
        ck_assert(!got.failed);
        aim_buf_free(&got);
        aim_buf_free(&text);
    }
}
END_TEST

static const char *const units[] = {
    "1",
    "-",
    ".",
    "1,",
    "boxed",
    "boxed{",
    "{",
    "}",
    "he answer is ",
    "final answer is $",
    "$. I hope",
    "final answer is",
    " ",
    "\n",
    "1.",
    "\xff",
};

/* Quadratic work would take minutes here. */
START_TEST(long_texts_end)
{
    size_t len = 1 << 20, n = strlen(units[_i]);
    char *text = malloc(len);
    aim_answer_pattern *p = compile("Answer: *([0-9]+)");
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < len; i++)
        text[i] = units[_i][i % n];
    aim_buf got = AIM_BUF_INIT;
    aim_answer_extract(text, len, NULL, &got);
    aim_answer_extract(text, len, p, &got);
    ck_assert(!got.failed);
    aim_buf_free(&got);
    aim_answer_pattern_free(p);
    free(text);
}
END_TEST

/* ---- patterns -------------------------------------------------------------------- */

static const struct {
    const char *pattern, *reason;
} refusals[] = {
    {"", "answer_pattern has 0 bytes; it must have 1 to 1024"},
    {"(", "answer_pattern does not compile, at byte 1: missing closing parenthesis"},
    {"a)", "answer_pattern does not compile, at byte 1: unmatched closing parenthesis"},
    {"[a", "answer_pattern does not compile, at byte 2: missing terminating ]"
           " for character class"},
    {"*", "answer_pattern does not compile, at byte 0: quantifier does not follow a"
          " repeatable item"},
    {"\\C", "answer_pattern does not compile, at byte 2: using \\C is disabled by the"
            " application"},
    {"\xff", "answer_pattern does not compile, at byte 0: UTF-8 error: illegal byte"
             " (0xfe or 0xff)"},
};

START_TEST(pattern_is_refused)
{
    aim_error err = {0};
    const char *pattern = refusals[_i].pattern;
    ck_assert_ptr_null(aim_answer_pattern_new(pattern, strlen(pattern), &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.param, "answer_pattern");
    ck_assert_str_eq(err.text, refusals[_i].reason);
}
END_TEST

START_TEST(pattern_has_a_limit)
{
    char pattern[AIM_MAX_ANSWER_PATTERN + 1];
    aim_error err = {0};
    memset(pattern, 'a', sizeof pattern);
    aim_answer_pattern_free(aim_answer_pattern_new(pattern, AIM_MAX_ANSWER_PATTERN, &err));
    ck_assert_int_eq(err.code, AIM_OK);
    ck_assert_ptr_null(aim_answer_pattern_new(pattern, sizeof pattern, &err));
    ck_assert_str_eq(err.text, "answer_pattern has 1025 bytes; it must have 1 to 1024");
}
END_TEST

/* None of them needs a certain letter, for the lack of which a text would be given up. */
static const char *const slow[] = {
    "(a+)+[bc]",           "(a|aa)+$[bc]", "(a*)*[bc]",       "a*+[bc]",
    "(?:a?){30}a{30}[bc]", ".*.*.*[bc]",   "(?R)?a(?R)?[bc]", "((a{0,9}){0,9}){0,9}[bc]",
    "(.)(?=.*\\1[bc])",    "(?>a+)(?<=b)",
};

/* Ways that fail after a pass through the text, in which PCRE2 makes no callout. */
static const char *const silent[] = {
    "|\\X{60000}", "|a{60000}", "|[^\n]{60000}+", "|\\pL{60000}", "|(?<=a{60000})a", "|(a+)\\1b",
};

/* A hundred kilobytes on which these patterns would take for ever, and always the same
 * outcome: no answer. */
START_TEST(slow_pattern_ends)
{
    size_t len = 100000;
    char *text = malloc(len);
    aim_answer_pattern *p = compile(slow[_i]);
    aim_buf got = AIM_BUF_INIT;
    ck_assert_ptr_nonnull(text);
    memset(text, 'a', len);
    ck_assert(!aim_answer_extract(text, len, p, &got));
    ck_assert(!got.failed);
    aim_buf_free(&got);
    aim_answer_pattern_free(p);
    free(text);
}
END_TEST

/* As many of them as a pattern holds are given up, where the work is up to its limit. */
START_TEST(silent_work_is_counted)
{
    static char text[AIM_MAX_ANSWER_SEARCH];
    aim_buf pattern = AIM_BUF_INIT;
    memset(text, 'a', sizeof text);
    aim_buf_puts(&pattern, "(?:y");
    while (pattern.len + strlen(silent[_i]) < AIM_MAX_ANSWER_PATTERN)
        aim_buf_puts(&pattern, silent[_i]);
    aim_buf_puts(&pattern, ")");
    aim_answer_pattern *p = compile(pattern.data);
    struct aim__answer_match m = aim__answer_match(p, (struct aim__slice){text, sizeof text});
    ck_assert(m.gave_up && !m.any && !m.no_memory);
    ck_assert_uint_eq(m.work, AIM__ANSWER_WORK);
    aim_answer_pattern_free(p);
    aim_buf_free(&pattern);
}
END_TEST

START_TEST(only_the_end_is_searched)
{
    static char text[AIM_MAX_ANSWER_SEARCH + 8];
    memset(text, 'a', sizeof text);
    memcpy(text, "xxxxxxxxx", 9);
    aim_answer_pattern *p = compile("x+");
    aim_buf got = AIM_BUF_INIT;
    ck_assert(aim_answer_extract(text, sizeof text, p, &got));
    ck_assert_str_eq(got.data, "x");
    text[8] = 'a';
    ck_assert(!aim_answer_extract(text, sizeof text, p, &got));
    aim_buf_free(&got);
    aim_answer_pattern_free(p);
}
END_TEST

START_TEST(broken_text_is_searched)
{
    static const char text[] = "\xff\xfe 12 \x80\xe6\x97 34 \xc3";
    aim_answer_pattern *p = compile("(\\d+) .");
    aim_buf got = AIM_BUF_INIT;
    ck_assert(aim_answer_extract(text, strlen(text), p, &got));
    ck_assert_str_eq(got.data, "34");
    aim_buf_free(&got);
    aim_answer_pattern_free(p);

    p = compile(".+");
    ck_assert(aim_answer_extract(text, strlen(text), p, &got));
    ck_assert_str_eq(got.data, text);
    aim_buf_free(&got);
    aim_answer_pattern_free(p);
}
END_TEST

/* Of a text that is no UTF-8, so that it is copied as well. */
static bool compile_and_extract(aim_error *err, aim_buf *got)
{
    static const char text[] = "\xff Answer: 42";
    aim_answer_pattern *p = aim_answer_pattern_new("Answer: (.*)", 12, err);
    bool any = p && aim_answer_extract(text, strlen(text), p, got);
    aim_answer_pattern_free(p);
    return any;
}

START_TEST(every_allocation_may_fail)
{
    bool any = false;
    for (int n = 0; !any; n++) {
        aim_error err = {0};
        aim_buf got = AIM_BUF_INIT;
        aim_alloc_fail_after(n);
        any = compile_and_extract(&err, &got);
        aim_alloc_fail_after(-1);
        ck_assert_int_lt(n, 100);
        if (any)
            ck_assert_str_eq(got.data, "42");
        else
            ck_assert(err.code == AIM_ENOMEM || got.failed);
        aim_buf_free(&got);
    }
}
END_TEST

static Suite *extract_suite(void)
{
    Suite *s = suite_create("answer_extract");
    TCase *places = tcase_create("places");
    tcase_add_test(places, answers_are_where_the_table_says);
    tcase_add_test(places, an_answer_has_a_limit);
    tcase_add_loop_test(places, long_texts_end, 0, COUNT(units));
    tcase_set_timeout(places, 120);
    suite_add_tcase(s, places);

    TCase *patterns = tcase_create("patterns");
    tcase_add_loop_test(patterns, pattern_is_refused, 0, COUNT(refusals));
    tcase_add_test(patterns, pattern_has_a_limit);
    tcase_add_loop_test(patterns, slow_pattern_ends, 0, COUNT(slow));
    tcase_add_loop_test(patterns, silent_work_is_counted, 0, COUNT(silent));
    tcase_add_test(patterns, only_the_end_is_searched);
    tcase_add_test(patterns, broken_text_is_searched);
    tcase_add_test(patterns, every_allocation_may_fail);
    tcase_set_timeout(patterns, 120);
    suite_add_tcase(s, patterns);
    return s;
}

int main(void)
{
    return run_suite(extract_suite());
}
