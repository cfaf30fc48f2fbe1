/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal numbers and ages: what is taken, to the last bit, and what is not. */
#include "base/decimal.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) ((int)(sizeof(a) / sizeof((a)[0])))

static const struct {
    const char *text;
    double value;
    const char *rest;
} numbers[] = {
    {"0", 0, ""},
    {"12", 12, ""},
    {"007", 7, ""},
    {"0.5", 0.5, ""},
    {"0.1", 0.1, ""},
    {"14.25x", 14.25, "x"},
    {"1.", 1, "."},
    {"1..5", 1, "..5"},
    {"1.5.5", 1.5, ".5"},
    {"1e3", 1, "e3"},
    {"0x10", 0, "x10"},
    {"1 ", 1, " "},
    {"999999999999999", 999999999999999.0, ""},
    {"0.12345678901234", 0.12345678901234, ""},
    {"123456.789012345", 123456.789012345, ""},
};

START_TEST(a_number_is_the_nearest_double)
{
    double value = -1;
    const char *rest = NULL;
    ck_assert_msg(aim_parse_decimal(numbers[_i].text, &value, &rest), "%s", numbers[_i].text);
    ck_assert_msg(value == numbers[_i].value, "%s: %.17g", numbers[_i].text, value);
    ck_assert_str_eq(rest, numbers[_i].rest);
}
END_TEST

static const char *const no_numbers[] = {
    "",
    " ",
    "-1",
    "+1",
    ".5",
    "nan",
    "inf",
    " 1",
    "x",
    "--",
    "\t2",
    "\xd9\xa3", /* an Arabic three */
    "s",
    "-0",
    "e",
    "1000000000000000",
    "0.000000000000001",
    "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
    "0.33333333333333333333333333333333333333333333333333333333333333333333333333333333333",
};

START_TEST(what_is_no_number_changes_nothing)
{
    double value = -1;
    const char *rest = "untouched";
    ck_assert_msg(!aim_parse_decimal(no_numbers[_i], &value, &rest), "%s", no_numbers[_i]);
    ck_assert_double_eq(value, -1);
    ck_assert_str_eq(rest, "untouched");
}
END_TEST

static const struct {
    const char *text;
    double seconds;
} ages[] = {
    {"0", 0},        {"60", 60},         {"60s", 60},    {"30m", 1800},
    {"1h", 3600},    {"1.5h", 5400},     {"1d", 86400},  {"30d", 2592000},
    {"1y", 31536e3}, {"1000y", 31536e6}, {"0.25", 0.25}, {"31536000000", 31536e6},
    {"0y", 0},
};

START_TEST(an_age_is_seconds)
{
    aim_error err = {0};
    double seconds = -1;
    ck_assert_msg(aim_parse_age(ages[_i].text, &seconds, &err) == 0, "%s", err.text);
    ck_assert_msg(seconds == ages[_i].seconds, "%s: %.17g", ages[_i].text, seconds);
}
END_TEST

static const struct {
    const char *text, *error;
} no_ages[] = {
    {"", "\"\" is not an age, such as 60, 30m, 1.5h, 1d or 1y"},
    {"d", "\"d\" is not an age"},
    {"1 d", "is not an age"},
    {" 1d", "is not an age"},
    {"1d ", "is not an age"},
    {"1D", "is not an age"},
    {"1w", "is not an age"},
    {"1min", "is not an age"},
    {"1d1h", "is not an age"},
    {"1.d", "is not an age"},
    {".5d", "is not an age"},
    {"1,5h", "is not an age"},
    {"-1", "is not an age"},
    {"1e3", "is not an age"},
    {"nan", "is not an age"},
    {"inf", "is not an age"},
    {"0x1", "is not an age"},
    {"1000000000000000", "is not an age"}, /* too many digits to be exact */
    {"999999999999999y", "between 0 seconds and 1000 years"},
    {"1000.01y", "between 0 seconds and 1000 years"},
    {"31536000001", "between 0 seconds and 1000 years, not 3.1536e+10 s"},
};

START_TEST(what_is_no_age_is_refused)
{
    aim_error err = {0};
    double seconds = -1;
    ck_assert_int_eq(aim_parse_age(no_ages[_i].text, &seconds, &err), AIM_EINVAL);
    ck_assert_msg(strstr(err.text, no_ages[_i].error), "%s: %s", no_ages[_i].text, err.text);
    ck_assert_double_eq(seconds, -1);
}
END_TEST

START_TEST(long_text_is_told_in_part)
{
    static const char age[4096] = {[0] = '1', [1 ... 4094] = 'x'};
    aim_error err = {0};
    double seconds;
    ck_assert_int_eq(aim_parse_age(age, &seconds, &err), AIM_EINVAL);
    ck_assert_uint_lt(strlen(err.text), 200);
}
END_TEST

START_TEST(ages_that_come_as_numbers_are_checked)
{
    static const double good[] = {0, -0.0, 1e-300, 86400, AIM_MAX_AGE};
    static const double bad[] = {-1, -1e-300, AIM_MAX_AGE * 1.001, 1e300, INFINITY, -INFINITY, NAN};
    for (int i = 0; i < COUNT(good); i++)
        ck_assert_int_eq(aim_check_age(good[i], NULL), 0);
    for (int i = 0; i < COUNT(bad); i++)
        ck_assert_int_eq(aim_check_age(bad[i], NULL), AIM_EINVAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("decimal");
    TCase *all = tcase_create("numbers and ages");
    tcase_add_loop_test(all, a_number_is_the_nearest_double, 0, COUNT(numbers));
    tcase_add_loop_test(all, what_is_no_number_changes_nothing, 0, COUNT(no_numbers));
    tcase_add_loop_test(all, an_age_is_seconds, 0, COUNT(ages));
    tcase_add_loop_test(all, what_is_no_age_is_refused, 0, COUNT(no_ages));
    tcase_add_test(all, long_text_is_told_in_part);
    tcase_add_test(all, ages_that_come_as_numbers_are_checked);
    suite_add_tcase(suite, all);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
