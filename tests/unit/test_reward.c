/* SPDX-License-Identifier: Apache-2.0 */
/* Layouts of reward models, by the model that is shipped. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "checkpoint/hf_config.h"
#include "search/reward.h"

#define SHIPPED "models/wordmath-2m-prm"

/* A reward model's folder, read. */
struct folder {
    aim_hf_config config;
    aim_tokenizer *tokenizer;
    const aim_chat_template *chat;
    aim_reward *reward;
};

static void open_folder(struct folder *f, const char *name)
{
    aim_error err = {0};
    char dir[4096];
    snprintf(dir, sizeof dir, "%s", source_path(name));
    ck_assert_msg(!aim_hf_config_load(dir, &f->config, &err), "%s", err.text);
    f->tokenizer = load(name);
    f->chat = aim_chat_template_find(f->tokenizer, NULL, NULL);
    f->reward = aim_reward_load(dir, &f->config, f->tokenizer, f->chat, &err);
    ck_assert_msg(f->reward != NULL, "%s", err.text);
}

static void close_folder(struct folder *f)
{
    aim_reward_free(f->reward);
    aim_tokenizer_free(f->tokenizer);
}

/* ---- the shipped model's own evaluation ------------------------------------------------ */

/* The next conversation of eval/scores.jsonl; NULL at the end. */
static json_t *next_row(FILE *file)
{
    static char line[1 << 16];
    return fgets(line, sizeof line, file) ? json_loads(line, 0, NULL) : NULL;
}

static void join_steps(const json_t *steps, const char *separator, aim_buf *out)
{
    for (size_t i = 0; i < json_array_size(steps); i++) {
        aim_buf_puts(out, i ? separator : "");
        aim_buf_puts(out, json_string_value(json_array_get(steps, i)));
    }
}

START_TEST(the_evaluation_has_the_same_tokens)
{
    struct folder f;
    open_folder(&f, SHIPPED);
    FILE *file = fopen(source_path(SHIPPED "/eval/scores.jsonl"), "r");
    ck_assert_ptr_nonnull(file);
    int rows = 0;
    for (json_t *row; (row = next_row(file)); rows++) {
        const char *question = json_string_value(json_object_get(row, "question"));
        const json_t *steps = json_object_get(row, "steps");
        aim_buf answer = AIM_BUF_INIT;
        aim_reward_input in;
        join_steps(steps, aim_reward_separator(f.reward), &answer);
        ck_assert_int_eq(aim_reward_lay_out(f.reward, question, strlen(question), answer.data,
                                            answer.len, true, &in, NULL),
                         AIM_OK);
        ck_assert(same_ids(json_object_get(row, "tokens"), in.tokens, (size_t)in.n_tokens));
        ck_assert_int_eq(in.n_scores, (int)json_array_size(steps));
        for (int i = 0; i < in.n_scores; i++)
            ck_assert_int_eq(in.tokens[in.score_at[i] + 1], aim_tokenizer_find(f.tokenizer, "+"));
        aim_reward_input_free(&in);
        aim_buf_free(&answer);
        json_decref(row);
    }
    fclose(file);
    ck_assert_int_eq(rows, 60);
    close_folder(&f);
}
END_TEST

/* ---- references of tiny models ------------------------------------------------------------ */

static const struct {
    const char *name;
    enum aim_reward_layout layout;
    bool has_steps, is_probability;
} layouts[] = {
    {"rlhflow", AIM_REWARD_RLHFLOW, true, true},
    {"math-shepherd", AIM_REWARD_MATH_SHEPHERD, true, true},
    {"skywork", AIM_REWARD_SKYWORK, true, true},
    {"qwen-prm", AIM_REWARD_QWEN, true, true},
    {"rlhflow-outcome", AIM_REWARD_RLHFLOW_OUTCOME, false, true},
    {"classifier", AIM_REWARD_CLASSIFIER, false, false},
    {"qwen-rm", AIM_REWARD_CLASSIFIER, false, false},
    {"verifier", AIM_REWARD_VERIFIER, false, true},
};

static void open_layout(struct folder *f, int i)
{
    char folder[64];
    snprintf(folder, sizeof folder, "tests/data/models/reward_%s", layouts[i].name);
    open_folder(f, folder);
}

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

static void expect_input(const struct folder *f, const json_t *conversation)
{
    const json_t *question = json_object_get(conversation, "question");
    const json_t *answer = json_object_get(conversation, "answer");
    const json_t *tokens = json_object_get(conversation, "tokens");
    aim_reward_input in;
    aim_error err = {0};
    int code =
        aim_reward_lay_out(f->reward, json_string_value(question), json_string_length(question),
                           json_string_value(answer), json_string_length(answer), true, &in, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
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
        expect_input(&f, row);
        expect_scores(f.reward, row);
    }
    ck_assert_uint_gt(i, 10);
    json_decref(reference);
    close_folder(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward");
    TCase *cases = tcase_create("layouts");
    tcase_add_test(cases, the_evaluation_has_the_same_tokens);
    tcase_add_loop_test(cases, a_layout_is_recognised, 0, COUNT(layouts));
    tcase_add_loop_test(cases, conversations_are_as_published, 0, COUNT(layouts));
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
