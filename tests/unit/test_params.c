/* SPDX-License-Identifier: Apache-2.0 */
/* The table of request fields: every row's type and range, what is refused,
 * what is unknown, and that docs/api.md shows the table as it is. */
#include "base/alloc.h"
#include "base/file.h"
#include "base/json.h"
#include "server/params_rows.h"

#include <check.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum aimd_body_route routes[] = {
    AIMD_COMPLETIONS,    AIMD_CHAT,  AIMD_TOKENIZE, AIMD_DETOKENIZE,
    AIMD_APPLY_TEMPLATE, AIMD_SCORE, AIMD_POOLING,  AIMD_RERANK,
};
enum { N_ROUTES = sizeof routes / sizeof routes[0] };

static const aimd_options options = {
    .max_n = 16,
    .max_prompts = 4,
    .max_stop_strings = 4,
    .max_logit_bias = 3,
    .max_top_logprobs = 20,
    .max_best_of = 64,
};

static int read_text(const char *text, enum aimd_body_route route, const aimd_options *o,
                     aimd_params *p, aim_buf *unknown, aim_error *err)
{
    json_t *body = aimd_body_parse(text, strlen(text), err);
    if (!body)
        return (int)err->code;
    int code = aimd_params_read(body, route, o, p, unknown, err);
    json_decref(body);
    return code;
}

/* Read {"name": value}, or {"a": {"b": value}} for the name a.b, on each route
 * of the row; expect this code, and on failure the row's name as param. */
static void expect(const aimd_param *row, const char *value, int want)
{
    char text[512];
    const char *dot = strchr(row->name, '.');
    if (dot)
        snprintf(text, sizeof text, "{\"%.*s\": {\"%s\": %s}}", (int)(dot - row->name), row->name,
                 dot + 1, value);
    else
        snprintf(text, sizeof text, "{\"%s\": %s}", row->name, value);
    for (int i = 0; i < N_ROUTES; i++) {
        if (!(row->routes & routes[i]))
            continue;
        aimd_params p;
        aim_buf unknown = AIM_BUF_INIT;
        aim_error err = {0};
        int code = read_text(text, routes[i], &options, &p, &unknown, &err);
        ck_assert_msg(code == want, "%s: code %d, want %d: %s", text, code, want, err.text);
        ck_assert_uint_eq(unknown.len, 0);
        if (want) {
            ck_assert_str_eq(err.param, row->name);
            ck_assert_str_ne(err.text, "");
        }
        aim_buf_free(&unknown);
    }
}

static int64_t upper(const aimd_param *row)
{
    return row->cap ? *(const int *)((const char *)&options + row->cap_offset) : row->hi;
}

static void expect_int(const aimd_param *row, int64_t value, int want)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRId64, value);
    expect(row, text, want);
}

static void check_int_row(const aimd_param *row)
{
    static const char *const wrong[] = {"\"1\"", "true", "1.5", "1.0", "1e300", "[]", "{}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(row, wrong[i], AIM_EINVAL);
    expect_int(row, row->lo, AIM_OK);
    expect_int(row, upper(row), AIM_OK);
    expect_int(row, row->lo - 1, AIM_EINVAL);
    expect_int(row, INT64_MIN, AIM_EINVAL);
    if (upper(row) < INT64_MAX) {
        expect_int(row, upper(row) + 1, AIM_EINVAL);
        expect_int(row, INT64_MAX, AIM_EINVAL);
    }
}

static void check_number_row(const aimd_param *row)
{
    static const char *const wrong[] = {"\"1\"", "true", "1e300", "-1e300", "9223372036854775807",
                                        "[]"};
    char text[32];
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(row, wrong[i], AIM_EINVAL);
    snprintf(text, sizeof text, "%.17g", row->min);
    expect(row, text, AIM_OK);
    snprintf(text, sizeof text, "%.17g", row->max);
    expect(row, text, AIM_OK);
    snprintf(text, sizeof text, "%.17g", nextafter(row->min, -1e9));
    expect(row, text, AIM_EINVAL);
    snprintf(text, sizeof text, "%.17g", nextafter(row->max, 1e9));
    expect(row, text, AIM_EINVAL);
}

static void check_bool_row(const aimd_param *row)
{
    static const char *const wrong[] = {"1", "0", "\"true\"", "[]", "1.0"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect(row, wrong[i], AIM_EINVAL);
    expect(row, "true", AIM_OK);
    expect(row, "false", AIM_OK);
}

static void check_refused_row(const aimd_param *row)
{
    json_t *neutral = json_loads(row->neutral, 0, NULL);
    ck_assert_msg(json_is_array(neutral), "%s: %s", row->name, row->neutral);
    for (size_t i = 0; i < json_array_size(neutral); i++) {
        char value[128];
        size_t n = json_dumpb(json_array_get(neutral, i), value, sizeof value - 1, JSON_ENCODE_ANY);
        ck_assert_uint_lt(n, sizeof value);
        value[n] = '\0';
        expect(row, value, AIM_OK);
    }
    json_decref(neutral);
    expect(row, "[{\"x\": 1}]", AIM_EUNSUPPORTED);
    expect(row, "-7", AIM_EUNSUPPORTED);
}

START_TEST(row_keeps_its_type_and_range)
{
    const aimd_param *row = &aimd__params[_i];
    expect(row, "null", AIM_OK);
    switch (row->kind) {
    case AIMD_PARAM_INT:
        check_int_row(row);
        break;
    case AIMD_PARAM_NUMBER:
        check_number_row(row);
        break;
    case AIMD_PARAM_BOOL:
        check_bool_row(row);
        break;
    case AIMD_PARAM_REFUSED:
        check_refused_row(row);
        break;
    case AIMD_PARAM_IGNORED:
        expect(row, "{\"any\": [1, \"thing\"]}", AIM_OK);
        break;
    case AIMD_PARAM_VALUE:
        break; /* read by code of its own: test_request.c */
    }
    ck_assert_str_ne(row->help, "");
}
END_TEST

START_TEST(no_name_stands_twice_for_a_route)
{
    const aimd_param *row = &aimd__params[_i];
    for (size_t i = 0; i < aimd__n_params; i++)
        if (&aimd__params[i] != row && strcmp(aimd__params[i].name, row->name) == 0)
            ck_assert_msg(!(aimd__params[i].routes & row->routes), "%s", row->name);
}
END_TEST

START_TEST(values_and_defaults_arrive)
{
    aimd_params p;
    aim_buf unknown = AIM_BUF_INIT;
    aim_error err = {0};
    const char *text = "{\"max_tokens\": 7, \"temperature\": 0, \"top_p\": 0.25, \"echo\": true,"
                       " \"seed\": -9223372036854775807, \"n\": null,"
                       " \"stream_options\": {\"include_usage\": true}}";
    ck_assert_int_eq(read_text(text, AIMD_COMPLETIONS, &options, &p, &unknown, &err), AIM_OK);
    ck_assert_int_eq(p.max_tokens, 7);
    ck_assert_double_eq(p.temperature, 0);
    ck_assert_double_eq(p.top_p, 0.25);
    ck_assert_int_eq(p.echo, 1);
    ck_assert_int_eq(p.seed, INT64_MIN + 1);
    ck_assert_int_eq(p.n, 1);
    ck_assert_int_eq(p.include_usage, 1);
    ck_assert_int_eq(p.continuous_usage, 0);
    ck_assert_int_eq(p.logprobs, AIMD_UNSET);
    ck_assert_int_eq(p.skip_special, 1);
    ck_assert(isnan(p.repetition_penalty));
    ck_assert_int_eq(read_text("{}", AIMD_CHAT, &options, &p, &unknown, &err), AIM_OK);
    ck_assert(isnan(p.temperature));
    ck_assert_int_eq(p.max_tokens, AIMD_UNSET);
    aim_buf_free(&unknown);
}
END_TEST

/* The same word may be known on one route and unknown on another. */
static const struct unknown_case {
    enum aimd_body_route route;
    const char *text, *names;
} unknown_cases[] = {
    {AIMD_COMPLETIONS, "{\"prompt\": \"a\"}", ""},
    {AIMD_COMPLETIONS, "{\"nope\": 1}", "nope"},
    {AIMD_COMPLETIONS, "{\"messages\": 1, \"x\": null}", "messages, x"},
    {AIMD_CHAT, "{\"prompt\": 1}", "prompt"},
    {AIMD_CHAT, "{\"stream_options\": {\"include_usage\": true, \"more\": 1}}",
     "stream_options.more"},
    {AIMD_CHAT, "{\"include_usage\": true}", "include_usage"},
    {AIMD_CHAT, "{\"0123456789012345678901234567890123456789tail\": 1}",
     "0123456789012345678901234567890123456789"},
    {AIMD_CHAT, "{\"\": 1}", ""},
};

START_TEST(unknown_fields_are_named_or_refused)
{
    const struct unknown_case *c = &unknown_cases[_i];
    aimd_options strict = options;
    aimd_params p;
    aim_buf unknown = AIM_BUF_INIT;
    aim_error err = {0};
    ck_assert_int_eq(read_text(c->text, c->route, &options, &p, &unknown, &err), AIM_OK);
    ck_assert_str_eq(unknown.data ? unknown.data : "", c->names);
    strict.strict_params = true;
    int code = read_text(c->text, c->route, &strict, &p, &unknown, &err);
    bool any = strcmp(c->text, "{\"\": 1}") == 0 || c->names[0];
    ck_assert_int_eq(code, any ? AIM_EINVAL : AIM_OK);
    ck_assert_uint_eq(strncmp(err.param, c->names, strlen(err.param)), 0);
    aim_buf_free(&unknown);
}
END_TEST

static const struct body_case {
    const char *text;
    int code;
} body_cases[] = {
    {"{}", AIM_OK},
    {"", AIM_EINVAL},
    {"[]", AIM_EINVAL},
    {"3", AIM_EINVAL},
    {"{\"a\": 1, \"a\": 2}", AIM_EINVAL},
    {"{\"prompt\": \"\\u0000\"}", AIM_EINVAL},
    {"{\"prompt\": \"\xff\"}", AIM_EINVAL},
    {"{\"prompt\": \"\\ud800\"}", AIM_EINVAL},
    {"{\"max_tokens\": 99999999999999999999}", AIM_EINVAL},
    {"{\"temperature\": 1e999}", AIM_EINVAL},
    {"{\"temperature\": NaN}", AIM_EINVAL},
    {"{} {}", AIM_EINVAL},
};

START_TEST(body_is_one_object)
{
    const struct body_case *c = &body_cases[_i];
    aim_error err = {0};
    json_t *body = aimd_body_parse(c->text, strlen(c->text), &err);
    ck_assert_int_eq((int)err.code, c->code);
    ck_assert_int_eq(body != NULL, c->code == AIM_OK);
    json_decref(body);
}
END_TEST

START_TEST(docs_show_the_table)
{
    const char *top = getenv("top_srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/docs/api.md", top ? top : ".");
    aim_error err = {0};
    size_t len;
    char *docs = aim_read_file(path, 1 << 20, &len, &err);
    ck_assert_msg(docs != NULL, "%s", err.text);
    aim_buf want = AIM_BUF_INIT;
    aimd_params_write_doc(&want);
    ck_assert_msg(strstr(docs, want.data) != NULL, "run make update-tables");
    aim_buf_free(&want);
    aim_free(docs);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("params");
    TCase *t = tcase_create("params");
    tcase_add_loop_test(t, row_keeps_its_type_and_range, 0, (int)aimd__n_params);
    tcase_add_loop_test(t, no_name_stands_twice_for_a_route, 0, (int)aimd__n_params);
    tcase_add_test(t, values_and_defaults_arrive);
    tcase_add_loop_test(t, unknown_fields_are_named_or_refused, 0,
                        sizeof unknown_cases / sizeof unknown_cases[0]);
    tcase_add_loop_test(t, body_is_one_object, 0, sizeof body_cases / sizeof body_cases[0]);
    tcase_add_test(t, docs_show_the_table);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
