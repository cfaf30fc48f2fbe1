/* SPDX-License-Identifier: Apache-2.0 */
/* config.json and generation_config.json: the fields of each family as published,
 * defaults, every setting that is refused, and hostile values. */
#include "base/alloc.h"
#include "base/json.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/hf_config.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- single settings ---------------------------------------------------------- */

/* A good file, and behind it further fields. */
#define BASE                                                                                       \
    "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":64,\"intermediate_size\":128,"      \
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"vocab_size\":100,"                        \
    "\"max_position_embeddings\":512"

static int parse_config(const char *config, const char *generation, aim_hf_config *out,
                        aim_error *err)
{
    return aim_hf_config_parse(config, strlen(config), generation,
                               generation ? strlen(generation) : 0, out, err);
}

static const struct config_case {
    const char *more;  /* behind BASE */
    const char *error; /* NULL: accepted */
} config_cases[] = {
    {"}", NULL},
    {",\"attention_bias\":false,\"mlp_bias\":null,\"hidden_act\":\"silu\",\"pretraining_tp\":2,"
     "\"rope_scaling\":null,\"torch_dtype\":\"bfloat16\",\"attention_dropout\":0.1,"
     "\"sliding_window\":null,\"partial_rotary_factor\":1.0,\"quantization_config\":null,"
     "\"pruned_heads\":{}}",
     NULL},
    {",\"attention_bias\":true,\"mlp_bias\":true}", NULL},
    {",\"attention_bias\":0}", "\"attention_bias\" must be true or false"},
    {",\"hidden_act\":\"gelu\"}", "\"hidden_act\": \"gelu\""},
    {",\"sliding_window\":4096}", "\"sliding_window\": 4096 is not implemented for this arch"},
    {",\"use_sliding_window\":true}", "\"use_sliding_window\" asks for something else"},
    {",\"use_sliding_window\":false,\"max_window_layers\":2}", NULL},
    {",\"layer_types\":[\"full_attention\",\"full_attention\"]}", NULL},
    {",\"layer_types\":[\"full_attention\",\"sliding_attention\"]}", "\"layer_types\" asks for"},
    {",\"layer_types\":[\"full_attention\",\"linear_attention\"]}",
     "\"linear_attention\" is not implemented; implemented: full_attention, sliding_attention"},
    {",\"layer_types\":[\"full_attention\"]}", "\"layer_types\" must be a list of 2 names"},
    {",\"layer_types\":[\"full_attention\",null]}", "\"layer_types\": null is not implemented"},
    {",\"quantization_config\":{\"bits\":4}}", "\"quantization_config\""},
    /* Settings of other architectures, in a file that names this one. */
    {",\"attention_multiplier\":0.015625}", "\"attention_multiplier\": 0.015625"},
    {",\"residual_multiplier\":0.22}", "\"residual_multiplier\": 0.22"},
    {",\"residual_multiplier\":1}", NULL},
    {",\"logits_scaling\":8.0}", "\"logits_scaling\": 8.0"},
    {",\"clip_qkv\":8}", "\"clip_qkv\": 8"},
    {",\"use_qk_norm\":true}", "\"use_qk_norm\": true"},
    {",\"use_mrope\":true}", "\"use_mrope\": true"},
    {",\"lm_head_bias\":true}", "\"lm_head_bias\": true"},
    {",\"num_local_experts\":8}", "\"num_local_experts\": 8"},
    {",\"final_logit_softcapping\":30.0}", "\"final_logit_softcapping\": 30.0"},
    /* Rotary settings. */
    {",\"rope_scaling\":{\"factor\":2.0}}",
     "\"factor\": 2.0 is not implemented in \"rope_scaling\""},
    {",\"rope_scaling\":\"yarn\"}", "\"rope_scaling\": \"yarn\""},
    {",\"rope_scaling\":[]}", "\"rope_scaling\": []"},
    {",\"rope_scaling\":{}}", NULL},
    {",\"rope_scaling\":{\"rope_type\":\"default\",\"factor\":1}}", NULL},
    {",\"rope_scaling\":{\"rope_type\":\"mrope\",\"type\":\"default\"}}", "\"mrope\""},
    {",\"rope_scaling\":{\"rope_type\":\"linear\",\"type\":\"default\",\"factor\":2}}",
     "\"type\": \"default\""},
    {",\"rope_scaling\":{\"rope_type\":7}}", "\"rope_type\": 7"},
    {",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":500000.0}}", NULL},
    {",\"rope_parameters\":{\"rope_theta\":500000.0,\"partial_rotary_factor\":null}}", NULL},
    {",\"rope_parameters\":{\"rope_type\":\"yarn\",\"rope_theta\":500000.0}}",
     "\"yarn\" is not implemented for this architecture; implemented: default, linear, llama3"},
    {",\"rope_parameters\":{\"rope_type\":\"dynamic\",\"factor\":2}}", "\"dynamic\""},
    {",\"rope_parameters\":{\"rope_type\":\"longrope\",\"factor\":2}}", "\"longrope\""},
    {",\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":0}}", "\"rope_theta\" is 0"},
    {",\"rope_parameters\":{\"full_attention\":{\"rope_type\":\"default\"}}}",
     "\"full_attention\""},
    {",\"rope_parameters\":{\"rope_type\":\"default\",\"partial_rotary_factor\":0.25}}",
     "\"partial_rotary_factor\": 0.25 is not implemented for this architecture"},
    {",\"partial_rotary_factor\":0.5}", "\"partial_rotary_factor\": 0.5"},
    {",\"partial_rotary_factor\":0.001}", "\"partial_rotary_factor\": 0.001"},
    {",\"partial_rotary_factor\":1.5}", "\"partial_rotary_factor\" is 1.5"},
    {",\"rope_theta\":10000,\"rope_parameters\":{\"rope_type\":\"default\",\"rope_theta\":5e5}}",
     "both 10000 and 500000"},
    {",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.0},\"rope_parameters\":{\"type\":"
     "\"linear\",\"factor\":4.0}}",
     "\"rope_scaling\" and \"rope_parameters\" differ"},
    {",\"rope_theta\":0.5}", "\"rope_theta\" is 0.5"},
    {",\"rope_theta\":\"1e4\"}", "\"rope_theta\" must be a number"},
    {",\"rope_scaling\":{\"type\":\"linear\"}}", "\"factor\" is missing"},
    {",\"rope_scaling\":{\"type\":\"linear\",\"factor\":0.5}}", "\"factor\" is 0.5"},
    {",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2,\"attention_factor\":2}}",
     "\"attention_factor\": 2 is not implemented in \"rope_scaling\" of type linear"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1}}",
     "\"high_freq_factor\" is missing"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":4,"
     "\"high_freq_factor\":4}}",
     "\"high_freq_factor\" (4) must be greater than \"low_freq_factor\" (4)"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":0,"
     "\"high_freq_factor\":4}}",
     "\"low_freq_factor\" is 0"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
     "\"high_freq_factor\":4,\"original_max_position_embeddings\":100.5}}",
     "\"original_max_position_embeddings\" must be an integer"},
    {",\"rope_scaling\":{\"type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,"
     "\"high_freq_factor\":4,\"original_max_position_embeddings\":1}}",
     "\"original_max_position_embeddings\" is 1"},
    {",\"num_key_value_heads\":3}", "4 heads cannot share 3"},
    {",\"num_key_value_heads\":8}", "4 heads cannot share 8"},
    {",\"num_key_value_heads\":0}", "\"num_key_value_heads\" is 0"},
    {",\"head_dim\":15}", "head_dim 15 must be even"},
    {",\"head_dim\":2048}", "\"head_dim\" is 2048"},
    {",\"head_dim\":-16}", "\"head_dim\" is -16"},
    {",\"head_dim\":\"16\"}", "\"head_dim\" must be an integer"},
    {",\"rms_norm_eps\":0}", "\"rms_norm_eps\" is 0"},
    {",\"rms_norm_eps\":-1e-5}", "\"rms_norm_eps\""},
    {",\"tie_word_embeddings\":1}", "\"tie_word_embeddings\" must be true or false"},
    {",\"bos_token_id\":100}", "\"bos_token_id\" is 100"},
    {",\"bos_token_id\":-1}", "\"bos_token_id\" is -1"},
    {",\"eos_token_id\":100}", "\"eos_token_id\" must be integers from 0 to 99"},
    {",\"eos_token_id\":[1,-2]}", "\"eos_token_id\" must be integers"},
    {",\"eos_token_id\":[1,\"2\"]}", "\"eos_token_id\" must be integers"},
    {",\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]}", "more than 16"},
    {",\"eos_token_id\":[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16]}", NULL},
    {",\"vocab_size\":100}", "duplicate"},
    {"", "line 1"},
};

START_TEST(config_setting)
{
    const struct config_case *c = &config_cases[_i];
    char text[2048];
    snprintf(text, sizeof text, BASE "%s", c->more);
    aim_hf_config out;
    aim_error err = {0};
    int code = parse_config(text, NULL, &out, &err);
    ck_assert_int_eq(code, err.code);
    if (c->error) {
        ck_assert_msg(code != AIM_OK, "accepted: %s", text);
        ck_assert_msg(strstr(err.text, c->error), "%s: wanted %s", err.text, c->error);
    } else {
        ck_assert_msg(code == AIM_OK, "%s: %s", text, err.text);
    }
}
END_TEST

/* The fields a configuration needs, and two it may have. */
static const struct {
    const char *key, *value;
    bool required;
} fields[] = {
    {"architectures", "[\"LlamaForCausalLM\"]", true},
    {"hidden_size", "64", true},
    {"intermediate_size", "128", true},
    {"num_hidden_layers", "2", true},
    {"num_attention_heads", "4", true},
    {"vocab_size", "100", true},
    {"max_position_embeddings", "512", true},
    {"num_key_value_heads", "2", false},
    {"head_dim", "32", false},
};

/* The configuration with one field replaced, or left out (NULL). */
static const char *config_with(const char *key, const char *value)
{
    static char text[2048];
    char *p = text + sprintf(text, "{");
    for (size_t i = 0; i < COUNT(fields); i++) {
        const char *v = strcmp(fields[i].key, key) == 0 ? value : fields[i].value;
        if (v)
            p += sprintf(p, "%s\"%s\":%s", p > text + 1 ? "," : "", fields[i].key, v);
    }
    sprintf(p, "}");
    return text;
}

/* Each integer that drives an allocation, at values that must not pass. */
START_TEST(config_integer_ranges)
{
    static const char *const values[] = {
        "0",   "-1",    "1000000000000000000", "9223372036854775807", "-2147483648", "1.5", "64.0",
        "[1]", "\"1\"", "9223372036854775808", "4294967297",          "true",
    };
    for (size_t f = 1; f < COUNT(fields); f++)
        for (size_t v = 0; v < COUNT(values); v++) {
            const char *text = config_with(fields[f].key, values[v]);
            aim_hf_config out;
            aim_error err = {0};
            ck_assert_msg(parse_config(text, NULL, &out, &err) == AIM_EFORMAT, "accepted: %s",
                          text);
            /* Numbers that JSON cannot hold fail in the parser, by line. */
            ck_assert_msg(strstr(err.text, fields[f].key) || strstr(err.text, "line 1"), "%s",
                          err.text);
        }
}
END_TEST

START_TEST(config_required_fields)
{
    for (size_t f = 0; f < COUNT(fields); f++) {
        aim_hf_config out;
        aim_error err = {0};
        int code = parse_config(config_with(fields[f].key, NULL), NULL, &out, &err);
        ck_assert_int_eq(code, fields[f].required ? AIM_EFORMAT : AIM_OK);
        if (fields[f].required)
            ck_assert_str_eq(err.param, fields[f].key);
    }
}
END_TEST

START_TEST(config_architectures)
{
    static const struct {
        const char *value;
        int code;
        const char *error;
    } cases[] = {
        {"[\"GPT2LMHeadModel\"]", AIM_EUNSUPPORTED,
         "\"GPT2LMHeadModel\" is not supported; supported: LlamaForCausalLM, MistralForCausalLM, "
         "Phi3ForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, these as "
         "ForSequenceClassification, Qwen2ForProcessRewardModel, Qwen2ForRewardModel, "
         "Qwen2ForPrmModel"},
        {"[\"AnalogWrapperLlamaForCausalLM\"]", AIM_OK, ""},
        {"[\"AnalogWrapper\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"Llama\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"LlamaForTokenClassification\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"LlamaForRewardModel\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"Qwen3ForProcessRewardModel\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"Qwen2VLForSequenceClassification\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[\"llamaForCausalLM\"]", AIM_EUNSUPPORTED, "is not supported"},
        {"[]", AIM_EFORMAT, "list of one name"},
        {"[\"LlamaForCausalLM\",\"x\"]", AIM_EFORMAT, "list of one name"},
        {"[3]", AIM_EFORMAT, "list of one name"},
        {"\"LlamaForCausalLM\"", AIM_EFORMAT, "list of one name"},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_hf_config out;
        aim_error err = {0};
        int code = parse_config(config_with("architectures", cases[i].value), NULL, &out, &err);
        ck_assert_int_eq(code, cases[i].code);
        ck_assert_msg(strstr(err.text, cases[i].error), "%s", err.text);
    }
}
END_TEST

START_TEST(config_defaults_and_derived)
{
    aim_hf_config c;
    aim_error err = {0};
    ck_assert_msg(parse_config(BASE "}", NULL, &c, &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(c.head_dim, 16); /* 64 / 4 */
    ck_assert_int_eq(c.kv_heads, 4);
    ck_assert_double_eq(c.rope.theta, 10000.0);
    ck_assert_float_eq(c.rms_eps, 1e-6f);
    ck_assert(!c.tied_embeddings);
    ck_assert_int_eq(c.bos, 1); /* LlamaConfig's */
    ck_assert_int_eq(c.n_eos, 1);
    ck_assert_int_eq(c.eos[0], 2);
    ck_assert_double_eq(c.default_temperature, -1);
    ck_assert_double_eq(c.default_top_p, -1);
    ck_assert_double_eq(c.default_min_p, -1);
    ck_assert_double_eq(c.default_repetition_penalty, -1);
    ck_assert_str_eq(c.unknown_settings, "");
    ck_assert_int_eq(c.default_top_k, -1);

    ck_assert_int_eq(parse_config(BASE ",\"rope_parameters\":{\"rope_type\":\"default\","
                                       "\"rope_theta\":500000}}",
                                  NULL, &c, &err),
                     AIM_OK);
    ck_assert_double_eq(c.rope.theta, 500000.0);

    /* Null says none, where a missing field says the usual. */
    ck_assert_int_eq(
        parse_config(BASE ",\"bos_token_id\":null,\"eos_token_id\":null}", NULL, &c, &err), AIM_OK);
    ck_assert_int_eq(c.bos, -1);
    ck_assert_int_eq(c.n_eos, 0);
}
END_TEST

START_TEST(unknown_settings_are_named)
{
    aim_hf_config c;
    aim_error err = {0};
    ck_assert_int_eq(parse_config(BASE ",\"novel_switch\":3,\"use_cache\":true,\"a\\n\\u00e9\":1}",
                                  "{\"other\":1,\"max_new_tokens\":5}", &c, &err),
                     AIM_OK);
    ck_assert_str_eq(c.unknown_settings, "novel_switch, a???, other");
    char many[16384];
    char *p = many + sprintf(many, BASE);
    for (int i = 0; i < 500; i++)
        p += sprintf(p, ",\"unknown_key_%d\":1", i);
    sprintf(p, "}");
    ck_assert_int_eq(parse_config(many, NULL, &c, &err), AIM_OK);
    size_t n = strlen(c.unknown_settings);
    ck_assert_str_eq(c.unknown_settings + n - 5, ", ...");
}
END_TEST

START_TEST(generation_settings)
{
    static const struct {
        const char *generation;
        const char *error;
        double temperature, top_p;
        int top_k, n_eos, first_eos;
    } cases[] = {
        {NULL, NULL, -1, -1, -1, 1, 7},
        {"{}", NULL, -1, -1, -1, 1, 7},
        {"{\"eos_token_id\":null}", NULL, -1, -1, -1, 1, 7},
        {"{\"eos_token_id\":9}", NULL, -1, -1, -1, 1, 9},
        {"{\"eos_token_id\":[11,9]}", NULL, -1, -1, -1, 2, 11},
        {"{\"do_sample\":true,\"temperature\":0.6,\"top_p\":0.9,\"top_k\":50}", NULL, 0.6, 0.9, 50,
         1, 7},
        {"{\"do_sample\":false,\"temperature\":0.6}", NULL, 0, -1, -1, 1, 7},
        {"{\"temperature\":1,\"repetition_penalty\":1.0,\"num_beams\":1}", NULL, 1, -1, -1, 1, 7},
        {"{\"repetition_penalty\":0}", "\"repetition_penalty\" is 0", 0, 0, 0, 0, 0},
        {"{\"min_p\":2}", "\"min_p\" is 2", 0, 0, 0, 0, 0},
        {"{\"stop_strings\":[\"x\"]}", "\"stop_strings\": [\"x\"]", 0, 0, 0, 0, 0},
        {"{\"stop_strings\":null,\"bad_words_ids\":[]}", NULL, -1, -1, -1, 1, 7},
        {"{\"num_beams\":4}", "\"num_beams\": 4", 0, 0, 0, 0, 0},
        {"{\"suppress_tokens\":[1]}", "\"suppress_tokens\": [1]", 0, 0, 0, 0, 0},
        {"{\"temperature\":-1}", "\"temperature\" is -1", 0, 0, 0, 0, 0},
        {"{\"temperature\":2}", NULL, 2, -1, -1, 1, 7},
        {"{\"temperature\":2.5}",
         "generation_config.json: \"temperature\" is 2.5, must be between 0 and 2", 0, 0, 0, 0, 0},
        {"{\"temperature\":\"hot\"}", "\"temperature\" must be a number", 0, 0, 0, 0, 0},
        {"{\"top_p\":1.5}", "\"top_p\" is 1.5", 0, 0, 0, 0, 0},
        {"{\"top_k\":-1}", NULL, -1, -1, -1, 1, 7},
        {"{\"top_k\":-2}", "\"top_k\" is -2", 0, 0, 0, 0, 0},
        {"{\"top_k\":4294967296}", "\"top_k\" is 4294967296", 0, 0, 0, 0, 0},
        {"{\"eos_token_id\":100}", "generation_config.json: \"eos_token_id\"", 0, 0, 0, 0, 0},
        {"[]", "generation_config.json: not a JSON object", 0, 0, 0, 0, 0},
        {"", "generation_config.json: line 1", 0, 0, 0, 0, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_hf_config c;
        aim_error err = {0};
        int code = parse_config(BASE ",\"eos_token_id\":7}", cases[i].generation, &c, &err);
        if (cases[i].error) {
            ck_assert_msg(code && strstr(err.text, cases[i].error), "case %zu: %s", i, err.text);
            continue;
        }
        ck_assert_msg(code == AIM_OK, "%s", err.text);
        ck_assert_double_eq(c.default_temperature, cases[i].temperature);
        ck_assert_double_eq(c.default_top_p, cases[i].top_p);
        ck_assert_int_eq(c.default_top_k, cases[i].top_k);
        ck_assert_int_eq(c.n_eos, cases[i].n_eos);
        ck_assert_int_eq(c.eos[0], cases[i].first_eos);
    }
}
END_TEST

static char dir[64];

static void make_dir(void)
{
    snprintf(dir, sizeof dir, "/tmp/aim-hf-config-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(dir));
}

static const char *in_dir(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_file(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_int_ge(fputs(text, f), 0);
    fclose(f);
}

static void remove_dir(void)
{
    unlink(in_dir("config.json"));
    unlink(in_dir("generation_config.json"));
    ck_assert_int_eq(rmdir(dir), 0);
}

START_TEST(config_from_folder)
{
    aim_hf_config c;
    aim_error err = {0};
    make_dir();
    ck_assert_int_eq(aim_hf_config_load(dir, &c, &err), AIM_ENOTFOUND);
    ck_assert_ptr_nonnull(strstr(err.text, "config.json"));
    write_file("config.json", BASE "}");
    ck_assert_int_eq(aim_hf_config_load(dir, &c, NULL), AIM_OK);
    ck_assert_int_eq(c.eos[0], 2);
    write_file("generation_config.json", "{\"eos_token_id\":3}");
    ck_assert_int_eq(aim_hf_config_load(dir, &c, NULL), AIM_OK);
    ck_assert_int_eq(c.n_eos, 1);
    ck_assert_int_eq(c.eos[0], 3);
    write_file("generation_config.json", "{");
    ck_assert_int_eq(aim_hf_config_load(dir, &c, NULL), AIM_EFORMAT);
    remove_dir();
}
END_TEST

/* Not always ENOMEM: when jansson cannot grow a string it drops a byte of it,
 * and the file looks wrong instead. */
START_TEST(config_survives_every_failed_allocation)
{
    aim_hf_config c;
    int code, n = -1;
    make_dir();
    write_file("config.json", BASE "}");
    write_file("generation_config.json", "{\"eos_token_id\":[3,4]}");
    do {
        aim_error err = {0};
        aim_alloc_fail_after(++n);
        code = aim_hf_config_load(dir, &c, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(code, err.code);
    } while (code != AIM_OK);
    ck_assert_int_gt(n, 20);
    ck_assert_int_eq(c.n_eos, 2);
    remove_dir();
}
END_TEST

/* The shipped model, whole. */
START_TEST(shipped_model)
{
    const char *root = getenv("top_srcdir");
    char path[4096];
    snprintf(path, sizeof path, "%s/models/wordmath-2m", root ? root : ".");
    aim_hf_config c;
    aim_error err = {0};
    ck_assert_msg(aim_hf_config_load(path, &c, &err) == AIM_OK, "%s", err.text);
    ck_assert_int_eq(c.hidden, 192);
    ck_assert_int_eq(c.kv_heads, 2);
    ck_assert(c.tied_embeddings);
    ck_assert_int_eq(c.bos, 508);
    ck_assert_int_eq(c.n_eos, 2); /* those of generation_config.json */
    ck_assert_int_eq(c.eos[1], 508);
    ck_assert_double_eq(c.default_temperature, 0.8);
    aim_checkpoint *k = aim_checkpoint_open(path, &err);
    ck_assert_msg(k != NULL, "%s", err.text);
    const aim_tensor *t =
        aim_checkpoint_require(k, "model.embed_tokens.weight", c.vocab, c.hidden, &err);
    ck_assert_msg(t != NULL, "%s", err.text);
    aim_checkpoint_close(k);
}
END_TEST

/* ---- published files ------------------------------------------------------------- */

/* The config.json of these models as published. */
static const char llama_1b[] =
    "{\"architectures\":[\"LlamaForCausalLM\"],\"attention_bias\":false,\"attention_dropout\":0.0,"
    "\"bos_token_id\":128000,\"eos_token_id\":[128001,128008,128009],\"head_dim\":64,"
    "\"hidden_act\":\"silu\",\"hidden_size\":2048,\"initializer_range\":0.02,"
    "\"intermediate_size\":8192,\"max_position_embeddings\":131072,\"mlp_bias\":false,"
    "\"model_type\":\"llama\",\"num_attention_heads\":32,\"num_hidden_layers\":16,"
    "\"num_key_value_heads\":8,\"pretraining_tp\":1,\"rms_norm_eps\":1e-05,\"rope_scaling\":"
    "{\"factor\":32.0,\"high_freq_factor\":4.0,\"low_freq_factor\":1.0,"
    "\"original_max_position_embeddings\":8192,\"rope_type\":\"llama3\"},\"rope_theta\":500000.0,"
    "\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\",\"transformers_version\":"
    "\"4.45.0.dev0\",\"use_cache\":true,\"vocab_size\":128256}";

static const char llama2_7b[] =
    "{\"_name_or_path\":\"meta-llama/Llama-2-7b-hf\",\"architectures\":[\"LlamaForCausalLM\"],"
    "\"bos_token_id\":1,\"eos_token_id\":2,\"hidden_act\":\"silu\",\"hidden_size\":4096,"
    "\"initializer_range\":0.02,\"intermediate_size\":11008,\"max_position_embeddings\":4096,"
    "\"model_type\":\"llama\",\"num_attention_heads\":32,\"num_hidden_layers\":32,"
    "\"num_key_value_heads\":32,\"pretraining_tp\":1,\"rms_norm_eps\":1e-05,\"rope_scaling\":null,"
    "\"tie_word_embeddings\":false,\"torch_dtype\":\"float16\",\"transformers_version\":"
    "\"4.31.0.dev0\",\"use_cache\":true,\"vocab_size\":32000}";

#define PHI3                                                                                       \
    "{\"_name_or_path\":\"Phi-3-mini\",\"architectures\":[\"Phi3ForCausalLM\"],"                   \
    "\"attention_bias\":false,\"attention_dropout\":0.0,\"auto_map\":{\"AutoConfig\":"             \
    "\"configuration_phi3.Phi3Config\"},\"bos_token_id\":1,\"embd_pdrop\":0.0,"                    \
    "\"eos_token_id\":32000,\"hidden_act\":\"silu\",\"hidden_size\":3072,"                         \
    "\"initializer_range\":0.02,\"intermediate_size\":8192,\"model_type\":\"phi3\","               \
    "\"num_attention_heads\":32,\"num_hidden_layers\":32,\"num_key_value_heads\":32,"              \
    "\"original_max_position_embeddings\":4096,\"pad_token_id\":32000,\"resid_pdrop\":0.0,"        \
    "\"rms_norm_eps\":1e-05,\"rope_theta\":10000.0,\"tie_word_embeddings\":false,"                 \
    "\"torch_dtype\":\"bfloat16\",\"transformers_version\":\"4.40.2\",\"use_cache\":true,"         \
    "\"vocab_size\":32064"
static const char phi3_4k[] =
    PHI3 ",\"max_position_embeddings\":4096,\"sliding_window\":2047,\"rope_scaling\":null}";

#define LONG_FACTORS                                                                               \
    "1.0700000524520874,1.1200000047683716,1.149999976158142,1.4199999570846558,"                  \
    "1.5699999332427979,1.7999999523162842,2.129999876022339,2.129999876022339,"                   \
    "3.009999990463257,5.910000324249268,6.950000286102295,9.070000648498535,"                     \
    "9.930000305175781,10.710000038146973,11.130000114440918,14.609999656677246,"                  \
    "15.409998893737793,19.809999465942383,37.279998779296875,38.279998779296875,"                 \
    "38.599998474121094,40.12000274658203,46.20000457763672,50.940006256103516,"                   \
    "53.66000747680664,54.9373893737793,56.89738845825195,57.28738784790039,"                      \
    "59.98738479614258,60.86738586425781,60.887386322021484,61.71739196777344,"                    \
    "62.91739273071289,62.957393646240234,63.41739273071289,63.8173942565918,"                     \
    "63.83739471435547,63.897396087646484,63.93739700317383,64.06739807128906,"                    \
    "64.11434936523438,64.12435150146484,64.15435028076172,64.19435119628906,"                     \
    "64.24435424804688,64.57435607910156,64.69000244140625,64.76000213623047"
#define EIGHT_ONES "1.0,1.05,1.1,1.1,1.15,1.2,1.3,2"
#define SHORT_FACTORS                                                                              \
    EIGHT_ONES "," EIGHT_ONES "," EIGHT_ONES "," EIGHT_ONES "," EIGHT_ONES "," EIGHT_ONES
#define PHI3_128K PHI3 ",\"max_position_embeddings\":131072,\"sliding_window\":262144"
static const char phi3_128k[] =
    PHI3_128K ",\"rope_scaling\":{\"long_factor\":[" LONG_FACTORS
              "],\"short_factor\":[" SHORT_FACTORS "],\"type\":\"longrope\"}}";

static const char qwen25_05b[] =
    "{\"architectures\":[\"Qwen2ForCausalLM\"],\"attention_dropout\":0.0,\"bos_token_id\":151643,"
    "\"eos_token_id\":151645,\"hidden_act\":\"silu\",\"hidden_size\":896,"
    "\"initializer_range\":0.02,\"intermediate_size\":4864,\"max_position_embeddings\":32768,"
    "\"max_window_layers\":21,\"model_type\":\"qwen2\",\"num_attention_heads\":14,"
    "\"num_hidden_layers\":24,\"num_key_value_heads\":2,\"rms_norm_eps\":1e-06,"
    "\"rope_theta\":1000000.0,\"sliding_window\":32768,\"tie_word_embeddings\":true,"
    "\"torch_dtype\":\"bfloat16\",\"transformers_version\":\"4.43.1\",\"use_cache\":true,"
    "\"use_sliding_window\":false,\"vocab_size\":151936}";
static const char qwen25_generation[] =
    "{\"bos_token_id\":151643,\"pad_token_id\":151643,\"do_sample\":true,\"eos_token_id\":"
    "[151645,151643],\"repetition_penalty\":1.1,\"temperature\":0.7,\"top_p\":0.8,\"top_k\":20,"
    "\"transformers_version\":\"4.37.0\"}";

static const char qwen3_06b[] =
    "{\"architectures\":[\"Qwen3ForCausalLM\"],\"attention_bias\":false,\"attention_dropout\":0.0,"
    "\"bos_token_id\":151643,\"eos_token_id\":151645,\"head_dim\":128,\"hidden_act\":\"silu\","
    "\"hidden_size\":1024,\"initializer_range\":0.02,\"intermediate_size\":3072,"
    "\"max_position_embeddings\":40960,\"max_window_layers\":28,\"model_type\":\"qwen3\","
    "\"num_attention_heads\":16,\"num_hidden_layers\":28,\"num_key_value_heads\":8,"
    "\"rms_norm_eps\":1e-06,\"rope_scaling\":null,\"rope_theta\":1000000,\"sliding_window\":null,"
    "\"tie_word_embeddings\":true,\"torch_dtype\":\"bfloat16\",\"transformers_version\":"
    "\"4.51.0\",\"use_cache\":true,\"use_sliding_window\":false,\"vocab_size\":151936}";

static const char mistral_7b[] =
    "{\"architectures\":[\"MistralForCausalLM\"],\"bos_token_id\":1,\"eos_token_id\":2,"
    "\"hidden_act\":\"silu\",\"hidden_size\":4096,\"initializer_range\":0.02,"
    "\"intermediate_size\":14336,\"max_position_embeddings\":32768,\"model_type\":\"mistral\","
    "\"num_attention_heads\":32,\"num_hidden_layers\":32,\"num_key_value_heads\":8,"
    "\"rms_norm_eps\":1e-05,\"rope_theta\":10000.0,\"sliding_window\":4096,"
    "\"tie_word_embeddings\":false,\"torch_dtype\":\"bfloat16\",\"transformers_version\":"
    "\"4.34.0.dev0\",\"use_cache\":true,\"vocab_size\":32000}";

static void parse_published(const char *config, const char *generation, aim_hf_config *c)
{
    aim_error err = {0};
    ck_assert_msg(parse_config(config, generation, c, &err) == AIM_OK, "%s", err.text);
    ck_assert_str_eq(c->unknown_settings, "");
}

static int windowed_layers(const aim_hf_config *c)
{
    int n = 0;
    for (int i = 0; i < AIM_MAX_LAYERS; i++)
        n += c->window_layer[i];
    return n;
}

START_TEST(published_switches)
{
    static const struct {
        const char *config, *generation;
        const char *architecture;
        int kv_heads, head_dim, rope_dim;
        enum aim_rope_kind rope;
        bool fused, qkv_bias, qk_norm, tied;
        int window, window_layers;
        double theta;
        int bos, n_eos;
    } cases[] = {
        {llama_1b, NULL, "LlamaForCausalLM", 8, 64, 64, AIM_ROPE_LLAMA3, false, false, false, true,
         0, 0, 5e5, 128000, 3},
        {llama2_7b, NULL, "LlamaForCausalLM", 32, 128, 128, AIM_ROPE_DEFAULT, false, false, false,
         false, 0, 0, 1e4, 1, 1},
        {phi3_4k, NULL, "Phi3ForCausalLM", 32, 96, 96, AIM_ROPE_DEFAULT, true, false, false, false,
         2047, 32, 1e4, 1, 1},
        {phi3_128k, NULL, "Phi3ForCausalLM", 32, 96, 96, AIM_ROPE_LONGROPE, true, false, false,
         false, 262144, 32, 1e4, 1, 1},
        {qwen25_05b, qwen25_generation, "Qwen2ForCausalLM", 2, 64, 64, AIM_ROPE_DEFAULT, false,
         true, false, true, 0, 0, 1e6, 151643, 2},
        {qwen3_06b, NULL, "Qwen3ForCausalLM", 8, 128, 128, AIM_ROPE_DEFAULT, false, false, true,
         true, 0, 0, 1e6, 151643, 1},
        {mistral_7b, NULL, "MistralForCausalLM", 8, 128, 128, AIM_ROPE_DEFAULT, false, false, false,
         false, 4096, 32, 1e4, 1, 1},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_hf_config c;
        parse_published(cases[i].config, cases[i].generation, &c);
        ck_assert_str_eq(c.architecture, cases[i].architecture);
        ck_assert_int_eq(c.kv_heads, cases[i].kv_heads);
        ck_assert_int_eq(c.head_dim, cases[i].head_dim);
        ck_assert_int_eq(c.rope.dim, cases[i].rope_dim);
        ck_assert_int_eq(c.rope.kind, cases[i].rope);
        ck_assert_double_eq(c.rope.theta, cases[i].theta);
        ck_assert_int_eq(c.fused_qkv, cases[i].fused);
        ck_assert_int_eq(c.fused_gate_up, cases[i].fused);
        ck_assert_int_eq(c.qkv_bias, cases[i].qkv_bias);
        ck_assert(!c.o_bias && !c.mlp_bias);
        ck_assert_int_eq(c.qk_norm, cases[i].qk_norm);
        ck_assert_int_eq(c.tied_embeddings, cases[i].tied);
        ck_assert_int_eq(c.sliding_window, cases[i].window);
        ck_assert_int_eq(windowed_layers(&c), cases[i].window_layers);
        ck_assert_int_eq(c.bos, cases[i].bos);
        ck_assert_int_eq(c.n_eos, cases[i].n_eos);
    }
}
END_TEST

START_TEST(published_rope_settings)
{
    aim_hf_config c;
    parse_published(llama_1b, NULL, &c);
    ck_assert_double_eq(c.rope.factor, 32);
    ck_assert_double_eq(c.rope.low_freq_factor, 1);
    ck_assert_double_eq(c.rope.high_freq_factor, 4);
    ck_assert_int_eq(c.rope.original_positions, 8192);
    ck_assert_double_eq(c.rope.attention_factor, 1);

    parse_published(phi3_128k, NULL, &c);
    ck_assert_int_eq(c.rope.original_positions, 4096);
    ck_assert_int_eq(c.rope.n_factors, 48);
    ck_assert_float_eq(c.rope.short_factor[0], 1.0f);
    ck_assert_float_eq(c.rope.short_factor[47], 2.0f);
    ck_assert_float_eq(c.rope.long_factor[0], 1.07f);
    ck_assert_float_eq(c.rope.long_factor[47], 64.76f);
    /* sqrt(1 + ln 32 / ln 4096) = sqrt(1 + 5 / 12) */
    ck_assert_double_eq_tol(c.rope.attention_factor, 1.1902380714238083, 1e-15);
}
END_TEST

START_TEST(published_sampling_defaults)
{
    aim_hf_config c;
    parse_published(qwen25_05b, qwen25_generation, &c);
    ck_assert_double_eq(c.default_repetition_penalty, 1.1);
    ck_assert_double_eq(c.default_temperature, 0.7);
    ck_assert_double_eq(c.default_top_p, 0.8);
    ck_assert_double_eq(c.default_min_p, -1);
    ck_assert_int_eq(c.default_top_k, 20);
    ck_assert_int_eq(c.eos[1], 151643);
}
END_TEST

/* ---- what the families make of the same fields ------------------------------------- */

/* A file of 4 layers and 4 heads of 8 with the given architecture and more. */
static int parse_family(const char *architecture, const char *more, aim_hf_config *c,
                        aim_error *err)
{
    char text[8192];
    snprintf(text, sizeof text,
             "{\"architectures\":[\"%s\"],\"hidden_size\":32,\"intermediate_size\":48,"
             "\"num_hidden_layers\":4,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
             "\"vocab_size\":100,\"max_position_embeddings\":512%s%s}",
             architecture, *more ? "," : "", more);
    return parse_config(text, NULL, c, err);
}

static const struct family_case {
    const char *architecture, *more;
    const char *error; /* NULL: accepted, with the values behind */
    int window;
    const char *layers; /* of the window */
} family_cases[] = {
    {"Qwen2ForCausalLM", "", NULL, 0, "0000"},
    {"Qwen2ForCausalLM", "\"sliding_window\":16,\"max_window_layers\":1", NULL, 0, "0000"},
    {"Qwen2ForCausalLM", "\"use_sliding_window\":true,\"max_window_layers\":1", NULL, 4096, "0111"},
    {"Qwen2ForCausalLM", "\"use_sliding_window\":true,\"sliding_window\":16", NULL, 16, "0000"},
    {"Qwen2ForCausalLM",
     "\"use_sliding_window\":true,\"sliding_window\":16,\"max_window_layers\":0", NULL, 16, "1111"},
    {"Qwen2ForCausalLM",
     "\"use_sliding_window\":true,\"sliding_window\":null,\"max_window_layers\":0", NULL, 0,
     "0000"},
    {"Qwen3ForCausalLM",
     "\"use_sliding_window\":true,\"sliding_window\":16,\"layer_types\":[\"sliding_attention\","
     "\"full_attention\",\"sliding_attention\",\"full_attention\"]",
     NULL, 16, "1010"},
    {"Qwen2ForCausalLM",
     "\"sliding_window\":16,\"layer_types\":[\"sliding_attention\",\"full_attention\","
     "\"full_attention\",\"full_attention\"]",
     "\"layer_types\" asks for something else", 0, NULL},
    {"Qwen2ForCausalLM", "\"use_sliding_window\":true,\"sliding_window\":0",
     "\"sliding_window\" is 0", 0, NULL},
    {"Qwen2ForCausalLM", "\"use_sliding_window\":true,\"max_window_layers\":-1",
     "\"max_window_layers\" is -1", 0, NULL},
    {"Qwen2ForCausalLM", "\"use_sliding_window\":3", "must be true or false", 0, NULL},
    {"Qwen2ForCausalLM", "\"attention_bias\":true", "\"attention_bias\": true is not implemented",
     0, NULL},
    {"MistralForCausalLM", "", NULL, 4096, "1111"},
    {"MistralForCausalLM", "\"sliding_window\":null", NULL, 0, "0000"},
    {"MistralForCausalLM", "\"sliding_window\":7,\"use_sliding_window\":true", NULL, 7, "1111"},
    {"MistralForCausalLM", "\"sliding_window\":7,\"use_sliding_window\":false",
     "\"use_sliding_window\" asks for", 0, NULL},
    {"MistralForCausalLM", "\"mlp_bias\":true", "\"mlp_bias\": true is not implemented", 0, NULL},
    {"Phi3ForCausalLM", "", NULL, 0, "0000"},
    {"Phi3ForCausalLM", "\"sliding_window\":9", NULL, 9, "1111"},
    {"Phi3ForCausalLM", "\"sliding_window\":2147483648", "\"sliding_window\" is 2147483648", 0,
     NULL},
    {"Phi3ForCausalLM", "\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}",
     "\"linear\" is not implemented for this architecture; implemented: default, longrope", 0,
     NULL},
    {"LlamaForCausalLM", "\"sliding_window\":9", "\"sliding_window\": 9 is not implemented", 0,
     NULL},
};

START_TEST(family_fields)
{
    const struct family_case *f = &family_cases[_i];
    aim_hf_config c;
    aim_error err = {0};
    int code = parse_family(f->architecture, f->more, &c, &err);
    ck_assert_msg((code == AIM_OK) == !f->error, "%s: %s", f->more, err.text);
    if (f->error) {
        ck_assert_msg(strstr(err.text, f->error), "%s", err.text);
        return;
    }
    ck_assert_int_eq(c.sliding_window, f->window);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(c.window_layer[i], f->layers[i] - '0');
}
END_TEST

START_TEST(family_defaults)
{
    static const struct {
        const char *architecture;
        int heads, kv_heads, head_dim; /* of a file without the last two */
        float eps;
        int bos, n_eos;
    } cases[] = {
        {"LlamaForCausalLM", 32, 32, 2, 1e-6f, 1, 1},
        {"MistralForCausalLM", 32, 8, 2, 1e-6f, 1, 1},
        {"Phi3ForCausalLM", 32, 32, 2, 1e-5f, 1, 0}, /* its EOS is beyond 100 tokens */
        {"Qwen2ForCausalLM", 32, 32, 2, 1e-6f, -1, 0},
        {"Qwen3ForCausalLM", 32, 32, 128, 1e-6f, -1, 0},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char text[512];
        aim_hf_config c;
        aim_error err = {0};
        snprintf(text, sizeof text,
                 "{\"architectures\":[\"%s\"],\"hidden_size\":64,\"intermediate_size\":48,"
                 "\"num_hidden_layers\":4,\"num_attention_heads\":%d,\"vocab_size\":100,"
                 "\"max_position_embeddings\":512}",
                 cases[i].architecture, cases[i].heads);
        ck_assert_msg(parse_config(text, NULL, &c, &err) == AIM_OK, "%s", err.text);
        ck_assert_int_eq(c.kv_heads, cases[i].kv_heads);
        ck_assert_int_eq(c.head_dim, cases[i].head_dim);
        ck_assert_float_eq(c.rms_eps, cases[i].eps);
        ck_assert(!c.tied_embeddings);
        ck_assert_int_eq(c.bos, cases[i].bos);
        ck_assert_int_eq(c.n_eos, cases[i].n_eos);
    }
}
END_TEST

START_TEST(biases)
{
    static const struct {
        const char *architecture, *more;
        bool qkv, o, mlp;
    } cases[] = {
        {"LlamaForCausalLM", "", false, false, false},
        {"LlamaForCausalLM", "\"attention_bias\":true", true, true, false},
        {"LlamaForCausalLM", "\"mlp_bias\":true", false, false, true},
        {"Qwen2ForCausalLM", "", true, false, false},
        {"Qwen3ForCausalLM", "\"attention_bias\":true", true, true, false},
        {"AnalogWrapperQwen2ForCausalLM", "", true, false, false},
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_hf_config c;
        aim_error err = {0};
        int code = parse_family(cases[i].architecture, cases[i].more, &c, &err);
        ck_assert_msg(code == AIM_OK, "%s", err.text);
        ck_assert_str_eq(c.architecture, cases[i].architecture);
        ck_assert_int_eq(c.qkv_bias, cases[i].qkv);
        ck_assert_int_eq(c.o_bias, cases[i].o);
        ck_assert_int_eq(c.mlp_bias, cases[i].mlp);
    }
}
END_TEST

/* longrope of heads of 8: four factors. */
static const struct {
    const char *more, *error;
    double attention_factor;
    int original;
} longrope_cases[] = {
#define FOUR "\"short_factor\":[1,1,1,1],\"long_factor\":[1,2,4,8]"
    {"\"original_max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"su\"," FOUR "}", NULL,
     1.2247448713915890, 64}, /* sqrt(1 + ln 8 / ln 64) */
    {"\"original_max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"yarn\"," FOUR "}", NULL,
     1.2247448713915890, 64},
    {"\"original_max_position_embeddings\":64,\"rope_parameters\":{\"rope_type\":\"longrope\","
     "\"type\":\"su\",\"rope_theta\":10000.0,\"original_max_position_embeddings\":64,\"factor\":64,"
     "\"partial_rotary_factor\":1.0," FOUR "}",
     NULL, 1.4142135623730951, 64},
    {"\"original_max_position_embeddings\":64,\"rope_scaling\":{\"type\":\"longrope\","
     "\"attention_factor\":1.5," FOUR "}",
     NULL, 1.5, 64},
    {"\"rope_scaling\":{\"type\":\"longrope\"," FOUR "}", NULL, 1, 4096},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"original_max_position_embeddings\":64," FOUR "}",
     "is 64 in \"rope_scaling\", and 4096 outside by default", 0, 0},
    {"\"original_max_position_embeddings\":128,\"rope_scaling\":{\"type\":\"longrope\","
     "\"original_max_position_embeddings\":64," FOUR "}",
     "is both 128 and 64", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1]}",
     "\"long_factor\" must be a list of 4 numbers", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1],\"long_factor\":[1,1,1,1]}",
     "\"short_factor\" must be a list of 4 numbers", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,0,1,1],\"long_factor\":[1,1,1,1]"
     "}",
     "\"short_factor\": number 1 must be between", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1],\"long_factor\":[1,1,1,"
     "\"x\"]}",
     "\"long_factor\": number 3 must be", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_factor\":[1,1,1,1e-5],\"long_factor\":[1,1,1,"
     "1]}",
     "\"short_factor\": number 3 must be between", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"attention_factor\":0," FOUR "}",
     "\"attention_factor\" is 0", 0, 0},
    {"\"rope_scaling\":{\"type\":\"longrope\",\"short_mscale\":1.2," FOUR "}",
     "\"short_mscale\": 1.2 is not implemented in \"rope_scaling\" of type longrope", 0, 0},
    {"\"original_max_position_embeddings\":1,\"rope_scaling\":{\"type\":\"su\"," FOUR "}",
     "\"original_max_position_embeddings\" is 1", 0, 0},
};

START_TEST(longrope_settings)
{
    aim_hf_config c;
    aim_error err = {0};
    int code = parse_family("Phi3ForCausalLM", longrope_cases[_i].more, &c, &err);
    ck_assert_msg((code == AIM_OK) == !longrope_cases[_i].error, "%s", err.text);
    if (longrope_cases[_i].error) {
        ck_assert_msg(strstr(err.text, longrope_cases[_i].error), "%s", err.text);
        return;
    }
    ck_assert_int_eq(c.rope.kind, AIM_ROPE_LONGROPE);
    ck_assert_int_eq(c.rope.n_factors, 4);
    ck_assert_float_eq(c.rope.long_factor[3], 8);
    ck_assert_int_eq(c.rope.original_positions, longrope_cases[_i].original);
    ck_assert_double_eq_tol(c.rope.attention_factor, longrope_cases[_i].attention_factor, 1e-15);
}
END_TEST

/* Phi-4-mini turns three quarters of a head. */
START_TEST(partial_rotation)
{
    aim_hf_config c;
    aim_error err = {0};
    ck_assert_int_eq(parse_family("Phi3ForCausalLM", "\"partial_rotary_factor\":0.75", &c, &err),
                     AIM_OK);
    ck_assert_int_eq(c.head_dim, 8);
    ck_assert_int_eq(c.rope.dim, 6);
    ck_assert_int_ne(parse_family("Phi3ForCausalLM", "\"partial_rotary_factor\":0.4", &c, &err),
                     AIM_OK);
    ck_assert_msg(strstr(err.text, "0.4 of head_dim 8"), "%s", err.text);
}
END_TEST

static Suite *config_suite(void)
{
    Suite *s = suite_create("hf_config");
    TCase *config = tcase_create("config");
    tcase_add_loop_test(config, config_setting, 0, COUNT(config_cases));
    tcase_add_test(config, config_integer_ranges);
    tcase_add_test(config, config_required_fields);
    tcase_add_test(config, config_architectures);
    tcase_add_test(config, config_defaults_and_derived);
    tcase_add_test(config, unknown_settings_are_named);
    tcase_add_test(config, generation_settings);
    tcase_add_test(config, config_from_folder);
    tcase_add_test(config, config_survives_every_failed_allocation);
    tcase_add_test(config, shipped_model);
    suite_add_tcase(s, config);

    TCase *families = tcase_create("families");
    tcase_add_test(families, published_switches);
    tcase_add_test(families, published_rope_settings);
    tcase_add_test(families, published_sampling_defaults);
    tcase_add_loop_test(families, family_fields, 0, COUNT(family_cases));
    tcase_add_test(families, family_defaults);
    tcase_add_test(families, biases);
    tcase_add_loop_test(families, longrope_settings, 0, COUNT(longrope_cases));
    tcase_add_test(families, partial_rotation);
    suite_add_tcase(s, families);
    return s;
}

int main(void)
{
    aim_json_init();
    SRunner *runner = srunner_create(config_suite());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
