/* SPDX-License-Identifier: Apache-2.0 */
/* The prompts of a request: text, lists of texts, ids, lists of ids, or a
 * conversation. */
#include "server/request.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

enum { PARAM_BYTES = 64 };

/* ---- ids ---------------------------------------------------------------- */

int aimd_read_ids(const json_t *list, const aimd_scope *scope, const char *param, int32_t **out,
                  size_t *n, aim_error *err)
{
    if (!json_is_array(list))
        return aim_fail_param(err, AIM_EINVAL, param, "%s must be a list of token ids", param);
    size_t size = json_array_size(list);
    int32_t *ids = aim_array(size + 1, sizeof *ids);
    if (!ids)
        return aim_fail_nomem(err, param);
    for (size_t i = 0; i < size; i++) {
        const json_t *v = json_array_get(list, i);
        json_int_t id = json_integer_value(v);
        if (!json_is_integer(v) || id < 0 || id >= scope->config->vocab) {
            aim_free(ids);
            return aim_fail_param(err, AIM_EINVAL, param,
                                  "%s[%zu] must be a token id, an integer of 0 to %d", param, i,
                                  scope->config->vocab - 1);
        }
        ids[i] = (int32_t)id;
    }
    *out = ids;
    *n = size;
    return AIM_OK;
}

static void set_tokens(aimd_prompt *out, int32_t *tokens, size_t n)
{
    out->tokens = tokens;
    out->n_tokens = (int)n; /* fewer than bytes of the body, whose cap is below INT_MAX */
}

static int read_id_prompt(const json_t *list, const aimd_scope *scope, const char *param,
                          aimd_prompt *out, aim_error *err)
{
    int32_t *ids = NULL;
    size_t n = 0;
    int code = aimd_read_ids(list, scope, param, &ids, &n, err);
    if (!code)
        set_tokens(out, ids, n);
    return code;
}

/* ---- text --------------------------------------------------------------- */

/* How many of the leading ids are what the tokenizer puts in front of any
 * text. */
static int count_added(const aim_tokenizer *t, const aim_ids *ids)
{
    aim_ids added = {0};
    int n = 0;
    if (aim_tokenizer_encode(t, "", 0, AIM_ADD_SPECIAL, NULL, 0, &added, NULL) == AIM_OK)
        while ((size_t)n < added.n && (size_t)n < ids->n && added.v[n] == ids->v[n])
            n++;
    aim_ids_free(&added);
    return n;
}

static int encode(const aimd_scope *scope, const char *text, size_t len, bool add_special,
                  const aim_span *plain, size_t n_plain, const char *param, aimd_prompt *out,
                  aim_error *err)
{
    aim_ids ids = {0};
    aim_error e = {0};
    unsigned flags = AIM_PARSE_SPECIAL | (add_special ? AIM_ADD_SPECIAL : 0u);
    int code = aim_tokenizer_encode(scope->tokenizer, text, len, flags, plain, n_plain, &ids, &e);
    if (code) {
        aim_ids_free(&ids);
        return aim_fail_param(err, code, param, "%s: %s", param, e.text);
    }
    if (add_special)
        out->n_added = count_added(scope->tokenizer, &ids);
    set_tokens(out, ids.v, ids.n);
    return AIM_OK;
}

int aimd_encode_text(const aimd_scope *scope, const json_t *text, bool add_special,
                     const char *param, aimd_prompt *out, aim_error *err)
{
    if (!json_is_string(text))
        return aim_fail_param(err, AIM_EINVAL, param, "%s must be a string", param);
    return encode(scope, json_string_value(text), json_string_length(text), add_special, NULL, 0,
                  param, out, err);
}

int aimd_encode_rendered(const aimd_scope *scope, const aim_prompt *rendered, bool add_special,
                         aimd_prompt *out, aim_error *err)
{
    return encode(scope, rendered->text.data, rendered->text.len, add_special, rendered->plain,
                  rendered->n_plain, "messages", out, err);
}

/* ---- messages ----------------------------------------------------------- */

/* Messages and the texts that had to be put together from parts. */
struct conversation {
    aim_message *messages;
    aim_buf *joined;
    size_t n;
};

static void conversation_free(struct conversation *c)
{
    for (size_t i = 0; c->joined && i < c->n; i++)
        aim_buf_free(&c->joined[i]);
    aim_free(c->joined);
    aim_free(c->messages);
}

static int read_role(const json_t *message, size_t i, aim_message *out, aim_error *err)
{
    static const char *const roles[] = {"developer", "system", "user", "assistant", "tool"};
    const char *role = json_string_value(json_object_get(message, "role"));
    for (size_t r = 0; role && r < sizeof roles / sizeof roles[0]; r++) {
        if (strcmp(role, roles[r]) == 0) {
            out->role = roles[r];
            return AIM_OK;
        }
    }
    char param[PARAM_BYTES];
    snprintf(param, sizeof param, "messages[%zu].role", i);
    return aim_fail_param(err, AIM_EINVAL, param,
                          "%s must be developer, system, user, assistant or tool", param);
}

/* Text parts, with a line break between two, as vLLM joins them. */
static int join_parts(const json_t *parts, const char *param, aim_buf *out, aim_error *err)
{
    for (size_t i = 0; i < json_array_size(parts); i++) {
        const json_t *part = json_array_get(parts, i);
        const char *type = json_string_value(json_object_get(part, "type"));
        const json_t *text = json_object_get(part, "text");
        char name[PARAM_BYTES + 24];
        snprintf(name, sizeof name, "%s[%zu]", param, i);
        if (type && strcmp(type, "text") != 0)
            return aim_fail_param(err, AIM_EUNSUPPORTED, name, "%s: only parts of type text", name);
        if (!type || !json_is_string(text))
            return aim_fail_param(err, AIM_EINVAL, name, "%s must be {type: \"text\", text: ...}",
                                  name);
        if (i)
            aim_buf_puts(out, "\n");
        aim_buf_append(out, json_string_value(text), json_string_length(text));
    }
    return out->failed ? aim_fail_nomem(err, param) : AIM_OK;
}

static int read_content(const json_t *message, size_t i, aim_message *out, aim_buf *joined,
                        aim_error *err)
{
    const json_t *content = json_object_get(message, "content");
    char param[PARAM_BYTES];
    snprintf(param, sizeof param, "messages[%zu].content", i);
    if (json_is_array(content) && json_array_size(content) > 0) {
        int code = join_parts(content, param, joined, err);
        out->content = joined->data ? joined->data : "";
        out->content_len = joined->len;
        return code;
    }
    if (json_is_string(content)) {
        out->content = json_string_value(content);
        out->content_len = json_string_length(content);
        return AIM_OK;
    }
    /* An assistant's turn that called tools has no content. */
    bool absent = !content || json_is_null(content);
    out->content = "";
    if (absent && strcmp(out->role, "assistant") == 0)
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, param, "%s must be a string or a list of text parts",
                          param);
}

static int read_message(const json_t *message, size_t i, aim_message *out, aim_buf *joined,
                        aim_error *err)
{
    char param[PARAM_BYTES];
    snprintf(param, sizeof param, "messages[%zu]", i);
    if (!json_is_object(message))
        return aim_fail_param(err, AIM_EINVAL, param, "%s must be an object", param);
    snprintf(param, sizeof param, "messages[%zu].tool_calls", i);
    if (json_array_size(json_object_get(message, "tool_calls")) > 0)
        return aim_fail_param(err, AIM_EUNSUPPORTED, param, "%s: tool calls are not supported here",
                              param);
    int code = read_role(message, i, out, err);
    return code ? code : read_content(message, i, out, joined, err);
}

static int read_messages(const json_t *list, struct conversation *c, aim_error *err)
{
    size_t n = json_array_size(list);
    if (n == 0)
        return aim_fail_param(err, AIM_EINVAL, "messages",
                              "messages must be a list of at least one message");
    c->messages = aim_calloc(n, sizeof *c->messages);
    c->joined = aim_calloc(n, sizeof *c->joined);
    c->n = n;
    if (!c->messages || !c->joined)
        return aim_fail_nomem(err, "messages");
    int code = AIM_OK;
    for (size_t i = 0; i < n && !code; i++)
        code = read_message(json_array_get(list, i), i, &c->messages[i], &c->joined[i], err);
    return code;
}

int aimd_render_messages(const json_t *body, const aimd_scope *scope, const aimd_params *params,
                         aim_prompt *out, aim_error *err)
{
    if (!scope->chat)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "messages", "%s",
                              scope->chat_error && scope->chat_error->text[0]
                                  ? scope->chat_error->text
                                  : "this model has no chat template");
    if (params->add_generation_prompt && params->continue_final_message)
        return aim_fail_param(err, AIM_EINVAL, "continue_final_message",
                              "continue_final_message needs add_generation_prompt: false");
    struct conversation c = {0};
    aim_error e = {0};
    int code = read_messages(json_object_get(body, "messages"), &c, err);
    if (!code) {
        code =
            aim_chat_render(scope->chat, scope->tokenizer, c.messages, c.n,
                            params->add_generation_prompt, params->continue_final_message, out, &e);
        if (code)
            aim_fail_param(err, code, e.param[0] ? e.param : "messages", "%s", e.text);
    }
    conversation_free(&c);
    return code;
}

int aimd_read_last_user_text(const json_t *body, aim_buf *out, bool *found, aim_error *err)
{
    struct conversation c = {0};
    int code = read_messages(json_object_get(body, "messages"), &c, err);
    size_t i = code ? 0 : c.n;
    while (i > 0 && strcmp(c.messages[i - 1].role, "user") != 0)
        i--;
    *found = i > 0;
    if (i > 0)
        aim_buf_append(out, c.messages[i - 1].content, c.messages[i - 1].content_len);
    conversation_free(&c);
    return code;
}

/* ---- all prompts of a request ------------------------------------------- */

static int read_chat(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    aim_prompt rendered = {0};
    int code = aimd_render_messages(body, scope, &r->params, &rendered, err);
    if (!code)
        code = aimd_encode_rendered(scope, &rendered, r->params.chat_add_special_tokens,
                                    &r->prompts[0], err);
    aim_prompt_free(&rendered);
    if (!code && r->prompts[0].n_tokens == 0)
        return aim_fail_param(err, AIM_EINVAL, "messages", "messages have no tokens");
    return code;
}

/* Without a prompt OpenAI starts from the end-of-text token; here from BOS, or
 * EOS for models without one. */
static int start_token(const aimd_scope *scope, aimd_prompt *out, aim_error *err)
{
    int32_t id = scope->config->bos;
    if (id < 0)
        id = aim_tokenizer_bos_id(scope->tokenizer);
    if (id < 0 && scope->config->n_eos > 0)
        id = scope->config->eos[0];
    if (id < 0)
        return aim_fail_param(err, AIM_EINVAL, "prompt", "prompt is missing");
    int32_t *ids = aim_array(1, sizeof *ids);
    if (!ids)
        return aim_fail_nomem(err, "prompt");
    ids[0] = id;
    out->n_added = 1;
    set_tokens(out, ids, 1);
    return AIM_OK;
}

static int read_one(const json_t *v, const aimd_scope *scope, const aimd_request *r,
                    const char *param, aimd_prompt *out, aim_error *err)
{
    int code = json_is_array(v)
                   ? read_id_prompt(v, scope, param, out, err)
                   : aimd_encode_text(scope, v, r->params.add_special_tokens != 0, param, out, err);
    if (!code && out->n_tokens == 0)
        return aim_fail_param(err, AIM_EINVAL, param, "%s has no tokens", param);
    return code;
}

/* Is the field one prompt, or a list of them? A list of integers is one. */
static bool is_batch(const json_t *prompt)
{
    return json_array_size(prompt) > 0 && !json_is_number(json_array_get(prompt, 0));
}

static int read_batch(const json_t *list, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    bool texts = json_is_string(json_array_get(list, 0));
    int code = AIM_OK;
    for (size_t i = 0; i < r->n_prompts && !code; i++) {
        const json_t *v = json_array_get(list, i);
        char param[PARAM_BYTES];
        snprintf(param, sizeof param, "prompt[%zu]", i);
        if (texts ? !json_is_string(v) : !json_is_array(v))
            return aim_fail_param(err, AIM_EINVAL, param,
                                  "%s: a list holds texts, or token ids, or lists of token ids, "
                                  "not a mix",
                                  param);
        code = read_one(v, scope, r, param, &r->prompts[i], err);
    }
    return code;
}

int aimd_read_prompts(const json_t *body, const aimd_scope *scope, aimd_request *r, aim_error *err)
{
    const json_t *prompt = json_object_get(body, "prompt");
    bool batch = r->route == AIMD_COMPLETIONS && is_batch(prompt);
    size_t n = batch ? json_array_size(prompt) : 1;
    if (n > (size_t)scope->options->max_prompts)
        return aim_fail_param(err, AIM_EINVAL, "prompt",
                              "prompt has %zu prompts, at most %d are allowed", n,
                              scope->options->max_prompts);
    r->prompts = aim_calloc(n, sizeof *r->prompts);
    if (!r->prompts)
        return aim_fail_nomem(err, "prompts");
    r->n_prompts = n;
    if (r->route == AIMD_CHAT)
        return read_chat(body, scope, r, err);
    if (!prompt || json_is_null(prompt))
        return start_token(scope, &r->prompts[0], err);
    if (batch)
        return read_batch(prompt, scope, r, err);
    if (!json_is_array(prompt) && !json_is_string(prompt))
        return aim_fail_param(err, AIM_EINVAL, "prompt",
                              "prompt must be a text, a list of texts, token ids, or lists of "
                              "token ids");
    return read_one(prompt, scope, r, "prompt", &r->prompts[0], err);
}
