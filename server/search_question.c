/* SPDX-License-Identifier: Apache-2.0 */
/* What a reward model sees as the question of a prompt: what the request says, else the
 * last message of the user, else the prompt. */
#include "server/search_request.h"

#include "base/alloc.h"
#include "server/request.h"

#include <stdio.h>
#include <string.h>

static bool is_space(char c)
{
    return c != '\0' && strchr(" \t\r\n", c);
}

static void trim(aim_buf *text)
{
    size_t start = 0;
    while (text->len > 0 && is_space(text->data[text->len - 1]))
        text->data[--text->len] = '\0';
    while (start < text->len && is_space(text->data[start]))
        start++;
    aim_buf_consume(text, start);
}

/* Special tokens are no part of the question: they are how this model's prompts are
 * written, and the reward model has a way of its own. */
static void decode_prompt(const aimd_scope *scope, const aimd_prompt *prompt, aim_buf *out)
{
    aim_detok detok;
    aim_detok_init(&detok, scope->tokenizer, true);
    for (int i = 0; i < prompt->n_tokens; i++)
        aim_detok_push(&detok, prompt->tokens[i], out);
    aim_detok_flush(&detok, out);
    aim_detok_free(&detok);
    if (!out->failed)
        trim(out);
}

static int read_text(const json_t *v, const char *param, aim_buf *out, aim_error *err)
{
    if (!json_is_string(v))
        return aim_fail_param(err, AIM_EINVAL, param, "%s must be a string", param);
    aim_buf_append(out, json_string_value(v), json_string_length(v));
    return AIM_OK;
}

/* One for all prompts, or a list with one for each. */
static int read_given(const json_t *field, size_t i, size_t n_prompts, aim_buf *out, aim_error *err)
{
    char param[40] = "reward_question";
    if (!json_is_array(field))
        return read_text(field, param, out, err);
    if (json_array_size(field) != n_prompts)
        return aim_fail_param(err, AIM_EINVAL, param,
                              "reward_question must have one text for each prompt; it has %zu, "
                              "prompts are %zu",
                              json_array_size(field), n_prompts);
    snprintf(param, sizeof param, "reward_question[%zu]", i);
    return read_text(json_array_get(field, i), param, out, err);
}

static int read_question(const json_t *body, const aimd_scope *scope, const aimd_request *r,
                         size_t i, aim_buf *out, aim_error *err)
{
    const json_t *field = json_object_get(body, "reward_question");
    int code = AIM_OK;
    bool found = true;
    if (field && !json_is_null(field))
        code = read_given(field, i, r->n_prompts, out, err);
    else if (r->route == AIMD_CHAT)
        code = aimd_read_last_user_text(body, out, &found, err);
    else
        found = false;
    if (!code && !found)
        decode_prompt(scope, &r->prompts[i], out);
    return !code && out->failed ? aim_fail_nomem(err, "question") : code;
}

int aimd_search_read_questions(const json_t *body, const aimd_scope *scope, aimd_request *r,
                               aim_error *err)
{
    aimd_search_request *s = &r->search;
    if (!s->on || !s->with_rewards)
        return AIM_OK;
    s->questions = aim_calloc(r->n_prompts, sizeof *s->questions);
    if (!s->questions)
        return aim_fail_nomem(err, "question");
    s->n_questions = r->n_prompts;
    int code = AIM_OK;
    for (size_t i = 0; i < r->n_prompts && !code; i++)
        code = read_question(body, scope, r, i, &s->questions[i], err);
    return code;
}
