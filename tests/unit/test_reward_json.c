/* SPDX-License-Identifier: Apache-2.0 */
/* Which layout a model has: by its reward.json, by its head, by its name. */
#include "tests/unit/reward_fixture.h"

/* The models to which files and names are put: with a chat template and without. */
enum { LLAMA, QWEN, SKYWORK, CLASSIFIER, MISTRAL, N_MODELS };
static const char *const models[N_MODELS] = {
    [LLAMA] = "tests/data/models/reward_rlhflow",
    [QWEN] = "tests/data/models/reward_qwen-prm",
    [SKYWORK] = "tests/data/models/reward_skywork",
    [CLASSIFIER] = "tests/data/models/reward_classifier",
    [MISTRAL] = "tests/data/models/reward_math-shepherd",
};

/* The layout of model i with this reward.json (NULL: none) under this name. */
static aim_reward *parse(struct folder *f, int model, const char *name, const char *json,
                         aim_error *err)
{
    open_folder(f, models[model]);
    aim_reward_free(f->reward);
    f->reward = aim_reward_parse(name, json, json ? strlen(json) : 0, &f->config, f->tokenizer,
                                 f->chat, err);
    return f->reward;
}

/* ---- recognised ------------------------------------------------------------------------ */

static const struct {
    int model;
    const char *name, *json, *layout;
} recognised[] = {
    {LLAMA, "", NULL, "rlhflow"},
    {LLAMA, "Llama3.1-8B-PRM-Deepseek-Data", NULL, "rlhflow"},
    {LLAMA, "Llama3.1-8B-ORM-Mistral-Data", NULL, "rlhflow-outcome"},
    {LLAMA, "my-orm Llama-3.1-8B-Instruct", NULL, "rlhflow-outcome"},
    {LLAMA, "outcome_model", NULL, "rlhflow-outcome"},
    {LLAMA, "transformer-platform", NULL, "rlhflow"},
    {LLAMA, "worm", NULL, "rlhflow"},
    {MISTRAL, "math-shepherd-mistral-7b-prm", NULL, "math-shepherd"},
    {MISTRAL, "Math-Shepherd", NULL, "math-shepherd"},
    {QWEN, "an-orm", NULL, "qwen"},
    {SKYWORK, "math-shepherd", NULL, "skywork"},
    {CLASSIFIER, "prm", NULL, "classifier"},
    /* A file that names no layout leaves it to the rest. */
    {LLAMA, "an-orm", "{}", "rlhflow-outcome"},
    {LLAMA, "an-orm", "{\"step_separator\": \"\\n\"}", "rlhflow-outcome"},
    {LLAMA, "an-orm", "{\"layout\": \"rlhflow\"}", "rlhflow"},
    {LLAMA, "math-shepherd", "{\"layout\": \"rlhflow\", \"system\": \"\"}", "rlhflow"},
};

START_TEST(a_model_is_recognised)
{
    struct folder f;
    aim_error err = {0};
    aim_reward *r = parse(&f, recognised[_i].model, recognised[_i].name, recognised[_i].json, &err);
    ck_assert_msg(r != NULL, "%s", err.text);
    ck_assert_str_eq(aim_reward_layout_name(aim_reward_layout_of(r)), recognised[_i].layout);
    close_folder(&f);
}
END_TEST

/* config.json tells where a model comes from whose folder has another name. */
START_TEST(the_origin_of_a_model_counts)
{
    struct folder f;
    open_folder(&f, models[LLAMA]);
    aim_reward_free(f.reward);
    char dir[] = "/tmp/reward-XXXXXX", path[64];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    fputs("{\"_name_or_path\": \"RLHFlow/Llama3.1-8B-ORM-Deepseek-Data\"}", file);
    fclose(file);
    f.reward = aim_reward_load(dir, &f.config, f.tokenizer, f.chat, NULL);
    ck_assert_ptr_nonnull(f.reward);
    ck_assert_int_eq(aim_reward_layout_of(f.reward), AIM_REWARD_RLHFLOW_OUTCOME);
    remove(path);
    remove(dir);
    close_folder(&f);
}
END_TEST

/* ---- settings ---------------------------------------------------------------------------- */

START_TEST(settings_are_taken)
{
    struct folder f;
    int32_t ids[AIM_MAX_HEAD_OUTPUTS];
    aim_reward *r = parse(&f, LLAMA, "",
                          "{\"layout\": \"rlhflow\", \"step_separator\": \" ; \","
                          " \"labels\": {\"positive\": \"Y\", \"negative\": \"N\"},"
                          " \"system\": \"Judge.\"}",
                          NULL);
    ck_assert_ptr_nonnull(r);
    ck_assert_str_eq(aim_reward_separator(r), " ; ");
    ck_assert_int_eq(aim_reward_output_ids(r, ids), 2);
    ck_assert_int_eq(ids[0], aim_tokenizer_find(f.tokenizer, "Y"));
    ck_assert_int_eq(ids[1], aim_tokenizer_find(f.tokenizer, "N"));
    aim_reward_input in = lay_out(r, "q", "a ; b", 5, true);
    aim_buf text = decode(f.tokenizer, in.tokens, (size_t)in.n_tokens, true);
    ck_assert_ptr_nonnull(strstr(text.data, "Judge."));
    ck_assert_ptr_nonnull(strstr(text.data, "q a"));
    ck_assert_int_eq(in.n_scores, 2);
    aim_buf_free(&text);
    aim_reward_input_free(&in);
    close_folder(&f);
}
END_TEST

static const struct {
    int model;
    const char *json, *param, *text;
} refused[] = {
    {LLAMA, "{", "", "reward.json: line 1 column 1: string or '}' expected near end of file"},
    {LLAMA, "[]", "", "reward.json: not an object"},
    {LLAMA, "{\"seperator\": \"x\"}", "seperator", "reward.json: \"seperator\" is not known here"},
    {LLAMA, "{\"labels\": {\"good\": \"x\"}}", "good",
     "reward.json: \"labels.good\" is not known here"},
    {LLAMA, "{\"positive\": \"x\"}", "positive", "reward.json: \"positive\" is not known here"},
    {LLAMA, "{\"layout\": 1}", "layout", "reward.json: \"layout\" must be a string"},
    {LLAMA, "{\"layout\": \"prm\"}", "layout",
     "reward.json: layout \"prm\" is not one of " AIM_REWARD_LAYOUT_NAMES},
    {LLAMA, "{\"labels\": [\"+\", \"-\"]}", "labels",
     "reward.json: \"labels\" must be {positive, negative}"},
    {LLAMA, "{\"step_separator\": \"\"}", "step_separator",
     "reward.json: \"step_separator\" is empty"},
    {LLAMA,
     "{\"step_separator\": \"0123456789012345678901234567890123456789012345678901234567890123x\"}",
     "step_separator", "reward.json: \"step_separator\" has 65 bytes, at most 64 are allowed"},
    {LLAMA, "{\"layout\": \"rlhflow\", \"step_tag\": \"x\"}", "step_tag",
     "reward.json: \"step_tag\" has no meaning for the layout rlhflow"},
    {LLAMA, "{\"layout\": \"verifier\"}", "template",
     "reward.json: \"template\" is missing for the layout verifier"},
    {LLAMA, "{\"layout\": \"verifier\", \"template\": \"{question} {question} {answer}\"}",
     "template", "reward.json: \"template\" must have {question} and {answer} once each"},
    {LLAMA, "{\"layout\": \"verifier\", \"template\": \"{question}\"}", "template",
     "reward.json: \"template\" must have {question} and {answer} once each"},
    {LLAMA,
     "{\"layout\": \"verifier\", \"template\": \"{question} {answer}:\","
     " \"labels\": {\"positive\": \"!\", \"negative\": \"!?\"}}",
     "labels", "reward.json: both labels begin with the same token"},
    {LLAMA,
     "{\"layout\": \"verifier\", \"template\": \"{question} {answer} N\","
     " \"labels\": {\"positive\": \"o\", \"negative\": \"e\"}}",
     "template",
     "reward.json: the end of \"template\" and the label \"o\" grow together; a space belongs to "
     "the label"},
    {LLAMA, "{\"labels\": {\"positive\": \"+1\"}}", "",
     "the labels \"+1\" and \"-\" are not one token each"},
    {LLAMA, "{\"labels\": {\"positive\": \"-\"}}", "",
     "the labels \"-\" and \"-\" are not one token each"},
    {LLAMA, "{\"layout\": \"qwen\"}", "", "the layout qwen needs a model with a head of rewards"},
    {QWEN, "{\"layout\": \"rlhflow\"}", "",
     "the layout rlhflow needs a model with a head of language"},
    {QWEN, "{\"layout\": \"skywork\"}", "", "the layout skywork is not for models with 2 outputs"},
    {QWEN, "{\"step_tag\": \"<extra_1>\"}", "step_tag",
     "the tokenizer has no token for the tag \"<extra_1>\""},
    {MISTRAL, "{\"layout\": \"rlhflow\"}", "",
     "the layout rlhflow needs a chat template, and the model's is missing or not known; set "
     "chat_template"},
    {MISTRAL, "{\"layout\": \"math-shepherd\", \"labels\": {\"positive\": \"-\"}}", "labels",
     "reward.json: both labels begin with the same token"},
};

START_TEST(a_bad_file_is_refused)
{
    struct folder f;
    aim_error err = {0};
    ck_assert_ptr_null(parse(&f, refused[_i].model, "", refused[_i].json, &err));
    ck_assert_str_eq(err.text, refused[_i].text);
    ck_assert_str_eq(err.param, refused[_i].param);
    close_folder(&f);
}
END_TEST

/* Chat templates that cannot carry labels. */
static const struct {
    const char *name, *text;
} templates[] = {
    {"plain", "in the chat template plain no special token tells labels from steps"},
    {"mistral", "in the chat template mistral no special token tells labels from steps"},
    {"qwen3", "in the chat template qwen3 no special token tells labels from steps"},
};

START_TEST(a_template_without_walls_is_refused)
{
    struct folder f;
    aim_error err = {0};
    open_folder(&f, models[LLAMA]);
    const aim_chat_template *chat = aim_chat_template_find(f.tokenizer, templates[_i].name, NULL);
    ck_assert_ptr_nonnull(chat);
    ck_assert_ptr_null(aim_reward_parse("", NULL, 0, &f.config, f.tokenizer, chat, &err));
    ck_assert_str_eq(err.text, templates[_i].text);
    ck_assert_int_eq(err.code, AIM_EUNSUPPORTED);
    close_folder(&f);
}
END_TEST

/* Every allocation fails once. */
START_TEST(failing_allocations_are_survived)
{
    static const char json[] = "{\"step_separator\": \"\\n\"}";
    struct folder f;
    open_folder(&f, models[_i]);
    aim_reward_free(f.reward);
    f.reward = NULL;
    for (long n = 0; !f.reward; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        f.reward = aim_reward_parse("math-shepherd", _i == MISTRAL ? json : NULL, sizeof json - 1,
                                    &f.config, f.tokenizer, _i == MISTRAL ? NULL : f.chat, &err);
        aim_alloc_fail_after(-1);
        ck_assert(f.reward || err.code == AIM_ENOMEM);
    }
    close_folder(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reward.json");
    TCase *cases = tcase_create("models");
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, a_model_is_recognised, 0, COUNT(recognised));
    tcase_add_test(cases, the_origin_of_a_model_counts);
    tcase_add_test(cases, settings_are_taken);
    tcase_add_loop_test(cases, a_bad_file_is_refused, 0, COUNT(refused));
    tcase_add_loop_test(cases, a_template_without_walls_is_refused, 0, COUNT(templates));
    tcase_add_loop_test(cases, failing_allocations_are_survived, 0, N_MODELS);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
