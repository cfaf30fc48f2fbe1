/* SPDX-License-Identifier: Apache-2.0 */
/* Which heads of reward models a folder may have, and how its files tell. */
#include "base/json.h"
#include "model/decoder.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- config.json ------------------------------------------------------------------ */

/* Which head an architecture has, and how many outputs. */
static const struct head_case {
    const char *architecture, *more;
    enum aim_head_kind head;
    int outputs;
    bool value_head;
    const char *error; /* NULL: accepted */
} head_cases[] = {
    {"LlamaForCausalLM", "\"num_labels\":3,\"id2label\":{}", AIM_HEAD_LANGUAGE, 0, false, NULL},
    {"LlamaForSequenceClassification", "", AIM_HEAD_LINEAR, 2, false, NULL},
    {"LlamaForSequenceClassification", "\"num_labels\":1,\"id2label\":null", AIM_HEAD_LINEAR, 1,
     false, NULL},
    {"AnalogWrapperLlamaForSequenceClassification", "\"num_labels\":1", AIM_HEAD_LINEAR, 1, false,
     NULL},
    {"MistralForSequenceClassification",
     "\"id2label\":{\"0\":\"a\",\"1\":\"b\",\"2\":\"c\"},\"label2id\":{},"
     "\"problem_type\":\"regression\",\"classifier_dropout\":0.1,\"score_bias\":false",
     AIM_HEAD_LINEAR, 3, false, NULL},
    {"Phi3ForSequenceClassification", "\"num_labels\":16", AIM_HEAD_LINEAR, 16, false, NULL},
    {"Qwen2ForSequenceClassification", "\"id2label\":{\"0\":\"x\"},\"num_labels\":2",
     AIM_HEAD_LINEAR, 1, false, NULL},
    {"Qwen3ForSequenceClassification", "\"id2label\":{\"0\":\"x\"}", AIM_HEAD_LINEAR, 1, false,
     NULL},
    {"Qwen2ForProcessRewardModel", "", AIM_HEAD_MLP, 2, false, NULL},
    {"Qwen2ForRewardModel", "\"num_labels\":7", AIM_HEAD_MLP, 1, false, NULL},
    {"Qwen2ForPrmModel", "\"summary_dropout_prob\":0.1", AIM_HEAD_LINEAR, 1, true, NULL},
    {"LlamaForSequenceClassification", "\"num_labels\":0", 0, 0, false, "\"num_labels\" is 0"},
    {"LlamaForSequenceClassification", "\"num_labels\":17", 0, 0, false, "\"num_labels\" is 17"},
    {"LlamaForSequenceClassification", "\"num_labels\":\"1\"", 0, 0, false,
     "\"num_labels\" must be an integer"},
    {"LlamaForSequenceClassification", "\"id2label\":{}", 0, 0, false,
     "\"id2label\" must name 1 to 16 outputs"},
    {"LlamaForSequenceClassification", "\"id2label\":[\"a\"]", 0, 0, false,
     "\"id2label\" must name 1 to 16 outputs"},
    {"LlamaForSequenceClassification", "\"score_bias\":true", 0, 0, false,
     "\"score_bias\": true is not implemented"},
    {"LlamaForSequenceClassification", "\"normalize_reward\":true", 0, 0, false,
     "\"normalize_reward\": true is not implemented"},
};

START_TEST(heads)
{
    const struct head_case *h = &head_cases[_i];
    aim_hf_config c;
    aim_error err = {0};
    char text[2048];
    int n = snprintf(text, sizeof text,
                     "{\"architectures\":[\"%s\"],\"hidden_size\":32,\"intermediate_size\":48,"
                     "\"num_hidden_layers\":4,\"num_attention_heads\":4,"
                     "\"num_key_value_heads\":2,\"vocab_size\":100,"
                     "\"max_position_embeddings\":512,\"tie_word_embeddings\":true%s%s}",
                     h->architecture, *h->more ? "," : "", h->more);
    int code = aim_hf_config_parse(text, (size_t)n, NULL, 0, &c, &err);
    ck_assert_int_eq(code != AIM_OK, h->error != NULL);
    if (h->error) {
        ck_assert_msg(strstr(err.text, h->error), "%s: wanted %s", err.text, h->error);
        return;
    }
    ck_assert_int_eq(c.head, h->head);
    ck_assert_int_eq(c.head_outputs, h->outputs);
    ck_assert_int_eq(c.value_head, h->value_head);
    ck_assert_int_eq(c.tied_embeddings, h->head == AIM_HEAD_LANGUAGE);
    ck_assert_str_eq(c.unknown_settings, "");
}
END_TEST

/* ---- value heads ----------------------------------------------------------------------- */

static const char *source_path(const char *folder, const char *file)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/models/reward_%s/%s", root ? root : ".", folder,
             file);
    return path;
}

/* A folder with the weights of the model `folder` and this config.json. */
static void make_folder(char *dir, const char *folder, const char *from, const char *to)
{
    char path[128], text[4096];
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof path, "%s/model.safetensors", dir);
    char *absolute = realpath(source_path(folder, "model.safetensors"), NULL);
    ck_assert_int_eq(symlink(absolute, path), 0);
    free(absolute);
    FILE *in = fopen(source_path(folder, "config.json"), "r");
    text[fread(text, 1, sizeof text - 1, in)] = '\0';
    fclose(in);
    const char *name = strstr(text, from);
    ck_assert_ptr_nonnull(name);
    snprintf(path, sizeof path, "%s/config.json", dir);
    FILE *out = fopen(path, "w");
    fprintf(out, "%.*s%s%s", (int)(name - text), text, to, name + strlen(from));
    fclose(out);
}

static void remove_folder(const char *dir)
{
    static const char *const files[] = {"model.safetensors", "config.json"};
    char path[128];
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", dir, files[i]);
        unlink(path);
    }
    ck_assert_int_eq(rmdir(dir), 0);
}

/* trl saves a value head under the architecture of the language model below it. */
START_TEST(a_causal_model_with_a_value_head)
{
    static const struct {
        const char *folder, *from, *to;
        bool value_head;
    } cases[] = {
        {"skywork", "Qwen2ForPrmModel", "Qwen2ForCausalLM", true},
        {"verifier", "LlamaForCausalLM", "LlamaForCausalLM", false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char dir[] = "/tmp/aim-value-head-XXXXXX";
        aim_hf_config c;
        aim_error err = {0};
        make_folder(dir, cases[i].folder, cases[i].from, cases[i].to);
        ck_assert_msg(aim_hf_config_load(dir, &c, &err) == AIM_OK, "%s", err.text);
        ck_assert_str_eq(c.architecture, cases[i].to);
        ck_assert_int_eq(c.value_head, cases[i].value_head);
        ck_assert_int_eq(c.head, cases[i].value_head ? AIM_HEAD_LINEAR : AIM_HEAD_LANGUAGE);
        ck_assert_int_eq(c.tied_embeddings, !cases[i].value_head);
        aim_checkpoint *k = aim_checkpoint_open(dir, &err);
        ck_assert_msg(aim_decoder_check(&c, k, aim_backends()[0], NULL, &err) == AIM_OK, "%s",
                      err.text);
        aim_checkpoint_close(k);
        remove_folder(dir);
    }
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("head config");
    TCase *t = tcase_create("heads");
    tcase_add_loop_test(t, heads, 0, COUNT(head_cases));
    tcase_add_test(t, a_causal_model_with_a_value_head);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
