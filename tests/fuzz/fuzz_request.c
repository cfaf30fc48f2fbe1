/* SPDX-License-Identifier: Apache-2.0 */
/* Request bodies. The first byte picks the route: c completions, h chat,
 * t /tokenize, d /detokenize, a /apply-template; the rest is the body, whose
 * length picks the chat template. What is accepted goes on as it would in the
 * daemon: into a request for the engine and into the JSON of an answer. */
#include "tests/fuzz/fuzz.h"

#include "base/alloc.h"
#include "base/json.h"
#include "server/request.h"
#include "server/response.h"
#include "text/chat_rows.h"

#include <string.h>

enum { N_BYTES = 256, BOS = N_BYTES, USER, ASSISTANT, END, VOCAB, CONTEXT = 256 };

static const char *const specials[] = {"<|endoftext|>", "<|user|>", "<|assistant|>", "<|end|>"};

static const aimd_options options = {
    .max_n = 4,
    .max_prompts = 8,
    .max_stop_strings = 4,
    .max_logit_bias = 8,
    .max_top_logprobs = 5,
    .max_logprob_entries = 100,
    .max_best_of = 8,
    .max_total_tokens = 1000,
};
static const aimd_search_defaults search = {.best_of = 2, .beam_width = 2};
static const aim_hf_config config = {
    .vocab = VOCAB,
    .bos = BOS,
    .n_eos = 1,
    .eos = {END},
    .default_temperature = -1,
    .default_top_p = -1,
    .default_min_p = -1,
    .default_repetition_penalty = -1,
    .default_top_k = -1,
};
static aimd_scope scope = {
    .options = &options, .config = &config, .max_context = CONTEXT, .search = &search};

/* The character byte-level vocabularies write for a byte: printable Latin-1 for
 * itself, the others from U+0100 on. */
static json_t *byte_key(int byte)
{
    int value = byte, others = 0;
    for (int i = 0; i <= byte; i++) {
        bool printable = (i >= '!' && i <= '~') || (i >= 0xA1 && i <= 0xAC) || i >= 0xAE;
        value = printable ? i : 256 + others++;
    }
    char text[3] = {(char)value, 0, 0};
    if (value >= 0x80) {
        text[0] = (char)(0xC0 | value >> 6);
        text[1] = (char)(0x80 | (value & 0x3F));
    }
    return json_string(text);
}

static json_t *make_tokenizer(void)
{
    json_t *vocab = json_object(), *added = json_array();
    for (int byte = 0; byte < N_BYTES; byte++) {
        json_t *key = byte_key(byte);
        json_object_set_new(vocab, json_string_value(key), json_integer(byte));
        json_decref(key);
    }
    for (int i = 0; i < VOCAB - N_BYTES; i++)
        json_array_append_new(added, json_pack("{s:i, s:s, s:b}", "id", N_BYTES + i, "content",
                                               specials[i], "special", 1));
    return json_pack("{s:o, s:{s:s, s:b, s:b}, s:{s:s, s:o, s:[]}}", "added_tokens", added,
                     "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0, "use_regex", 1,
                     "model", "type", "BPE", "vocab", vocab, "merges");
}

static json_t *make_tokenizer_config(void)
{
    return json_pack("{s:s, s:s, s:b}", "bos_token", specials[0], "eos_token", specials[3],
                     "add_bos_token", 1);
}

static void dump(json_t *doc, aim_buf *out)
{
    size_t n = json_dumpb(doc, NULL, 0, 0);
    out->data = aim_malloc(n);
    FUZZ_EXPECT(out->data != NULL);
    out->len = json_dumpb(doc, out->data, n, 0);
    json_decref(doc);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    aim_json_init();
    aim_buf model = AIM_BUF_INIT, settings = AIM_BUF_INIT;
    aim_error err = {0};
    dump(make_tokenizer(), &model);
    dump(make_tokenizer_config(), &settings);
    scope.tokenizer = aim_tokenizer_parse(model.data, model.len, settings.data, settings.len, &err);
    if (!scope.tokenizer)
        fprintf(stderr, "%s\n", err.text);
    FUZZ_EXPECT(scope.tokenizer != NULL);
    aim_buf_free(&model);
    aim_buf_free(&settings);
    return 0;
}

/* One token for each choice, so that every writer runs. */
static void answer(const aimd_request *r)
{
    aimd_response_id id = {"id", "model", "fp", 0};
    aimd_format format;
    aimd_prompt_part part = {.prompt = &r->prompts[0]};
    aimd_choice choice;
    aimd_usage usage = {0};
    aim_buf out = AIM_BUF_INIT;
    aim_event e = {.kind = AIM_EVENT_TOKEN,
                   .token = 'x',
                   .stop_id = -1,
                   .stop_string = -1,
                   .finish = AIM_FINISH_LENGTH};
    FUZZ_EXPECT(aimd_format_init(&format, r, scope.tokenizer, &id, NULL) == AIM_OK);
    aimd_choice_init(&choice, &format, 0);
    FUZZ_EXPECT(aimd_prompt_part_fill(&part, &format, &(aim_event){0}, NULL) == AIM_OK);
    FUZZ_EXPECT(aimd_choice_add(&choice, &format, &part, &e, NULL) == AIM_OK);
    aimd_write_events(&out, &format, &part, &choice, true, &usage);
    FUZZ_EXPECT(!out.failed && out.len > 8);
    aim_buf_free(&out);
    aimd_choice_free(&choice);
    aimd_prompt_part_free(&part);
    aimd_format_free(&format);
}

static void check_search(const aimd_request *r)
{
    const aimd_search_request *s = &r->search;
    FUZZ_EXPECT(s->best_of >= r->params.n && s->best_of <= options.max_best_of);
    FUZZ_EXPECT(s->n_questions == (s->with_rewards ? r->n_prompts : 0));
    FUZZ_EXPECT(*aimd_search_separator(r, NULL) != '\0');
    for (size_t i = 0; i < r->n_prompts; i++) {
        aim_search_options o = aimd_search_options(r, i, NULL);
        aim_error err = {0};
        FUZZ_EXPECT(s->best_of * o.max_tokens <= options.max_total_tokens || s->budget > 0);
        int code = aim_search_options_check(&o, &err);
        FUZZ_EXPECT((code == AIM_OK) == (err.param[0] == '\0'));
    }
}

static void check_accepted(const aimd_request *r)
{
    FUZZ_EXPECT(r->n_prompts >= 1 && r->n_prompts <= (size_t)options.max_prompts);
    FUZZ_EXPECT(r->n_stop <= (size_t)options.max_stop_strings);
    for (size_t i = 0; i < r->n_prompts; i++) {
        const aimd_prompt *p = &r->prompts[i];
        FUZZ_EXPECT(p->n_tokens > 0 && p->max_tokens >= 0);
        FUZZ_EXPECT(p->n_tokens + p->max_tokens <= CONTEXT);
        for (int k = 0; k < p->n_tokens; k++)
            FUZZ_EXPECT(p->tokens[k] >= 0 && p->tokens[k] < VOCAB);
        aim_request *q = aimd_request_for_engine(r, i, NULL);
        FUZZ_EXPECT(q != NULL);
        aim_request_free(q);
    }
    answer(r);
    if (r->search.on)
        check_search(r);
}

static int generate(const json_t *body, const aimd_params *params, enum aimd_body_route route,
                    aim_error *err)
{
    aimd_request r = {.route = route, .params = *params};
    int code = aimd_request_read(body, &scope, &r, err);
    if (!code)
        check_accepted(&r);
    aimd_request_fini(&r);
    return code;
}

static int detokenize(const json_t *body, aim_error *err)
{
    int32_t *ids = NULL;
    size_t n = 0;
    int code = aimd_read_ids(json_object_get(body, "tokens"), &scope, "tokens", &ids, &n, err);
    aim_free(ids);
    return code;
}

static int render(const json_t *body, const aimd_params *params, aim_error *err)
{
    aim_prompt rendered = {0};
    aimd_prompt prompt = {0};
    int code = aimd_render_messages(body, &scope, params, &rendered, err);
    if (!code)
        code = aimd_encode_rendered(&scope, &rendered, false, &prompt, err);
    aim_free(prompt.tokens);
    aim_prompt_free(&rendered);
    return code;
}

static int handle(const json_t *body, enum aimd_body_route route, aim_error *err)
{
    aimd_params params;
    aim_buf unknown = AIM_BUF_INIT;
    int code = aimd_params_read(body, route, &options, &params, &unknown, err);
    aim_buf_free(&unknown);
    if (code)
        return code;
    if (route == AIMD_COMPLETIONS || route == AIMD_CHAT)
        return generate(body, &params, route, err);
    return route == AIMD_DETOKENIZE ? detokenize(body, err) : render(body, &params, err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char letters[] = "chtda";
    const char *letter = size ? memchr(letters, data[0], sizeof letters - 1) : NULL;
    if (!letter)
        return 0;
    aim_error err = {0};
    int code;
    scope.chat = &aim__chat_rows[size % aim__n_chat_rows];
    json_t *body = aimd_body_parse((const char *)data + 1, size - 1, &err);
    if (body)
        code = handle(body, (enum aimd_body_route)(1 << (letter - letters)), &err);
    else
        code = (int)err.code;
    FUZZ_EXPECT((int)err.code == code);
    FUZZ_EXPECT((code == AIM_OK) == (err.text[0] == '\0'));
    FUZZ_EXPECT(code == AIM_OK || aim_code_http_status((enum aim_code)code) < 500);
    json_decref(body);
    return 0;
}
