/* SPDX-License-Identifier: Apache-2.0 */
/* reward_fixture.h - what the tests of reward models have in common. */
#ifndef AIM_TESTS_UNIT_REWARD_FIXTURE_H
#define AIM_TESTS_UNIT_REWARD_FIXTURE_H

#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "checkpoint/hf_config.h"
#include "search/reward.h"

/* A reward model's folder, read. */
struct folder {
    aim_hf_config config;
    aim_tokenizer *tokenizer;
    const aim_chat_template *chat;
    aim_reward *reward;
};

static inline void open_folder(struct folder *f, const char *name)
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

static inline void close_folder(struct folder *f)
{
    aim_reward_free(f->reward);
    aim_tokenizer_free(f->tokenizer);
}

static inline aim_reward_input lay_out(const aim_reward *r, const char *question,
                                       const char *answer, size_t answer_len, bool complete)
{
    aim_reward_input in;
    aim_error err = {0};
    int code =
        aim_reward_lay_out(r, question, strlen(question), answer, answer_len, complete, &in, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    return in;
}

/* ---- tiny models of every layout (tests/reference/make_reward_fixtures.py) ------------------ */

static const struct layout {
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

static inline void open_layout(struct folder *f, int i)
{
    char folder[64];
    snprintf(folder, sizeof folder, "tests/data/models/reward_%s", layouts[i].name);
    open_folder(f, folder);
}

/* ---- conversations of the shipped reward model ------------------------------------------------
 */

#define SHIPPED "models/wordmath-2m-prm"
enum { N_SHIPPED = 60 };

static inline FILE *open_shipped(void)
{
    FILE *file = fopen(source_path(SHIPPED "/eval/scores.jsonl"), "r");
    ck_assert_ptr_nonnull(file);
    return file;
}

/* The next conversation; NULL at the end. */
static inline json_t *next_shipped(FILE *file)
{
    static char line[1 << 16];
    return fgets(line, sizeof line, file) ? json_loads(line, 0, NULL) : NULL;
}

static inline aim_reward_input lay_out_shipped(const aim_reward *r, const json_t *row)
{
    const json_t *steps = json_object_get(row, "steps");
    aim_buf answer = AIM_BUF_INIT;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        aim_buf_puts(&answer, i ? aim_reward_separator(r) : "");
        aim_buf_puts(&answer, json_string_value(json_array_get(steps, i)));
    }
    aim_reward_input in = lay_out(r, json_string_value(json_object_get(row, "question")),
                                  answer.data, answer.len, true);
    aim_buf_free(&answer);
    return in;
}

#endif
