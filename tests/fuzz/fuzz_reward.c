/* SPDX-License-Identifier: Apache-2.0 */
/* A reward.json, a question and an answer, each up to a NUL, for models with every kind of
 * head. The first byte picks the head, whether there is a reward.json, and whether the
 * answer has ended. What is laid out has scores in order, begins as the question alone
 * does, and keeps what is in front of a score when the answer grows. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/fuzz_vocabulary.h"

#include "base/json.h"
#include "search/reward.h"

#include <string.h>

static const aim_hf_config heads[] = {
    {.head = AIM_HEAD_LANGUAGE},
    {.head = AIM_HEAD_LINEAR, .head_outputs = 1},
    {.head = AIM_HEAD_LINEAR, .head_outputs = 1, .value_head = true},
    {.head = AIM_HEAD_MLP, .head_outputs = 2},
};

static aim_tokenizer *tokenizer;
static const aim_chat_template *chat;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    aim_buf doc = AIM_BUF_INIT;
    (void)argc;
    (void)argv;
    aim_json_init();
    aim_buf_puts(&doc, "{\"added_tokens\":["
                       "{\"id\":256,\"content\":\"<|im_start|>\",\"special\":true},"
                       "{\"id\":257,\"content\":\"<|im_end|>\",\"special\":true},"
                       "{\"id\":258,\"content\":\"<extra_0>\",\"special\":true}],"
                       "\"pre_tokenizer\":{\"type\":\"ByteLevel\",\"add_prefix_space\":false,"
                       "\"use_regex\":true},\"model\":{\"vocab\":{");
    put_byte_vocabulary(&doc);
    aim_buf_puts(&doc, "\"th\":259,\"the\":260,\"\u0120a\":261,\"\u010a\u010a\":262},"
                       "\"merges\":[\"t h\",\"th e\",\"\u0120 a\",\"\u010a \u010a\"]}}");
    tokenizer = aim_tokenizer_parse(doc.data, doc.len, NULL, 0, NULL);
    aim_buf_free(&doc);
    FUZZ_EXPECT(tokenizer != NULL);
    chat = aim_chat_template_find(tokenizer, "chatml", NULL);
    FUZZ_EXPECT(chat != NULL);
    return 0;
}

struct text {
    const char *s;
    size_t len;
};

/* The bytes up to the next NUL, which is taken too, or all. */
static struct text take(struct text *rest)
{
    const char *stop = rest->len ? memchr(rest->s, 0, rest->len) : NULL;
    struct text taken = {rest->s, stop ? (size_t)(stop - rest->s) : rest->len};
    size_t used = taken.len + (stop != NULL);
    *rest = (struct text){rest->s + used, rest->len - used};
    return taken;
}

/* Do both begin with the same n tokens? */
static bool same_start(const aim_reward_input *a, const aim_reward_input *b, int n)
{
    return n <= a->n_tokens && n <= b->n_tokens &&
           (n == 0 || memcmp(a->tokens, b->tokens, (size_t)n * sizeof *a->tokens) == 0);
}

static void expect_order(const aim_reward *r, const aim_reward_input *in)
{
    FUZZ_EXPECT(aim_reward_has_steps(r) || in->n_scores == 1);
    for (int i = 0; i < in->n_scores; i++) {
        FUZZ_EXPECT(in->score_at[i] >= in->n_question - 1 && in->score_at[i] < in->n_tokens);
        FUZZ_EXPECT(i == 0 || in->score_at[i] > in->score_at[i - 1]);
    }
}

static void expect_question(const aim_reward *r, struct text question, const aim_reward_input *in)
{
    aim_reward_input alone;
    FUZZ_EXPECT(!aim_reward_lay_out_question(r, question.s, question.len, &alone, NULL));
    FUZZ_EXPECT(in->n_question == alone.n_tokens && alone.n_scores == 0);
    FUZZ_EXPECT(same_start(in, &alone, alone.n_tokens));
    aim_reward_input_free(&alone);
}

/* The first half of the answer, which goes on. */
static void expect_growth(const aim_reward *r, struct text question, struct text answer,
                          const aim_reward_input *in)
{
    aim_reward_input half;
    int code = aim_reward_lay_out(r, question.s, question.len, answer.s, answer.len / 2, false,
                                  &half, NULL);
    if (code)
        return; /* half a character */
    FUZZ_EXPECT(half.n_scores <= in->n_scores);
    for (int i = 0; i < half.n_scores && aim_reward_has_steps(r); i++)
        FUZZ_EXPECT(half.score_at[i] == in->score_at[i] &&
                    same_start(&half, in, half.score_at[i] + 1));
    aim_reward_input_free(&half);
}

static void expect_found(const aim_reward *r, const aim_reward_input *in)
{
    aim_reward_input found;
    FUZZ_EXPECT(!aim_reward_find_steps(r, in->tokens, in->n_tokens, &found, NULL));
    FUZZ_EXPECT(found.n_tokens == in->n_tokens && same_start(&found, in, in->n_tokens));
    aim_reward_input_free(&found);
}

static void lay_out(const aim_reward *r, struct text question, struct text answer, bool complete)
{
    aim_reward_input in;
    aim_error err = {0};
    int code =
        aim_reward_lay_out(r, question.s, question.len, answer.s, answer.len, complete, &in, &err);
    FUZZ_EXPECT(code == (int)err.code && (code == AIM_OK) == (err.text[0] == '\0'));
    if (code) {
        FUZZ_EXPECT(in.tokens == NULL && in.score_at == NULL);
        return;
    }
    expect_order(r, &in);
    expect_question(r, question, &in);
    expect_growth(r, question, answer, &in);
    expect_found(r, &in);
    aim_reward_input_free(&in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct text rest = {(const char *)data + 1, size - 1};
    struct text json = take(&rest), question = take(&rest), answer = take(&rest);
    aim_error err = {0};
    aim_reward *r =
        aim_reward_parse("", data[0] & 0x80 ? json.s : NULL, json.len,
                         &heads[data[0] % (sizeof heads / sizeof *heads)], tokenizer, chat, &err);
    FUZZ_EXPECT(r ? err.code == AIM_OK : err.code != AIM_OK && err.text[0] != '\0');
    if (r)
        lay_out(r, question, answer, data[0] & 0x40);
    aim_reward_free(r);
    return 0;
}
