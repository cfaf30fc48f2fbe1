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

int main(void)
{
    Suite *suite = suite_create("reward");
    TCase *layouts = tcase_create("layouts");
    tcase_add_test(layouts, the_evaluation_has_the_same_tokens);
    suite_add_tcase(suite, layouts);
    return run_suite(suite);
}
