/* SPDX-License-Identifier: Apache-2.0 */
/* From a body to what the engine takes: prompts, messages, stop strings, biases,
 * defaults, the context; and that a failed allocation anywhere is an error. */
#include "base/alloc.h"
#include "base/json.h"
#include "server/request.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BOS = 508, USER = 509, EOS = 511, VOCAB = 512, CONTEXT = 64 };

static const aimd_options options = {
    .max_n = 16,
    .max_prompts = 4,
    .max_stop_strings = 4,
    .max_logit_bias = 3,
    .max_top_logprobs = 1000,
    .max_logprob_entries = 1000,
    .max_best_of = 8,
    .max_total_tokens = 100,
};
static const aim_hf_config config = {
    .vocab = VOCAB,
    .bos = BOS,
    .n_eos = 1,
    .eos = {EOS},
    .default_temperature = 0.8,
    .default_top_p = -1,
    .default_min_p = -1,
    .default_repetition_penalty = 1.1,
    .default_top_k = -1,
};
static aimd_scope scope = {.options = &options, .config = &config, .max_context = CONTEXT};

static void setup(void)
{
    const char *top = getenv("top_srcdir");
    char dir[4096];
    aim_error err = {0};
    snprintf(dir, sizeof dir, "%s/models/wordmath-2m", top ? top : ".");
    aim_tokenizer *t = aim_tokenizer_load(dir, &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    scope.tokenizer = t;
    scope.chat = aim_chat_template_find(t, NULL, &err);
    ck_assert_msg(scope.chat != NULL, "%s", err.text);
}

static void teardown(void)
{
    aim_tokenizer_free((aim_tokenizer *)(uintptr_t)scope.tokenizer);
}

/* Single quotes stand for double ones. */
static int read_text(const char *text, enum aimd_body_route route, aimd_request *r, aim_error *err)
{
    char json[8192];
    snprintf(json, sizeof json, "%s", text);
    for (char *p = json; *p; p++)
        if (*p == '\'')
            *p = '"';
    aim_buf unknown = AIM_BUF_INIT;
    memset(r, 0, sizeof *r);
    json_t *body = aimd_body_parse(json, strlen(json), err);
    if (!body)
        return (int)err->code;
    r->route = route;
    int code = aimd_params_read(body, route, &options, &r->params, &unknown, err);
    if (!code)
        code = aimd_request_read(body, &scope, r, err);
    aim_buf_free(&unknown);
    json_decref(body);
    return code;
}

/* ---- what is wrong ------------------------------------------------------- */

#define C AIMD_COMPLETIONS
#define H AIMD_CHAT
#define MSG(fields) "{'messages': [{'role': 'user', " fields "}]}"
#define CHAT(fields) "{'messages': [{'role': 'user', 'content': 'a'}], " fields "}"
#define TEXT(fields) "{'prompt': 'a', " fields "}"

static const struct bad_case {
    enum aimd_body_route route;
    const char *text;
    int code;
    const char *param;
} bad_cases[] = {
    {C, "{'prompt': ''}", AIM_OK, ""},
    {C, "{}", AIM_OK, ""},
    {C, "{'prompt': null}", AIM_OK, ""},
    {C, "{'prompt': '', 'add_special_tokens': false}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': []}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [[]]}", AIM_EINVAL, "prompt[0]"},
    {C, "{'prompt': [[1], []]}", AIM_EINVAL, "prompt[1]"},
    {C, "{'prompt': 7}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': {}}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [1, 'a']}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [1, 2.0]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [1, true]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [-1]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [512]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [4294967297]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': [9223372036854775807]}", AIM_EINVAL, "prompt"},
    {C, "{'prompt': ['a', [1]]}", AIM_EINVAL, "prompt[1]"},
    {C, "{'prompt': [[1], 'a']}", AIM_EINVAL, "prompt[1]"},
    {C, "{'prompt': ['a', null]}", AIM_EINVAL, "prompt[1]"},
    {C, "{'prompt': [null]}", AIM_EINVAL, "prompt[0]"},
    {C, "{'prompt': [[[1]]]}", AIM_EINVAL, "prompt[0]"},
    {C, "{'prompt': ['a', 'b', 'c', 'd', 'e']}", AIM_EINVAL, "prompt"},
    {C, TEXT("'max_tokens': 0"), AIM_EINVAL, "max_tokens"},
    {C, TEXT("'max_tokens': 0, 'echo': true"), AIM_OK, ""},
    {C, TEXT("'max_tokens': 0, 'prompt_logprobs': 0"), AIM_OK, ""},
    {C, TEXT("'max_tokens': 63"), AIM_ECONTEXT, "prompt"},
    {C, TEXT("'max_tokens': 62"), AIM_OK, ""},
    {C, TEXT("'max_tokens': 2147483647"), AIM_ECONTEXT, "prompt"},
    {C, TEXT("'min_tokens': 17"), AIM_EINVAL, "min_tokens"},
    {C, TEXT("'min_tokens': 16"), AIM_OK, ""},
    {C, TEXT("'stream_options': {}"), AIM_EINVAL, "stream_options"},
    {C, TEXT("'stream_options': null"), AIM_OK, ""},
    {C, TEXT("'stream_options': 1, 'stream': true"), AIM_EINVAL, "stream_options"},
    {C, TEXT("'stream_options': {}, 'stream': true"), AIM_OK, ""},
    {C, TEXT("'prompt_logprobs': 1, 'stream': true"), AIM_EINVAL, "prompt_logprobs"},
    {C, TEXT("'truncate_prompt_tokens': 0"), AIM_EINVAL, "truncate_prompt_tokens"},
    {C, TEXT("'stop': ''"), AIM_EINVAL, "stop"},
    {C, TEXT("'stop': 3"), AIM_EINVAL, "stop"},
    {C, TEXT("'stop': {}"), AIM_EINVAL, "stop"},
    {C, TEXT("'stop': []"), AIM_OK, ""},
    {C, TEXT("'stop': ['x', '']"), AIM_EINVAL, "stop[1]"},
    {C, TEXT("'stop': ['x', null]"), AIM_EINVAL, "stop[1]"},
    {C, TEXT("'stop': ['1', '2', '3', '4']"), AIM_OK, ""},
    {C, TEXT("'stop': ['1', '2', '3', '4', '5']"), AIM_EINVAL, "stop"},
    {C, TEXT("'stop_token_ids': 3"), AIM_EINVAL, "stop_token_ids"},
    {C, TEXT("'stop_token_ids': [512]"), AIM_EINVAL, "stop_token_ids"},
    {C, TEXT("'stop_token_ids': []"), AIM_OK, ""},
    {C, TEXT("'logit_bias': {}"), AIM_OK, ""},
    {C, TEXT("'logit_bias': []"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'511': 100, '0': -100, '7': 0.5}"), AIM_OK, ""},
    {C, TEXT("'logit_bias': {'1': 1, '2': 2, '3': 3, '4': 4}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'512': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'-1': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'2147483648': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'4294967297': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'01': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {' 1': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'a': 1}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'1': '1'}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'1': 100.5}"), AIM_EINVAL, "logit_bias"},
    {C, TEXT("'logit_bias': {'1': null}"), AIM_EINVAL, "logit_bias"},
    {H, CHAT("'n': 2"), AIM_OK, ""},
    {H, "{}", AIM_EINVAL, "messages"},
    {H, "{'messages': null}", AIM_EINVAL, "messages"},
    {H, "{'messages': []}", AIM_EINVAL, "messages"},
    {H, "{'messages': 'hi'}", AIM_EINVAL, "messages"},
    {H, "{'messages': ['hi']}", AIM_EINVAL, "messages[0]"},
    {H, MSG("'content': 3"), AIM_EINVAL, "messages[0].content"},
    {H, MSG("'content': null"), AIM_EINVAL, "messages[0].content"},
    {H, MSG("'content': []"), AIM_EINVAL, "messages[0].content"},
    {H, MSG("'content': {}"), AIM_EINVAL, "messages[0].content"},
    {H, MSG("'content': ['a']"), AIM_EINVAL, "messages[0].content[0]"},
    {H, MSG("'content': [{'type': 'text', 'text': 'a'}, {'type': 'text'}]"), AIM_EINVAL,
     "messages[0].content[1]"},
    {H, MSG("'content': [{'type': 'image_url', 'image_url': {}}]"), AIM_EUNSUPPORTED,
     "messages[0].content[0]"},
    {H, MSG("'content': 'a', 'tool_calls': [{}]"), AIM_EUNSUPPORTED, "messages[0].tool_calls"},
    {H, MSG("'content': 'a', 'tool_calls': [], 'type': 'text'"), AIM_OK, ""},
    {H, "{'messages': [{'content': 'a'}]}", AIM_EINVAL, "messages[0].role"},
    {H, "{'messages': [{'role': 'root', 'content': 'a'}]}", AIM_EINVAL, "messages[0].role"},
    {H, "{'messages': [{'role': 1, 'content': 'a'}]}", AIM_EINVAL, "messages[0].role"},
    {H, CHAT("'max_tokens': 0"), AIM_EINVAL, "max_tokens"},
    {H, CHAT("'max_tokens': 0, 'max_completion_tokens': 1"), AIM_OK, ""},
    {H, CHAT("'max_tokens': 64"), AIM_ECONTEXT, "messages"},
    {H, CHAT("'max_tokens': 64, 'max_completion_tokens': 1"), AIM_OK, ""},
    {H, CHAT("'top_logprobs': 1"), AIM_EINVAL, "top_logprobs"},
    {H, CHAT("'top_logprobs': 0"), AIM_OK, ""},
    {H, CHAT("'top_logprobs': 1, 'logprobs': true"), AIM_OK, ""},
    {H, CHAT("'logprobs': 1"), AIM_EINVAL, "logprobs"},
    {C, TEXT("'logprobs': 512, 'max_tokens': 1"), AIM_OK, ""},
    {C, TEXT("'logprobs': 513, 'max_tokens': 1"), AIM_EINVAL, "logprobs"},
    {C, TEXT("'prompt_logprobs': 513, 'max_tokens': 1"), AIM_EINVAL, "prompt_logprobs"},
    {H, CHAT("'top_logprobs': 513, 'logprobs': true"), AIM_EINVAL, "top_logprobs"},
    /* At most 1000 entries in an answer; the prompt is BOS and one more token. */
    {C, TEXT("'logprobs': 9, 'max_tokens': 50, 'n': 2"), AIM_OK, ""},
    {C, TEXT("'logprobs': 9, 'max_tokens': 51, 'n': 2"), AIM_EINVAL, "logprobs"},
    {C, TEXT("'logprobs': 9, 'max_tokens': 51, 'n': 2, 'stream': true"), AIM_OK, ""},
    {C, TEXT("'max_tokens': 51, 'n': 16"), AIM_OK, ""},
    {C, TEXT("'logprobs': 9, 'max_tokens': 48, 'n': 2, 'echo': true"), AIM_OK, ""},
    {C, TEXT("'logprobs': 9, 'max_tokens': 49, 'n': 2, 'echo': true"), AIM_EINVAL, "logprobs"},
    {C, TEXT("'logprobs': 499, 'n': 2, 'echo': true, 'stream': true"), AIM_EINVAL, "logprobs"},
    {C, "{'prompt': ['a', 'b'], 'logprobs': 9, 'max_tokens': 50}", AIM_OK, ""},
    {C, "{'prompt': ['a', 'b'], 'logprobs': 9, 'max_tokens': 51}", AIM_EINVAL, "logprobs"},
    {C, TEXT("'prompt_logprobs': 499, 'max_tokens': 0"), AIM_OK, ""},
    {C, TEXT("'prompt_logprobs': 500, 'max_tokens': 0"), AIM_EINVAL, "prompt_logprobs"},
    {C, TEXT("'prompt_logprobs': 250, 'n': 2, 'max_tokens': 0"), AIM_EINVAL, "prompt_logprobs"},
    {C, TEXT("'prompt_logprobs': 400, 'logprobs': 99, 'max_tokens': 2"), AIM_EINVAL,
     "prompt_logprobs"},
    {H, CHAT("'top_logprobs': 100, 'logprobs': true, 'max_tokens': 10"), AIM_EINVAL,
     "top_logprobs"},
    {H, CHAT("'continue_final_message': true"), AIM_EINVAL, "continue_final_message"},
    {C, TEXT("'extra_body': {'best_of': 2}"), AIM_EUNSUPPORTED, "extra_body"},
    {H, CHAT("'extra_body': {}"), AIM_EUNSUPPORTED, "extra_body"},
    /* Nothing to choose from. */
    {C, TEXT("'select': 'majority'"), AIM_EINVAL, "select"},
    {C, TEXT("'best_of': 1, 'search': 'best_of_n'"), AIM_EINVAL, "search"},
    {C, TEXT("'best_of': 1, 'search': 'beam', 'beam_width': 1"), AIM_EINVAL, "search"},
    {C, TEXT("'early_stop': {'reject': 0.5}"), AIM_EINVAL, "early_stop"},
    {C, TEXT("'early_stop': {}, 'reward_model': 'r'"), AIM_OK, ""},
    {C, TEXT("'return_candidates': true"), AIM_OK, ""},
    {C, TEXT("'n': 2, 'select': 'majority'"), AIM_OK, ""},
};

START_TEST(fault_is_named)
{
    const struct bad_case *c = &bad_cases[_i];
    aimd_request r;
    aim_error err = {0};
    int code = read_text(c->text, c->route, &r, &err);
    ck_assert_msg(code == c->code, "%s: code %d, want %d: %s", c->text, code, c->code, err.text);
    ck_assert_msg(strcmp(err.param, c->param) == 0, "%s: param %s", c->text, err.param);
    ck_assert_int_eq((int)err.code, code);
    ck_assert_int_eq(err.text[0] == '\0', code == AIM_OK);
    aimd_request_fini(&r);
}
END_TEST

/* ---- what is right ------------------------------------------------------- */

static void read_ok(const char *text, enum aimd_body_route route, aimd_request *r)
{
    aim_error err = {0};
    int code = read_text(text, route, r, &err);
    ck_assert_msg(code == AIM_OK, "%s: %s", text, err.text);
}

START_TEST(four_forms_of_a_prompt)
{
    aimd_request text, texts, ids, lists;
    char json[512];
    read_ok("{'prompt': 'Tom has 3 apples'}", C, &text);
    read_ok("{'prompt': ['Tom has 3 apples', 'b']}", C, &texts);
    size_t at = (size_t)snprintf(json, sizeof json, "%d", text.prompts[0].tokens[0]);
    for (int i = 1; i < text.prompts[0].n_tokens; i++)
        at += (size_t)snprintf(json + at, sizeof json - at, ", %d", text.prompts[0].tokens[i]);
    char form[600];
    snprintf(form, sizeof form, "{'prompt': [%s]}", json);
    read_ok(form, C, &ids);
    snprintf(form, sizeof form, "{'prompt': [[1, 2], [%s]]}", json);
    read_ok(form, C, &lists);

    const aimd_prompt *p[] = {&text.prompts[0], &texts.prompts[0], &ids.prompts[0],
                              &lists.prompts[1]};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(p[i]->n_tokens, p[0]->n_tokens);
        ck_assert_mem_eq(p[i]->tokens, p[0]->tokens, (size_t)p[0]->n_tokens * sizeof(int32_t));
        ck_assert_int_eq(p[i]->n_added, i < 2 ? 1 : 0);
    }
    ck_assert_int_eq(p[0]->tokens[0], BOS);
    ck_assert_uint_eq(texts.n_prompts, 2);
    ck_assert_uint_eq(lists.n_prompts, 2);
    aimd_request_fini(&text);
    aimd_request_fini(&texts);
    aimd_request_fini(&ids);
    aimd_request_fini(&lists);
}
END_TEST

static bool has(const aimd_prompt *p, int32_t id)
{
    for (int i = 0; i < p->n_tokens; i++)
        if (p->tokens[i] == id)
            return true;
    return false;
}

START_TEST(special_text_is_parsed_in_prompts_only)
{
    aimd_request r;
    read_ok("{'prompt': 'a<|end|>'}", C, &r);
    ck_assert(has(&r.prompts[0], EOS));
    aimd_request_fini(&r);
    read_ok("{'messages': [{'role': 'assistant', 'content': 'a<|user|>'}]}", H, &r);
    ck_assert(!has(&r.prompts[0], USER));
    aimd_request_fini(&r);
    read_ok("{'messages': [{'role': 'assistant', 'content': [{'type': 'text', 'text': '<|us'},"
            " {'type': 'text', 'text': 'er|><|user|>'}]}]}",
            H, &r);
    ck_assert(!has(&r.prompts[0], USER));
    aimd_request_fini(&r);
}
END_TEST

START_TEST(missing_prompt_is_bos)
{
    aimd_request r;
    read_ok("{}", C, &r);
    ck_assert_int_eq(r.prompts[0].n_tokens, 1);
    ck_assert_int_eq(r.prompts[0].tokens[0], BOS);
    aimd_request_fini(&r);
}
END_TEST

/* Prompts of 40 ids in a context of 64. */
static const struct limit_case {
    enum aimd_body_route route;
    const char *fields;
    int n_tokens, max_tokens, first;
} limit_cases[] = {
    {C, "", 40, 16, 0},
    {C, ", 'max_tokens': null", 40, 16, 0},
    {C, ", 'max_tokens': 24", 40, 24, 0},
    {C, ", 'truncate_prompt_tokens': 3", 3, 16, 37},
    {C, ", 'truncate_prompt_tokens': 50", 40, 16, 0},
    {C, ", 'truncate_prompt_tokens': -1, 'max_tokens': 60", 4, 60, 36},
    {C, ", 'truncate_prompt_tokens': -1", 40, 16, 0},
    {C, ", 'max_tokens': 0, 'echo': true", 40, 0, 0},
};

START_TEST(prompt_and_answer_fit)
{
    const struct limit_case *c = &limit_cases[_i];
    char json[512] = "{'prompt': [0";
    for (int i = 1; i < 40; i++)
        snprintf(json + strlen(json), sizeof json - strlen(json), ", %d", i);
    snprintf(json + strlen(json), sizeof json - strlen(json), "]%s}", c->fields);
    aimd_request r;
    read_ok(json, c->route, &r);
    ck_assert_int_eq(r.prompts[0].n_tokens, c->n_tokens);
    ck_assert_int_eq(r.prompts[0].max_tokens, c->max_tokens);
    ck_assert_int_eq(r.prompts[0].tokens[0], c->first);
    aimd_request_fini(&r);
}
END_TEST

START_TEST(chat_gets_the_rest_of_the_context)
{
    aimd_request r;
    read_ok(CHAT("'seed': 3"), H, &r);
    ck_assert_int_eq(r.prompts[0].max_tokens, CONTEXT - r.prompts[0].n_tokens);
    aimd_request_fini(&r);
    /* ... or what max_logprob_entries leaves. */
    read_ok(CHAT("'logprobs': true, 'top_logprobs': 24, 'n': 4"), H, &r);
    ck_assert_int_eq(r.prompts[0].max_tokens, 1000 / (4 * 25));
    aimd_request_fini(&r);
}
END_TEST

START_TEST(defaults_come_from_request_then_model)
{
    aimd_request r;
    read_ok("{}", C, &r);
    ck_assert_double_eq(r.temperature, 0.8);
    ck_assert_double_eq(r.top_p, 1);
    ck_assert_double_eq(r.min_p, 0);
    ck_assert_double_eq(r.repetition_penalty, 1.1);
    ck_assert_int_eq(r.top_k, 0);
    ck_assert_int_eq(r.logprobs, -1);
    ck_assert_int_ge(r.seed, 0);
    ck_assert_int_lt(r.seed, (int64_t)1 << 53);
    aimd_request_fini(&r);
    read_ok("{'temperature': 0, 'top_p': 0, 'top_k': -1, 'seed': -5, 'logprobs': 0}", C, &r);
    ck_assert_double_eq(r.temperature, 0);
    ck_assert_double_gt(r.top_p, 0);
    ck_assert_int_eq(r.top_k, 0);
    ck_assert_int_eq(r.seed, -5);
    ck_assert_int_eq(r.logprobs, 0);
    aimd_request_fini(&r);
}
END_TEST

static const char rich[] =
    "{'prompt': ['Tom has 3 apples', 'b'], 'max_tokens': 5, 'n': 3, 'seed': 9, 'stop': ['x', 'yz'],"
    " 'stop_token_ids': [7, 8], 'logit_bias': {'3': 1.5, '511': -100}, 'logprobs': 2,"
    " 'echo': true, 'prompt_logprobs': 1, 'temperature': 0.5, 'min_p': 0.1, 'top_k': 40,"
    " 'min_tokens': 2, 'ignore_eos': true, 'include_stop_str_in_output': true,"
    " 'skip_special_tokens': false, 'presence_penalty': 1, 'frequency_penalty': -1,"
    " 'repetition_penalty': 1.5}";

START_TEST(engine_gets_what_was_asked)
{
    aimd_request r;
    read_ok(rich, C, &r);
    aim_request *q = aimd_request_for_engine(&r, 1, &r);
    ck_assert_ptr_nonnull(q);
    ck_assert_ptr_eq(q->user, &r);
    ck_assert_int_eq(q->prompt_index, 1);
    ck_assert_int_eq(q->n_tokens, r.prompts[1].n_tokens);
    ck_assert_ptr_ne(q->tokens, r.prompts[1].tokens);
    ck_assert_int_eq(q->n, 3);
    ck_assert_uint_eq(q->seed, 9);
    ck_assert_int_eq(q->max_tokens, 5);
    ck_assert_uint_eq(q->n_stop, 2);
    ck_assert_str_eq(q->stop[1], "yz");
    ck_assert(q->include_stop);
    ck_assert(!q->skip_special);
    ck_assert_int_eq(q->logprobs, 2);
    ck_assert_int_eq(q->prompt_logprobs, 2); /* echo wants more than prompt_logprobs */
    const aim_sampling *s = &q->sampling;
    ck_assert_double_eq(s->temperature, 0.5);
    ck_assert_double_eq(s->min_p, 0.1);
    ck_assert_int_eq(s->top_k, 40);
    ck_assert_int_eq(s->min_tokens, 2);
    ck_assert(s->ignore_eos);
    ck_assert_double_eq(s->presence_penalty, 1);
    ck_assert_double_eq(s->frequency_penalty, -1);
    ck_assert_double_eq(s->repetition_penalty, 1.5);
    ck_assert_uint_eq(s->n_stop_ids, 2);
    ck_assert_int_eq(s->stop_ids[1], 8);
    ck_assert_uint_eq(s->n_bias, 2);
    ck_assert_int_eq(s->bias[0].id, 3);
    ck_assert_float_eq(s->bias[0].bias, 1.5f);
    ck_assert_int_eq(s->bias[1].id, 511);
    aim_request_free(q);
    aimd_request_fini(&r);
}
END_TEST

/* ---- memory -------------------------------------------------------------- */

static const struct {
    enum aimd_body_route route;
    const char *text;
} oom_cases[] = {
    {C, rich},
    {H, "{'messages': [{'role': 'user', 'content': [{'type': 'text', 'text': 'a'}]}], 'stop': 'x',"
        " 'tools': []}"},
    {C, "{'prompt': ['a', 'b'], 'best_of': 4, 'search': 'beam', 'step_separator': '\\n',"
        " 'answer_pattern': 'x(.*)', 'reward_model': 'r', 'max_tokens': 2}"},
    {H, "{'messages': [{'role': 'user', 'content': 'a'}], 'best_of': 2, 'select': 'reward',"
        " 'max_tokens': 2}"},
};

/* ---- candidates --------------------------------------------------------- */

static char weighted[] = "weighted", best_of_n[] = "best_of_n";
static const aimd_search_defaults standard = {
    .best_of = 4, .select = weighted, .search = best_of_n, .beam_width = 3};

static const struct search_case {
    const char *text;
    bool on;
    int best_of;
    enum aim_select select;
    bool with_rewards;
} search_cases[] = {
    {TEXT("'max_tokens': 4"), true, 4, AIM_SELECT_WEIGHTED, true},
    {TEXT("'max_tokens': 4, 'n': 6"), false, 6, AIM_SELECT_LOGPROB, false},
    {TEXT("'max_tokens': 4, 'n': 6, 'return_candidates': true"), true, 6, AIM_SELECT_WEIGHTED,
     true},
    {TEXT("'max_tokens': 4, 'best_of': 1"), false, 1, AIM_SELECT_LOGPROB, false},
    {TEXT("'max_tokens': 4, 'best_of': 2, 'select': 'majority'"), true, 2, AIM_SELECT_MAJORITY,
     false},
    {TEXT("'max_tokens': 4, 'select': 'majority', 'reward_model': 'r'"), true, 4,
     AIM_SELECT_MAJORITY, true},
    {TEXT("'max_tokens': 4, 'select': 'logprob', 'early_stop': {'reject': 0.5}"), true, 4,
     AIM_SELECT_LOGPROB, true},
    {TEXT("'max_tokens': 4, 'search': 'dvts'"), true, 6, AIM_SELECT_WEIGHTED, true},
    {TEXT("'max_tokens': 4, 'early_stop': false, 'return_candidates': false"), true, 4,
     AIM_SELECT_WEIGHTED, true},
    /* All candidates would be one, or none is wanted. */
    {TEXT("'temperature': 0"), false, 1, AIM_SELECT_LOGPROB, false},
    {TEXT("'max_tokens': 0, 'echo': true"), false, 1, AIM_SELECT_LOGPROB, false},
    {TEXT("'echo': true, 'logprobs': 1"), false, 1, AIM_SELECT_LOGPROB, false},
    {TEXT("'prompt_logprobs': 1"), false, 1, AIM_SELECT_LOGPROB, false},
};

START_TEST(defaults_of_a_search)
{
    const struct search_case *c = &search_cases[_i];
    aimd_request r;
    aim_error err = {0};
    scope.search = &standard;
    ck_assert_msg(read_text(c->text, C, &r, &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(r.search.on, c->on);
    ck_assert_int_eq(r.search.best_of, c->best_of);
    ck_assert_int_eq((int)r.search.select, (int)c->select);
    ck_assert_int_eq(r.search.with_rewards, c->with_rewards);
    ck_assert_uint_eq(r.search.n_questions, c->with_rewards ? 1 : 0);
    scope.search = NULL;
    aimd_request_fini(&r);
}
END_TEST

/* Who knows that there is a default may say how to choose, also where it makes nothing. */
START_TEST(a_choice_of_one_by_default)
{
    aimd_request r;
    scope.search = &standard;
    read_ok(TEXT("'temperature': 0, 'select': 'majority'"), C, &r);
    ck_assert_int_eq(r.search.best_of, 1);
    aimd_request_fini(&r);
    aim_error err = {0};
    ck_assert_int_eq(read_text(TEXT("'best_of': 1, 'select': 'majority'"), C, &r, &err),
                     AIM_EINVAL);
    ck_assert_str_eq(err.param, "select");
    scope.search = NULL;
    aimd_request_fini(&r);
}
END_TEST

static const struct {
    const char *value;
    aim_early_stop expected;
} early_cases[] = {
    {"false", {.every = 0}},
    {"{}", {.every = 0}},
    {"{'vote': false, 'every': 8, 'wave': 2}", {.every = 0}},
    {"true", {.vote = 1, .every = 32, .wave = 4}},
    {"{'vote': 0.75}", {.vote = 0.75, .every = 32, .wave = 4}},
    {"{'vote': 1, 'wave': 0, 'every': 8}", {.vote = 1, .every = 8}},
    {"{'score': -1.5}", {.has_score = true, .score = -1.5, .every = 32, .wave = 4}},
    {"{'score': 0, 'wave': 7}", {.has_score = true, .every = 32, .wave = 7}},
    {"{'reject': 0.25}", {.reject = 0.25, .every = 32}},
};

START_TEST(early_stops)
{
    const aim_early_stop *expected = &early_cases[_i].expected;
    char text[256];
    aimd_request r;
    snprintf(text, sizeof text,
             "{'prompt': 'a', 'best_of': 8, 'max_tokens': 4, 'select': 'majority',"
             " 'early_stop': %s}",
             early_cases[_i].value);
    read_ok(text, C, &r);
    ck_assert_double_eq(r.search.early.vote, expected->vote);
    ck_assert_double_eq(r.search.early.score, expected->score);
    ck_assert_double_eq(r.search.early.reject, expected->reject);
    ck_assert_int_eq(r.search.early.has_score, expected->has_score);
    ck_assert_int_eq(r.search.early.every, expected->every);
    ck_assert_int_eq(r.search.early.wave, expected->wave);
    aimd_request_fini(&r);
}
END_TEST

/* At temperature 0 candidates differ on hardware that does. */
START_TEST(read_noise_makes_candidates)
{
    aimd_request r;
    aim_error err = {0};
    scope.search = &standard;
    scope.read_noise = true;
    ck_assert_int_eq(read_text(TEXT("'temperature': 0"), C, &r, &err), AIM_OK);
    ck_assert_int_eq(r.search.best_of, 4);
    scope.search = NULL;
    scope.read_noise = false;
    aimd_request_fini(&r);
}
END_TEST

/* Without max_tokens each of eight candidates has its share of max_total_tokens. */
START_TEST(candidates_share_the_tokens)
{
    aimd_request r;
    aim_error err = {0};
    ck_assert_int_eq(read_text(CHAT("'best_of': 8"), H, &r, &err), AIM_OK);
    ck_assert_int_eq(r.prompts[0].max_tokens, 12);
    aimd_request_fini(&r);
    ck_assert_int_eq(read_text(CHAT("'best_of': 8, 'max_tokens': 13"), H, &r, &err), AIM_EINVAL);
    ck_assert_str_eq(err.param, "best_of");
    aimd_request_fini(&r);
    err = (aim_error){0};
    ck_assert_int_eq(
        read_text(CHAT("'best_of': 8, 'max_tokens': 13, 'max_total_tokens': 99"), H, &r, &err),
        AIM_OK);
    aimd_request_fini(&r);
    /* Of a budget each of the two that are wanted. */
    ck_assert_int_eq(read_text(CHAT("'best_of': 8, 'n': 2, 'max_total_tokens': 11"), H, &r, &err),
                     AIM_OK);
    ck_assert_int_eq(r.prompts[0].max_tokens, 5);
    aimd_request_fini(&r);
}
END_TEST

START_TEST(every_failed_allocation_is_an_error)
{
    bool whole = false;
    for (long n = 0; !whole; n++) {
        aimd_request r;
        aim_error err = {0};
        aim_alloc_fail_after(n);
        int code = read_text(oom_cases[_i].text, oom_cases[_i].route, &r, &err);
        aim_request *q = code ? NULL : aimd_request_for_engine(&r, 0, NULL);
        aim_alloc_fail_after(-1);
        if (code)
            ck_assert_msg(code == AIM_ENOMEM, "allocation %ld: %d %s", n, code, err.text);
        whole = q != NULL;
        if (q)
            aim_request_free(q);
        aimd_request_fini(&r);
        ck_assert_int_lt(n, 100000);
    }
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("request");
    TCase *t = tcase_create("request");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, fault_is_named, 0, sizeof bad_cases / sizeof bad_cases[0]);
    tcase_add_test(t, four_forms_of_a_prompt);
    tcase_add_test(t, special_text_is_parsed_in_prompts_only);
    tcase_add_test(t, missing_prompt_is_bos);
    tcase_add_loop_test(t, prompt_and_answer_fit, 0, sizeof limit_cases / sizeof limit_cases[0]);
    tcase_add_test(t, chat_gets_the_rest_of_the_context);
    tcase_add_test(t, defaults_come_from_request_then_model);
    tcase_add_test(t, engine_gets_what_was_asked);
    tcase_add_loop_test(t, defaults_of_a_search, 0, sizeof search_cases / sizeof search_cases[0]);
    tcase_add_test(t, a_choice_of_one_by_default);
    tcase_add_loop_test(t, early_stops, 0, sizeof early_cases / sizeof early_cases[0]);
    tcase_add_test(t, read_noise_makes_candidates);
    tcase_add_test(t, candidates_share_the_tokens);
    tcase_add_loop_test(t, every_failed_allocation_is_an_error, 0,
                        sizeof oom_cases / sizeof oom_cases[0]);
    suite_add_tcase(s, t);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
