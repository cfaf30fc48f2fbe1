/* SPDX-License-Identifier: Apache-2.0 */
/* Responses from canned events: numbers and strings, the logprobs rules that
 * lm_eval relies on, chunks that add up to the body, the order of chat deltas. */
#include "base/alloc.h"
#include "base/json.h"
#include "server/json_out.h"
#include "server/response.h"
#include "server/utf8.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
enum { BOS = 508, EOS = 511, N_TOP = 3 };

static aim_tokenizer *tokenizer;
static const aim_buf nothing; /* no members behind the choices */

static void setup(void)
{
    const char *top = getenv("top_srcdir");
    char dir[4096];
    aim_error err = {0};
    snprintf(dir, sizeof dir, "%s/models/wordmath-2m", top ? top : ".");
    tokenizer = aim_tokenizer_load(dir, &err);
    ck_assert_msg(tokenizer != NULL, "%s", err.text);
}

static void teardown(void)
{
    aim_tokenizer_free(tokenizer);
}

/* ---- strings and numbers ------------------------------------------------- */

static const struct text_case {
    const char *bytes;
    size_t len;
    const char *json; /* without the quotes */
} text_cases[] = {
#define S(s) s, sizeof(s) - 1
    {S(""), ""},
    {S("abc"), "abc"},
    {S("\"\\/"), "\\\"\\\\/"},
    {S("\b\f\n\r\t"), "\\b\\f\\n\\r\\t"},
    {S("\x00\x01\x1f\x7f"), "\\u0000\\u0001\\u001f\\u007f"},
    {S("\xc2\x85|\xe2\x80\xa8|\xe2\x80\xa9"), "\\u0085|\\u2028|\\u2029"},
    {S("\xc3\xbc\xe4\xb8\x96\xf0\x9f\x99\x82"), "\xc3\xbc\xe4\xb8\x96\xf0\x9f\x99\x82"},
    /* What Python's errors="replace" makes of it: */
    {S("\x80"), "\xef\xbf\xbd"},
    {S("a\xff"
       "b"),
     "a\xef\xbf\xbd"
     "b"},
    {S("\xe2\x82"), "\xef\xbf\xbd"},
    {S("\xe2\x82x"), "\xef\xbf\xbdx"},
    {S("\xf0\x9f\x99"), "\xef\xbf\xbd"},
    {S("\xc0\x80"), "\xef\xbf\xbd\xef\xbf\xbd"},
    {S("\xed\xa0\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {S("\xf4\x90\x80\x80"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd"},
    {S("\xe0\x80"), "\xef\xbf\xbd\xef\xbf\xbd"},
    {S("\xe2\xe2\x82\xac"), "\xef\xbf\xbd\xe2\x82\xac"},
#undef S
};

START_TEST(strings_are_escaped)
{
    const struct text_case *c = &text_cases[_i];
    aim_buf out = AIM_BUF_INIT, want = AIM_BUF_INIT;
    aim_buf_printf(&want, "\"%s\"", c->json);
    aimd_json_string(&out, c->bytes, c->len);
    ck_assert_str_eq(out.data, want.data);
    aim_buf_free(&out);
    aim_buf_free(&want);
}
END_TEST

static const struct number_case {
    float value;
    const char *text;
} number_cases[] = {
    {0, "0.0"},
    {-1, "-1.0"},
    {-0.5f, "-0.5"},
    {-1.0f / 3, "-0.333333343"},
    {-1e-30f, "-1e-30"},
    {-9999, "-9999.0"},
    {-10000, "-9999.0"},
    {-INFINITY, "-9999.0"},
    {INFINITY, "-9999.0"},
    {NAN, "-9999.0"},
};

START_TEST(logprobs_are_printed)
{
    aim_buf out = AIM_BUF_INIT;
    aimd_json_logprob(&out, number_cases[_i].value);
    ck_assert_str_eq(out.data, number_cases[_i].text);
    aim_buf_free(&out);
}
END_TEST

START_TEST(printed_floats_come_back)
{
    uint32_t state = 1;
    for (int i = 0; i < 20000; i++) {
        state = state * 1664525u + 1013904223u;
        float value = -(float)(state >> 8) * 0x1p-20f;
        aim_buf out = AIM_BUF_INIT;
        aimd_json_logprob(&out, value);
        ck_assert(strtof(out.data, NULL) == value);
        aim_buf_free(&out);
    }
}
END_TEST

/* ---- an answer from canned events ---------------------------------------- */

/* What a test needs of one answer: two prompts of its own, one choice each. */
struct answer {
    aimd_request request;
    aimd_prompt prompts[2];
    int32_t tokens[2][4];
    aimd_format format;
    aimd_prompt_part parts[2];
    aimd_choice choices[2];
    aimd_usage usage;
};

static void answer_init(struct answer *a, enum aimd_body_route route, const char *fields)
{
    static const aimd_options options = {.max_n = 4, .max_top_logprobs = 20};
    static const int32_t tokens[2][4] = {{BOS, 40, 41, 42}, {43, 44, 45, 46}};
    aimd_response_id id = {"req\"1", "m", "fp_1", 1700000000};
    aim_buf unknown = AIM_BUF_INIT;
    aim_error err = {0};
    memset(a, 0, sizeof *a);
    json_t *body = aimd_body_parse(fields, strlen(fields), &err);
    ck_assert_msg(body != NULL, "%s", err.text);
    ck_assert_int_eq(aimd_params_read(body, route, &options, &a->request.params, &unknown, &err),
                     AIM_OK);
    ck_assert_uint_eq(unknown.len, 0);
    json_decref(body);
    memcpy(a->tokens, tokens, sizeof tokens);
    for (int i = 0; i < 2; i++) {
        a->prompts[i] = (aimd_prompt){a->tokens[i], 4, i == 0, 16};
        a->parts[i].prompt = &a->prompts[i];
    }
    a->request.route = route;
    a->request.seed = -7;
    a->request.logprobs =
        a->request.params.logprobs == AIMD_UNSET && !a->request.params.chat_logprobs ? -1
        : route == AIMD_CHAT ? (int)a->request.params.top_logprobs
                             : (int)a->request.params.logprobs;
    a->request.prompts = a->prompts;
    a->request.n_prompts = route == AIMD_CHAT ? 1 : 2;
    ck_assert_int_eq(aimd_format_init(&a->format, &a->request, tokenizer, &id, &err), AIM_OK);
    for (int i = 0; i < 2; i++)
        aimd_choice_init(&a->choices[i], &a->format, i);
    a->usage = (aimd_usage){
        .prompt_tokens = 8, .completion_tokens = 6, .cached_tokens = 2, .rows = 10, .head_rows = 6};
}

static void answer_free(struct answer *a)
{
    for (int i = 0; i < 2; i++) {
        aimd_prompt_part_free(&a->parts[i]);
        aimd_choice_free(&a->choices[i]);
    }
    aimd_format_free(&a->format);
}

/* The likeliest tokens at every place: BOS, 60, 61, in this order. */
static const aim_token_logprob likeliest[N_TOP] = {{BOS, -0.25f}, {60, -1.5f}, {61, -2.125f}};

static int feed_prompt(struct answer *a, int i, aim_error *err)
{
    float logprob[4] = {0, -0.25f, -3, -4};
    int rank[4] = {0, 1, 30, 40};
    aim_token_logprob top[4][N_TOP];
    for (int k = 0; k < 4; k++)
        memcpy(top[k], likeliest, sizeof likeliest);
    aim_event e = {.kind = AIM_EVENT_PROMPT,
                   .prompt_index = i,
                   .n_prompt = 4,
                   .n_prompt_top = N_TOP,
                   .prompt_logprob = logprob,
                   .prompt_rank = rank,
                   .prompt_top = top[0]};
    return aimd_prompt_part_fill(&a->parts[i], &a->format, &e, err);
}

static int feed_token(struct answer *a, int i, int32_t id, const char *text, float logprob,
                      enum aim_finish finish, aim_error *err)
{
    aim_token_logprob top[N_TOP];
    memcpy(top, likeliest, sizeof likeliest);
    aim_event e = {.kind = AIM_EVENT_TOKEN,
                   .prompt_index = i,
                   .token = id,
                   .hidden_token = id == EOS,
                   .text = (char *)(uintptr_t)text,
                   .text_len = strlen(text),
                   .logprob = logprob,
                   .rank = 5,
                   .n_top = N_TOP,
                   .top = top,
                   .finish = finish,
                   .stop_id = -1,
                   .stop_string = -1};
    return aimd_choice_add(&a->choices[i], &a->format, &a->parts[i], &e, err);
}

/* Three tokens a choice; the last is EOS, which has no text. With out, write
 * the chunks as they come. */
static int feed_all(struct answer *a, aim_buf *out, aim_error *err)
{
    static const struct {
        int32_t id;
        const char *text;
        float logprob;
        enum aim_finish finish;
    } steps[] = {
        {60, "x", -1.5f, AIM_FINISH_NONE},
        {62, "", -7, AIM_FINISH_NONE},
        {EOS, "yz\n", -0.75f, AIM_FINISH_STOP},
    };
    int code = AIM_OK;
    for (size_t i = 0; i < a->request.n_prompts && !code; i++) {
        code = feed_prompt(a, (int)i, err);
        for (size_t k = 0; k < COUNT(steps) && !code; k++) {
            code = feed_token(a, (int)i, steps[k].id, steps[k].text, steps[k].logprob,
                              steps[k].finish, err);
            if (!out)
                continue;
            aimd_write_events(out, &a->format, &a->parts[i], &a->choices[i], true, &a->usage);
            aimd_choice_sent(&a->choices[i]);
        }
    }
    return code;
}

static json_t *parse(const char *text, size_t len)
{
    json_error_t e;
    json_t *v = json_loadb(text, len, JSON_REJECT_DUPLICATES, &e);
    ck_assert_msg(v != NULL, "%s in %.*s", e.text, (int)len, text);
    return v;
}

static json_t *body_of(struct answer *a)
{
    aim_error err = {0};
    aim_buf out = AIM_BUF_INIT;
    ck_assert_int_eq(feed_all(a, NULL, &err), AIM_OK);
    aimd_write_body(&out, &a->format, a->parts, a->choices, &nothing, &a->usage);
    json_t *body = parse(out.data, out.len);
    aim_buf_free(&out);
    return body;
}

static json_t *at(const json_t *v, const char *path)
{
    char key[64];
    while (*path) {
        size_t n = strcspn(path, "/");
        snprintf(key, sizeof key, "%.*s", (int)n, path);
        v = json_is_array(v) ? json_array_get(v, (size_t)atoi(key)) : json_object_get(v, key);
        path += n + (path[n] == '/');
    }
    return (json_t *)(uintptr_t)v;
}

static void expect_dump(const json_t *v, const char *path, const char *want)
{
    char text[2048];
    size_t n = json_dumpb(at(v, path), text, sizeof text - 1,
                          JSON_ENCODE_ANY | JSON_COMPACT | JSON_REAL_PRECISION(9));
    ck_assert_msg(n > 0 && n < sizeof text, "%s: nothing there", path);
    text[n] = '\0';
    ck_assert_msg(strcmp(text, want) == 0, "%s: %s, want %s", path, text, want);
}

START_TEST(completion_body)
{
    struct answer a;
    answer_init(&a, AIMD_COMPLETIONS, "{}");
    json_t *b = body_of(&a);
    expect_dump(b, "id", "\"cmpl-req\\\"1\"");
    expect_dump(b, "object", "\"text_completion\"");
    expect_dump(b, "created", "1700000000");
    expect_dump(b, "model", "\"m\"");
    expect_dump(b, "system_fingerprint", "\"fp_1\"");
    expect_dump(b, "seed", "-7");
    expect_dump(b, "choices/0",
                "{\"index\":0,\"text\":\"xyz\\n\",\"logprobs\":null,\"finish_reason\":\"stop\","
                "\"stop_reason\":null}");
    expect_dump(b, "choices/1/index", "1");
    expect_dump(b, "usage",
                "{\"prompt_tokens\":8,\"completion_tokens\":6,\"total_tokens\":14,"
                "\"prompt_tokens_details\":{\"cached_tokens\":2}}");
    json_decref(b);
    answer_free(&a);
}
END_TEST

/* The text of ids [0, n) as the response spells it. */
static size_t chars_of(const int32_t *ids, size_t n)
{
    aim_buf text = AIM_BUF_INIT;
    ck_assert_int_eq(aim_tokenizer_decode(tokenizer, ids, n, false, &text, NULL), AIM_OK);
    size_t count = aimd_utf8_count(text.data, text.len);
    aim_buf_free(&text);
    return count;
}

/* The rules of lm_eval's loglikelihood: prompt_len + generated entries, EOS
 * among them; the first null, no other; the chosen token in its object with the
 * same number. */
START_TEST(echo_logprobs_cover_prompt_and_answer)
{
    struct answer a;
    answer_init(&a, AIMD_COMPLETIONS, "{\"echo\": true, \"logprobs\": 1}");
    json_t *b = body_of(&a);
    for (int c = 0; c < 2; c++) {
        const json_t *lp = at(at(b, "choices"), c ? "1/logprobs" : "0/logprobs");
        ck_assert_uint_eq(json_array_size(at(lp, "tokens")), 7);
        ck_assert_uint_eq(json_array_size(at(lp, "token_logprobs")), 7);
        ck_assert_uint_eq(json_array_size(at(lp, "top_logprobs")), 7);
        ck_assert_uint_eq(json_array_size(at(lp, "text_offset")), 7);
        ck_assert(json_is_null(at(lp, "token_logprobs/0")));
        ck_assert(json_is_null(at(lp, "top_logprobs/0")));
        for (size_t i = 1; i < 7; i++) {
            json_t *v = json_array_get(at(lp, "token_logprobs"), i);
            json_t *top = json_array_get(at(lp, "top_logprobs"), i);
            const char *token = json_string_value(json_array_get(at(lp, "tokens"), i));
            ck_assert(json_is_real(v));
            ck_assert(json_equal(json_object_get(top, token), v));
            ck_assert_uint_le(json_object_size(top), 2);
        }
    }
    expect_dump(b, "choices/0/logprobs/tokens/0", "\"<|endoftext|>\"");
    expect_dump(b, "choices/0/logprobs/tokens/6", "\"<|end|>\"");
    expect_dump(b, "choices/0/logprobs/token_logprobs", "[null,-0.25,-3.0,-4.0,-1.5,-7.0,-0.75]");
    json_decref(b);
    answer_free(&a);
}
END_TEST

START_TEST(offsets_count_characters_of_the_text)
{
    struct answer a;
    answer_init(&a, AIMD_COMPLETIONS, "{\"echo\": true, \"logprobs\": 0}");
    json_t *b = body_of(&a);
    for (size_t c = 0; c < 2; c++) {
        size_t hidden = c == 0; /* BOS, which the tokenizer added */
        const json_t *offsets = at(json_array_get(at(b, "choices"), c), "logprobs/text_offset");
        for (size_t i = 0; i < 4; i++)
            ck_assert_int_eq(
                json_integer_value(json_array_get(offsets, i)),
                (json_int_t)(i < hidden ? 0 : chars_of(a.tokens[c] + hidden, i - hidden)));
        json_int_t prompt = (json_int_t)chars_of(a.tokens[c] + hidden, 4 - hidden);
        ck_assert_int_eq(json_integer_value(json_array_get(offsets, 4)), prompt);
        ck_assert_int_eq(json_integer_value(json_array_get(offsets, 6)),
                         prompt + (json_int_t)chars_of((int32_t[]){60, 62}, 2));
    }
    json_decref(b);
    answer_free(&a);
}
END_TEST

START_TEST(echo_alone_repeats_the_prompt)
{
    struct answer a;
    aim_buf want = AIM_BUF_INIT;
    answer_init(&a, AIMD_COMPLETIONS, "{\"echo\": true}");
    json_t *b = body_of(&a);
    ck_assert_int_eq(aim_tokenizer_decode(tokenizer, a.tokens[0] + 1, 3, false, &want, NULL), 0);
    aim_buf_puts(&want, "xyz\n");
    ck_assert_str_eq(json_string_value(at(b, "choices/0/text")), want.data);
    ck_assert(json_is_null(at(b, "choices/0/logprobs")));
    aim_buf_free(&want);
    json_decref(b);
    answer_free(&a);
}
END_TEST

/* Two ids whose bytes are no character of their own: both show as U+FFFD. */
static void find_partial(int32_t *first, int32_t *second)
{
    *first = *second = -1;
    for (int32_t id = 0; id < aim_tokenizer_size(tokenizer) && *second < 0; id++) {
        size_t len;
        const char *bytes = aim_tokenizer_bytes(tokenizer, id, &len);
        if (len != 1 || (unsigned char)bytes[0] < 0x80)
            continue;
        if (*first < 0)
            *first = id;
        else
            *second = id;
    }
    ck_assert_int_ge(*second, 0);
}

START_TEST(same_text_keeps_the_likelier)
{
    int32_t p, q;
    find_partial(&p, &q);
    aim_token_logprob top[2] = {{p, -0.5f}, {60, -1}};
    aimd_token_style style = {tokenizer, false};
    aimd_scored unlikely = {.id = q, .logprob = -5, .rank = 9, .top = top, .n_top = 2};
    aimd_scored likely = {.id = p, .logprob = -0.5f, .rank = 1, .top = top, .n_top = 2};
    aimd_arrays arrays = {0};
    aim_buf out = AIM_BUF_INIT;
    aimd_arrays_add(&arrays, &style, &unlikely, 0);
    aimd_arrays_add(&arrays, &style, &likely, 0);
    aimd_arrays_write(NULL, &arrays, &out);
    json_t *v = parse(out.data, out.len);
    ck_assert_uint_eq(json_object_size(at(v, "top_logprobs/0")), 2);
    expect_dump(v, "top_logprobs/0/\xef\xbf\xbd", "-0.5");
    expect_dump(v, "token_logprobs/0", "-5.0");
    expect_dump(v, "top_logprobs/1/\xef\xbf\xbd", "-0.5");
    json_decref(v);
    aim_buf_clear(&out);
    style.as_ids = true;
    aimd_arrays_clear(&arrays);
    aimd_arrays_add(&arrays, &style, &unlikely, 0);
    aimd_arrays_write(NULL, &arrays, &out);
    v = parse(out.data, out.len);
    ck_assert_uint_eq(json_object_size(at(v, "top_logprobs/0")), 3);
    json_decref(v);
    aim_buf_free(&out);
    aimd_arrays_free(&arrays);
}
END_TEST

START_TEST(prompt_logprobs_have_the_form_of_vllm)
{
    struct answer a;
    answer_init(&a, AIMD_COMPLETIONS, "{\"prompt_logprobs\": 2, \"return_token_ids\": true}");
    json_t *b = body_of(&a);
    const json_t *c = at(b, "choices/1");
    ck_assert_uint_eq(json_array_size(at(c, "prompt_logprobs")), 4);
    ck_assert(json_is_null(at(c, "prompt_logprobs/0")));
    expect_dump(c, "prompt_logprobs/2/45/logprob", "-3.0");
    expect_dump(c, "prompt_logprobs/2/45/rank", "30");
    expect_dump(c, "prompt_logprobs/2/508",
                "{\"logprob\":-0.25,\"rank\":1,\"decoded_token\":\"<|endoftext|>\"}");
    expect_dump(c, "prompt_logprobs/2/60/rank", "2");
    ck_assert_ptr_null(at(c, "prompt_logprobs/2/61"));
    expect_dump(c, "prompt_token_ids", "[43,44,45,46]");
    expect_dump(c, "token_ids", "[60,62,511]");
    json_decref(b);
    answer_free(&a);
}
END_TEST

START_TEST(chat_body)
{
    struct answer a;
    answer_init(&a, AIMD_CHAT,
                "{\"logprobs\": true, \"top_logprobs\": 2, \"return_token_ids\": true,"
                " \"prompt_logprobs\": 0}");
    json_t *b = body_of(&a);
    expect_dump(b, "id", "\"chatcmpl-req\\\"1\"");
    expect_dump(b, "object", "\"chat.completion\"");
    ck_assert_uint_eq(json_array_size(at(b, "choices")), 1);
    expect_dump(b, "choices/0/message",
                "{\"role\":\"assistant\",\"content\":\"xyz\\n\",\"refusal\":null}");
    ck_assert_uint_eq(json_array_size(at(b, "choices/0/logprobs/content")), 3);
    expect_dump(b, "choices/0/logprobs/content/2/token", "\"<|end|>\"");
    expect_dump(b, "choices/0/logprobs/content/2/bytes", "[60,124,101,110,100,124,62]");
    expect_dump(b, "choices/0/logprobs/content/2/logprob", "-0.75");
    ck_assert_uint_eq(json_array_size(at(b, "choices/0/logprobs/content/2/top_logprobs")), 2);
    expect_dump(b, "choices/0/logprobs/content/2/top_logprobs/1/logprob", "-1.5");
    expect_dump(b, "choices/0/logprobs/refusal", "null");
    expect_dump(b, "prompt_token_ids", "[508,40,41,42]");
    ck_assert_uint_eq(json_array_size(at(b, "prompt_logprobs")), 4);
    json_decref(b);
    answer_free(&a);
}
END_TEST

/* ---- streams ------------------------------------------------------------- */

/* The next event; NULL at the end. */
static json_t *next_event(const char **p)
{
    if (!**p)
        return NULL;
    ck_assert_int_eq(strncmp(*p, "data: {", 7), 0);
    const char *end = strstr(*p, "\n\n");
    ck_assert_ptr_nonnull(end);
    ck_assert_ptr_eq(strchr(*p, '\n'), end);
    json_t *v = parse(*p + 6, (size_t)(end - *p) - 6);
    *p = end + 2;
    return v;
}

static void append_all(json_t *to, const json_t *from)
{
    json_array_extend(to, (json_t *)(uintptr_t)from);
}

/* Put the chunks of choice `index` together; returns their number. */
static int collect(const char *stream, int index, aim_buf *text, json_t *arrays, json_t *ids)
{
    static const char *const names[] = {"tokens", "token_logprobs", "top_logprobs", "text_offset"};
    int n = 0;
    for (json_t *v; (v = next_event(&stream)); json_decref(v)) {
        const json_t *c = at(v, "choices/0");
        if (json_integer_value(at(c, "index")) != index)
            continue;
        n++;
        aim_buf_puts(text, json_string_value(at(c, "text")));
        append_all(ids, at(c, "token_ids"));
        for (size_t k = 0; k < COUNT(names); k++) {
            if (!json_object_get(arrays, names[k]))
                json_object_set_new(arrays, names[k], json_array());
            append_all(json_object_get(arrays, names[k]),
                       json_object_get(at(c, "logprobs"), names[k]));
        }
    }
    return n;
}

START_TEST(chunks_add_up_to_the_body)
{
    static const char fields[] =
        "{\"echo\": true, \"logprobs\": 2, \"return_token_ids\": true, \"stream\": true}";
    struct answer whole, streamed;
    aim_error err = {0};
    aim_buf out = AIM_BUF_INIT;
    answer_init(&whole, AIMD_COMPLETIONS, fields);
    answer_init(&streamed, AIMD_COMPLETIONS, fields);
    json_t *body = body_of(&whole);
    ck_assert_int_eq(feed_all(&streamed, &out, &err), AIM_OK);
    for (int i = 0; i < 2; i++) {
        aim_buf text = AIM_BUF_INIT;
        json_t *arrays = json_object(), *ids = json_array();
        const json_t *c = json_array_get(at(body, "choices"), (size_t)i);
        ck_assert_int_eq(collect(out.data, i, &text, arrays, ids), 3); /* one a token */
        ck_assert_str_eq(text.data, json_string_value(at(c, "text")));
        ck_assert(json_equal(arrays, at(c, "logprobs")));
        ck_assert(json_equal(ids, at(c, "token_ids")));
        json_decref(arrays);
        json_decref(ids);
        aim_buf_free(&text);
    }
    json_decref(body);
    aim_buf_free(&out);
    answer_free(&whole);
    answer_free(&streamed);
}
END_TEST

START_TEST(completion_chunks_end_with_a_reason)
{
    struct answer a;
    aim_error err = {0};
    aim_buf out = AIM_BUF_INIT;
    answer_init(&a, AIMD_COMPLETIONS, "{\"stream\": true, \"return_token_ids\": true}");
    ck_assert_int_eq(feed_all(&a, &out, &err), AIM_OK);
    const char *p = out.data;
    for (int i = 0; i < 6; i++) {
        json_t *v = next_event(&p);
        expect_dump(v, "object", "\"text_completion\"");
        expect_dump(v, "choices/0/finish_reason", i % 3 == 2 ? "\"stop\"" : "null");
        ck_assert_int_eq(at(v, "choices/0/prompt_token_ids") != NULL, i % 3 == 0);
        ck_assert_ptr_null(at(v, "usage"));
        json_decref(v);
    }
    ck_assert_str_eq(p, "");
    aim_buf_free(&out);
    answer_free(&a);
}
END_TEST

START_TEST(chat_deltas_come_in_order)
{
    static const char *const deltas[] = {
        "{\"role\":\"assistant\",\"content\":\"\"}",
        "{\"content\":\"x\"}",
        "{\"content\":\"\"}",
        "{\"content\":\"yz\\n\"}",
        "{}",
    };
    struct answer a;
    aim_error err = {0};
    aim_buf out = AIM_BUF_INIT;
    answer_init(&a, AIMD_CHAT,
                "{\"stream\": true, \"logprobs\": true, \"top_logprobs\": 0,"
                " \"return_token_ids\": true}");
    ck_assert_int_eq(feed_all(&a, &out, &err), AIM_OK);
    const char *p = out.data;
    for (size_t i = 0; i < COUNT(deltas); i++) {
        json_t *v = next_event(&p);
        bool token = i >= 1 && i <= 3;
        expect_dump(v, "object", "\"chat.completion.chunk\"");
        expect_dump(v, "choices/0/delta", deltas[i]);
        expect_dump(v, "choices/0/finish_reason", i == 4 ? "\"stop\"" : "null");
        ck_assert_uint_eq(json_array_size(at(v, "choices/0/logprobs/content")), token);
        ck_assert_uint_eq(json_array_size(at(v, "choices/0/token_ids")), token);
        ck_assert_int_eq(at(v, "prompt_token_ids") != NULL, i == 0);
        json_decref(v);
    }
    ck_assert_str_eq(p, "");
    aim_buf_free(&out);
    answer_free(&a);
}
END_TEST

static const struct usage_case {
    const char *fields;
    bool in_chunks, null_in_chunks, last;
} usage_cases[] = {
    {"{\"stream\": true}", false, false, false},
    {"{\"stream\": true, \"stream_options\": {\"include_usage\": true}}", false, true, true},
    {"{\"stream\": true, \"stream_options\": {\"include_usage\": true,"
     " \"continuous_usage_stats\": true}}",
     true, false, true},
    {"{\"stream\": true, \"stream_options\": {\"continuous_usage_stats\": true}}", false, false,
     false},
};

START_TEST(usage_goes_where_it_was_asked_for)
{
    const struct usage_case *c = &usage_cases[_i];
    struct answer a;
    aim_error err = {0};
    aim_buf out = AIM_BUF_INIT, last = AIM_BUF_INIT;
    answer_init(&a, AIMD_CHAT, c->fields);
    ck_assert_int_eq(feed_all(&a, &out, &err), AIM_OK);
    const char *p = out.data;
    for (json_t *v; (v = next_event(&p)); json_decref(v)) {
        ck_assert_int_eq(json_is_object(at(v, "usage")), c->in_chunks);
        ck_assert_int_eq(json_is_null(at(v, "usage")), c->null_in_chunks);
    }
    aimd_write_usage_event(&last, &a.format, &a.usage);
    ck_assert_int_eq(last.len > 0, c->last);
    if (c->last) {
        p = last.data;
        json_t *v = next_event(&p);
        expect_dump(v, "choices", "[]");
        expect_dump(v, "usage/total_tokens", "14");
        json_decref(v);
    }
    aim_buf_free(&out);
    aim_buf_free(&last);
    answer_free(&a);
}
END_TEST

/* Powers of two, so that sums are exact. */
static const aimd_chip_rates rates = {true, {3, 10, 20, 0x1p-20, 0x1p-10}, {1, 2, 4, 0, 0x1p-12}};

START_TEST(a_chip_tells_what_it_took)
{
    static const char aimc[] = "{\"tile_mvms\":36,\"dac_conversions\":112,\"adc_conversions\":224,"
                               "\"energy_joule\":9.53674316e-6,"
                               "\"latency_seconds\":0.0112304688,\"estimate\":true}";
    static const char fields[] =
        "{\"stream\": true, \"stream_options\": {\"include_usage\": true}}";
    struct answer a;
    aim_buf last = AIM_BUF_INIT;
    answer_init(&a, AIMD_COMPLETIONS, _i ? fields : "{}");
    a.format.rates = rates;
    if (_i) {
        aimd_write_usage_event(&last, &a.format, &a.usage);
        const char *p = last.data;
        json_t *v = next_event(&p);
        expect_dump(v, "usage/aimc", aimc);
        json_decref(v);
    } else {
        json_t *b = body_of(&a);
        expect_dump(b, "usage/aimc", aimc);
        expect_dump(b, "usage/total_tokens", "14");
        json_decref(b);
    }
    aim_buf_free(&last);
    answer_free(&a);
}
END_TEST

/* The rows of a request are those that an engine alone with it computes. */
static const struct rows_case {
    int prompt, cached, choices, tokens; /* of each choice */
    bool scored;
    uint64_t rows, head_rows;
} rows_cases[] = {
    {5, 0, 1, 1, false, 5, 1},                 /* the prompt's row gives the only token */
    {5, 0, 1, 4, false, 5 + 3, 1 + 3},         /* the last token is never fed */
    {33, 32, 1, 4, false, 1 + 3, 1 + 3},       /* cached rows cost nothing */
    {5, 0, 3, 4, false, 5 + 3 * 3, 1 + 3 * 3}, /* choices share prompt and its row */
    {5, 0, 1, 4, true, 5 + 3, 5 + 3},          /* each scored token has its row */
    {5, 0, 1, 0, true, 5, 4},                  /* max_tokens 0 */
    {5, 0, 1, 0, false, 5, 0},
    {1, 0, 1, 1, true, 1, 1},
};

START_TEST(rows_follow_from_lengths)
{
    const struct rows_case *c = &rows_cases[_i];
    aimd_usage u = {.prompt_tokens = c->prompt};
    aimd_usage_add_prompt(&u, c->prompt, c->cached, c->scored, c->tokens > 0);
    for (int i = 0; i < c->choices; i++)
        for (int k = 0; k < c->tokens; k++)
            aimd_usage_add_token(&u, k == 0);
    ck_assert_uint_eq(u.rows, c->rows);
    ck_assert_uint_eq(u.head_rows, c->head_rows);
    ck_assert_int_eq(u.cached_tokens, c->cached);
    ck_assert_int_eq(u.completion_tokens, c->choices * c->tokens);
    ck_assert_uint_eq(aimd_usage_chip_cost(&u, &rates).mvms, 3 * c->rows + c->head_rows);
}
END_TEST

START_TEST(errors_and_the_end_of_a_stream)
{
    aim_buf out = AIM_BUF_INIT;
    aim_error err = {0};
    aim_fail_param(&err, AIM_EUNAVAILABLE, "", "going \"down\"");
    aimd_write_error_event(&out, &err, "draining");
    aimd_write_done(&out);
    ck_assert_str_eq(out.data, "data: {\"error\":{\"message\":\"going \\\"down\\\"\","
                               "\"type\":\"unavailable_error\",\"param\":null,"
                               "\"code\":\"draining\"}}\n\ndata: [DONE]\n\n");
    aim_buf_free(&out);
}
END_TEST

static const struct stop_case {
    int32_t stop_id;
    int stop_string;
    enum aim_finish finish;
    const char *reason, *stop_reason;
} stop_cases[] = {
    {-1, -1, AIM_FINISH_STOP, "\"stop\"", "null"},
    {7, -1, AIM_FINISH_STOP, "\"stop\"", "7"},
    {0, -1, AIM_FINISH_STOP, "\"stop\"", "0"},
    {-1, 1, AIM_FINISH_STOP, "\"stop\"", "\"\\\"b\\\"\""},
    {-1, -1, AIM_FINISH_LENGTH, "\"length\"", "null"},
};

START_TEST(stop_reason_says_what_matched)
{
    const struct stop_case *c = &stop_cases[_i];
    char first[] = "a", second[] = "\"b\"";
    char *stops[] = {first, second};
    struct answer a;
    aim_buf out = AIM_BUF_INIT;
    answer_init(&a, AIMD_COMPLETIONS, "{}");
    a.request.stop = stops;
    a.request.n_stop = 2;
    aim_event e = {.kind = AIM_EVENT_FINISH,
                   .finish = c->finish,
                   .stop_id = c->stop_id,
                   .stop_string = c->stop_string};
    ck_assert_int_eq(aimd_choice_add(&a.choices[0], &a.format, &a.parts[0], &e, NULL), AIM_OK);
    aimd_write_body(&out, &a.format, a.parts, a.choices, &nothing, &a.usage);
    json_t *b = parse(out.data, out.len);
    expect_dump(b, "choices/0/finish_reason", c->reason);
    expect_dump(b, "choices/0/stop_reason", c->stop_reason);
    json_decref(b);
    aim_buf_free(&out);
    answer_free(&a);
}
END_TEST

START_TEST(every_failed_allocation_is_an_error)
{
    bool whole = false;
    for (long n = 0; !whole; n++) {
        struct answer a;
        aim_error err = {0};
        aim_buf out = AIM_BUF_INIT;
        answer_init(&a, AIMD_COMPLETIONS,
                    "{\"echo\": true, \"logprobs\": 2, \"prompt_logprobs\": 1,"
                    " \"return_token_ids\": true}");
        aim_alloc_fail_after(n);
        int code = feed_all(&a, NULL, &err);
        if (!code)
            aimd_write_body(&out, &a.format, a.parts, a.choices, &nothing, &a.usage);
        aim_alloc_fail_after(-1);
        ck_assert(code == AIM_OK || code == AIM_ENOMEM);
        whole = code == AIM_OK && !out.failed;
        aim_buf_free(&out);
        answer_free(&a);
        ck_assert_int_lt(n, 100000);
    }
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("response");
    TCase *t = tcase_create("response");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, strings_are_escaped, 0, COUNT(text_cases));
    tcase_add_loop_test(t, logprobs_are_printed, 0, COUNT(number_cases));
    tcase_add_test(t, printed_floats_come_back);
    tcase_add_test(t, completion_body);
    tcase_add_test(t, echo_logprobs_cover_prompt_and_answer);
    tcase_add_test(t, offsets_count_characters_of_the_text);
    tcase_add_test(t, echo_alone_repeats_the_prompt);
    tcase_add_test(t, same_text_keeps_the_likelier);
    tcase_add_test(t, prompt_logprobs_have_the_form_of_vllm);
    tcase_add_test(t, chat_body);
    tcase_add_test(t, chunks_add_up_to_the_body);
    tcase_add_test(t, completion_chunks_end_with_a_reason);
    tcase_add_test(t, chat_deltas_come_in_order);
    tcase_add_loop_test(t, usage_goes_where_it_was_asked_for, 0, COUNT(usage_cases));
    tcase_add_loop_test(t, a_chip_tells_what_it_took, 0, 2);
    tcase_add_loop_test(t, rows_follow_from_lengths, 0, COUNT(rows_cases));
    tcase_add_test(t, errors_and_the_end_of_a_stream);
    tcase_add_loop_test(t, stop_reason_says_what_matched, 0, COUNT(stop_cases));
    tcase_add_test(t, every_failed_allocation_is_an_error);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
