/* SPDX-License-Identifier: Apache-2.0 */
/* Questions and answers as reward models read them. */
#include "tests/unit/reward_fixture.h"

/* ---- as published --------------------------------------------------------------------------- */

START_TEST(the_shipped_evaluation_has_the_same_tokens)
{
    struct folder f;
    open_folder(&f, SHIPPED);
    FILE *file = open_shipped();
    int rows = 0;
    for (json_t *row; (row = next_shipped(file)); rows++) {
        aim_reward_input in = lay_out_shipped(f.reward, row);
        ck_assert(same_ids(json_object_get(row, "tokens"), in.tokens, (size_t)in.n_tokens));
        ck_assert_int_eq(in.n_scores, (int)json_array_size(json_object_get(row, "steps")));
        for (int i = 0; i < in.n_scores; i++)
            ck_assert_int_eq(in.tokens[in.score_at[i] + 1], aim_tokenizer_find(f.tokenizer, "+"));
        aim_reward_input_free(&in);
        json_decref(row);
    }
    fclose(file);
    ck_assert_int_eq(rows, N_SHIPPED);
    close_folder(&f);
}
END_TEST

static json_t *reference_of(int i)
{
    char file[96];
    snprintf(file, sizeof file, "tests/data/models/reward_%s/reference.json", layouts[i].name);
    json_t *reference = json_load_file(source_path(file), 0, NULL);
    ck_assert_ptr_nonnull(reference);
    return reference;
}

START_TEST(a_layout_is_recognised)
{
    struct folder f;
    open_layout(&f, _i);
    ck_assert_int_eq(aim_reward_layout_of(f.reward), layouts[_i].layout);
    ck_assert_int_eq(aim_reward_has_steps(f.reward), layouts[_i].has_steps);
    ck_assert_int_eq(aim_reward_is_probability(f.reward), layouts[_i].is_probability);
    json_t *reference = reference_of(_i), *labels = json_object_get(reference, "labels");
    int32_t ids[AIM_MAX_HEAD_OUTPUTS];
    int n = aim_reward_output_ids(f.reward, ids);
    ck_assert(same_ids(labels, ids, (size_t)n));
    ck_assert_str_eq(aim_reward_separator(f.reward),
                     json_string_value(json_object_get(reference, "separator")));
    json_decref(reference);
    close_folder(&f);
}
END_TEST

/* Outputs of the reference to its scores; both have five digits behind the point. */
static void expect_scores(const aim_reward *r, const json_t *conversation)
{
    const json_t *outputs = json_object_get(conversation, "outputs");
    const json_t *scores = json_object_get(conversation, "scores");
    for (size_t i = 0; i < json_array_size(scores); i++) {
        const json_t *row = json_array_get(outputs, i);
        float x[AIM_MAX_HEAD_OUTPUTS], score;
        int width = (int)json_array_size(row);
        for (int k = 0; k < width; k++)
            x[k] = (float)json_real_value(json_array_get(row, (size_t)k));
        aim_reward_scores(r, x, 1, width, &score);
        ck_assert_double_eq_tol(score, json_real_value(json_array_get(scores, i)), 1e-5);
    }
}

static void expect_input(const aim_reward *r, const json_t *conversation)
{
    const json_t *answer = json_object_get(conversation, "answer");
    const json_t *tokens = json_object_get(conversation, "tokens");
    aim_reward_input in = lay_out(r, json_string_value(json_object_get(conversation, "question")),
                                  json_string_value(answer), json_string_length(answer), true);
    ck_assert_msg(json_is_null(tokens) || same_ids(tokens, in.tokens, (size_t)in.n_tokens),
                  "\"%s\"", json_string_value(answer));
    ck_assert(
        same_ids(json_object_get(conversation, "score_at"), in.score_at, (size_t)in.n_scores));
    aim_reward_input_free(&in);
}

START_TEST(conversations_are_as_published)
{
    struct folder f;
    open_layout(&f, _i);
    json_t *reference = reference_of(_i), *row;
    size_t i;
    json_array_foreach(json_object_get(reference, "conversations"), i, row)
    {
        expect_input(f.reward, row);
        expect_scores(f.reward, row);
    }
    ck_assert_uint_gt(i, 10);
    json_decref(reference);
    close_folder(&f);
}
END_TEST

/* ---- as a search goes on ----------------------------------------------------------------------
 */

/* What answers are put together from: what joins to other tokens, what is a special token
 * or a tag elsewhere, what a template looks for, and separators. */
static const char *const parts[] = {
    "a",   "Step 1: ", "2",      "345",       " ",        "  ",       "\n",           "\n\n",
    ".",   "+",        "-",      "\t",        "ки",       " ки",      "<|eot_id|>",   "<extra_0>",
    "é",   "e\u0301",  "\u0301", "\u00a0",    "👍🏽", "</think>", "<|im_start|>", "user\n",
    "'s ", "</s>",     "\r\n",   "<think>\n", "n't",      "答え",     "\u1e9b\u0323", "assistant",
};

static void random_text(uint64_t *state, aim_buf *out)
{
    uint32_t n = random_below(state, 24);
    aim_buf_puts(out, "");
    for (uint32_t i = 0; i < n; i++)
        aim_buf_puts(out, parts[random_below(state, COUNT(parts))]);
}

/* The tokens that the question has on its own begin every input with that question. */
static void expect_question(const aim_reward *r, const char *question, const aim_reward_input *in)
{
    aim_reward_input alone;
    ck_assert_int_eq(aim_reward_lay_out_question(r, question, strlen(question), &alone, NULL),
                     AIM_OK);
    ck_assert_int_eq(alone.n_scores, 0);
    ck_assert_int_eq(alone.n_tokens, alone.n_question);
    ck_assert_int_eq(in->n_question, alone.n_tokens);
    ck_assert_int_le(alone.n_tokens, in->n_tokens);
    ck_assert_mem_eq(alone.tokens, in->tokens, (size_t)alone.n_tokens * sizeof *in->tokens);
    aim_reward_input_free(&alone);
}

/* What stands in front of a score of the answer's beginning stays there. */
static void expect_beginning(const aim_reward *r, const char *question, const aim_buf *answer,
                             size_t cut, const aim_reward_input *whole)
{
    aim_reward_input in = lay_out(r, question, answer->data, cut, false);
    ck_assert_int_le(in.n_scores, whole->n_scores);
    for (int i = 0; i < in.n_scores; i++)
        ck_assert_int_eq(in.score_at[i], whole->score_at[i]);
    if (in.n_scores > 0)
        ck_assert_mem_eq(in.tokens, whole->tokens,
                         ((size_t)in.score_at[in.n_scores - 1] + 1) * sizeof *in.tokens);
    aim_reward_input_free(&in);
}

static bool begins_character(char c)
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static void expect_growth(const struct folder *f, bool has_steps, uint64_t *state)
{
    aim_buf question = AIM_BUF_INIT, answer = AIM_BUF_INIT;
    random_text(state, &question);
    random_text(state, &answer);
    aim_reward_input whole = lay_out(f->reward, question.data, answer.data, answer.len, true);
    expect_question(f->reward, question.data, &whole);
    for (size_t cut = 0; cut <= answer.len && has_steps; cut++)
        if (begins_character(answer.data[cut]))
            expect_beginning(f->reward, question.data, &answer, cut, &whole);
    for (int i = 0; i < whole.n_scores; i++)
        ck_assert_int_lt(whole.score_at[i], whole.n_tokens);
    aim_reward_input_free(&whole);
    aim_buf_free(&question);
    aim_buf_free(&answer);
}

START_TEST(scores_do_not_depend_on_what_follows)
{
    struct folder f;
    uint64_t state = 1 + (uint64_t)_i;
    open_layout(&f, _i);
    for (int round = 0; round < 200; round++)
        expect_growth(&f, layouts[_i].has_steps, &state);
    close_folder(&f);
}
END_TEST

/* The same with templates that trim, that end otherwise, that take answers apart. */
static const char *const templates[] = {"llama-3", "llama-3-open", "mistral",     "chatml",
                                        "qwen2.5", "qwen3",        "deepseek-r1", "plain"};

START_TEST(chats_of_other_templates_keep_their_questions)
{
    struct folder f;
    uint64_t state = 1 + (uint64_t)_i;
    open_folder(&f, "tests/data/models/reward_classifier");
    const aim_chat_template *chat = aim_chat_template_find(f.tokenizer, templates[_i], NULL);
    ck_assert_ptr_nonnull(chat);
    aim_reward_free(f.reward);
    f.reward = aim_reward_parse("", NULL, 0, &f.config, f.tokenizer, chat, NULL);
    ck_assert_ptr_nonnull(f.reward);
    for (int round = 0; round < 200; round++)
        expect_growth(&f, false, &state);
    close_folder(&f);
}
END_TEST

/* ---- positions in what is laid out already ------------------------------------------------------
 */

START_TEST(steps_are_found_again)
{
    struct folder f;
    open_layout(&f, _i);
    char answer[64];
    snprintf(answer, sizeof answer, "Step 1: 2%s+%s4", aim_reward_separator(f.reward),
             aim_reward_separator(f.reward));
    aim_reward_input in = lay_out(f.reward, "What is 1 + 1?", answer, strlen(answer), true), found;
    ck_assert_int_eq(aim_reward_find_steps(f.reward, in.tokens, in.n_tokens, &found, NULL), AIM_OK);
    ck_assert_int_eq(found.n_scores, layouts[_i].has_steps ? 3 : 1);
    ck_assert_int_eq(found.n_scores, in.n_scores);
    ck_assert_mem_eq(found.score_at, in.score_at, (size_t)in.n_scores * sizeof *in.score_at);
    ck_assert_int_eq(found.n_tokens, in.n_tokens);
    ck_assert_mem_eq(found.tokens, in.tokens, (size_t)in.n_tokens * sizeof *in.tokens);
    aim_reward_input_free(&found);
    aim_reward_input_free(&in);
    close_folder(&f);
}
END_TEST

START_TEST(nothing_is_found_in_nothing)
{
    struct folder f;
    aim_reward_input found;
    open_layout(&f, _i);
    ck_assert_int_eq(aim_reward_find_steps(f.reward, NULL, 0, &found, NULL), AIM_OK);
    ck_assert_int_eq(found.n_tokens, 0);
    ck_assert_int_eq(found.n_scores, 0);
    aim_reward_input_free(&found);
    close_folder(&f);
}
END_TEST

/* ---- much, and too much
 * ---------------------------------------------------------------------------- */

/* So many steps of a few bytes, put together. */
static aim_buf many_steps(const aim_reward *r, int n)
{
    aim_buf answer = AIM_BUF_INIT;
    for (int i = 0; i < n; i++)
        aim_buf_printf(&answer, "2 + %d%s", i, aim_reward_separator(r));
    ck_assert(!answer.failed);
    return answer;
}

START_TEST(ten_thousand_steps_are_laid_out)
{
    struct folder f;
    open_layout(&f, _i);
    aim_buf answer = many_steps(f.reward, 10000);
    ck_assert_uint_gt(answer.len, 80000);
    aim_reward_input in = lay_out(f.reward, "How many?", answer.data, answer.len, false);
    ck_assert_int_eq(in.n_scores, layouts[_i].has_steps ? 10000 : 1);
    aim_reward_input_free(&in);
    aim_buf_free(&answer);
    close_folder(&f);
}
END_TEST

START_TEST(too_many_steps_are_refused)
{
    struct folder f;
    open_layout(&f, _i);
    aim_buf answer = many_steps(f.reward, AIM_MAX_REWARD_STEPS + 1);
    aim_reward_input in;
    aim_error err = {0};
    int code = aim_reward_lay_out(f.reward, "q", 1, answer.data, answer.len, false, &in, &err);
    ck_assert_int_eq(code, layouts[_i].has_steps ? AIM_ETOOLARGE : AIM_OK);
    ck_assert_str_eq(err.text, layouts[_i].has_steps ? "the answer has more than 16384 steps" : "");
    aim_reward_input_free(&in);
    aim_buf_free(&answer);
    close_folder(&f);
}
END_TEST

START_TEST(an_answer_of_one_long_line_is_laid_out)
{
    struct folder f;
    open_layout(&f, _i);
    aim_buf answer = AIM_BUF_INIT;
    for (int i = 0; i < 100000; i++)
        aim_buf_append(&answer, &"+ 1\t<"[i % 5], 1);
    aim_reward_input in = lay_out(f.reward, answer.data, answer.data, answer.len, true);
    ck_assert_int_eq(in.n_scores, 1);
    ck_assert_int_gt(in.n_question, 1000);
    aim_reward_input_free(&in);
    aim_buf_free(&answer);
    close_folder(&f);
}
END_TEST

START_TEST(broken_text_is_refused)
{
    struct folder f;
    aim_reward_input in;
    aim_error err = {0}, in_question = {0};
    open_layout(&f, _i);
    ck_assert_int_eq(aim_reward_lay_out(f.reward, "q", 1, "a\xc3", 2, true, &in, &err), AIM_EINVAL);
    ck_assert_str_eq(err.text, "the answer for a reward model is not valid UTF-8");
    ck_assert_ptr_null(in.tokens);
    ck_assert_int_eq(aim_reward_lay_out_question(f.reward, "\xff", 1, &in, &in_question),
                     AIM_EINVAL);
    ck_assert_str_eq(in_question.text, "the question for a reward model is not valid UTF-8");
    close_folder(&f);
}
END_TEST

/* Every allocation fails once. */
START_TEST(failing_allocations_are_survived)
{
    struct folder f;
    open_layout(&f, _i);
    int code = AIM_ENOMEM;
    for (long n = 0; code; n++) {
        aim_reward_input in;
        aim_error err = {0};
        aim_alloc_fail_after(n);
        code = aim_reward_lay_out(f.reward, "1 + 1?", 6, "2\n\n3\n\n", 6, true, &in, &err);
        aim_alloc_fail_after(-1);
        ck_assert(code == AIM_OK || code == AIM_ENOMEM);
        ck_assert_int_eq(err.code, code);
        aim_reward_input_free(&in);
    }
    close_folder(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward");
    TCase *cases = tcase_create("layouts");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_layout_is_recognised, 0, COUNT(layouts));
    tcase_add_loop_test(cases, conversations_are_as_published, 0, COUNT(layouts));
    tcase_add_loop_test(cases, scores_do_not_depend_on_what_follows, 0, COUNT(layouts));
    tcase_add_loop_test(cases, steps_are_found_again, 0, COUNT(layouts));
    tcase_add_loop_test(cases, nothing_is_found_in_nothing, 0, COUNT(layouts));
    tcase_add_loop_test(cases, ten_thousand_steps_are_laid_out, 0, COUNT(layouts));
    tcase_add_loop_test(cases, too_many_steps_are_refused, 0, COUNT(layouts));
    tcase_add_loop_test(cases, an_answer_of_one_long_line_is_laid_out, 0, COUNT(layouts));
    tcase_add_loop_test(cases, broken_text_is_refused, 0, COUNT(layouts));
    tcase_add_loop_test(cases, failing_allocations_are_survived, 0, COUNT(layouts));
    suite_add_tcase(suite, cases);
    TCase *others = tcase_create("others");
    tcase_set_timeout(others, 60);
    tcase_add_test(others, the_shipped_evaluation_has_the_same_tokens);
    tcase_add_loop_test(others, chats_of_other_templates_keep_their_questions, 0, COUNT(templates));
    suite_add_tcase(suite, others);
    return run_suite(suite);
}
