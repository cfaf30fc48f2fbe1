/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_template.h"

#include "base/alloc.h"

#include <stdio.h>
#include <string.h>

/* A layout in which every message is <before_role>role<after_role>content
 * <after_content>. */
struct aim_chat_template {
    const char *name;
    const char *text; /* as tokenizer_config.json has it */
    bool bos;         /* the text starts with BOS */
    const char *before_role, *after_role, *after_content;
};

static const struct aim_chat_template known[] = {
    {
        "role-tags",
        "{{ bos_token }}{% for message in messages %}{{ '<|' + message['role'] + '|>' + '\n' + "
        "message['content'] + '<|end|>' + '\n' }}{% endfor %}{% if add_generation_prompt %}{{ "
        "'<|assistant|>' + '\n' }}{% endif %}",
        true,
        "<|",
        "|>\n",
        "<|end|>\n",
    },
    {
        "chatml",
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + "
        "message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ "
        "'<|im_start|>assistant\n' }}{% endif %}",
        false,
        "<|im_start|>",
        "\n",
        "<|im_end|>\n",
    },
};

const aim_chat_template *aim_chat_template_find(const aim_tokenizer *t, aim_error *err)
{
    const char *text = aim_tokenizer_chat_template(t);
    for (size_t i = 0; text && i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].text, text) == 0)
            return &known[i];
    if (!text)
        aim_fail(err, AIM_EUNSUPPORTED,
                 "the model has no chat template (tokenizer_config.json: \"chat_template\"); send "
                 "the whole prompt to /v1/completions instead");
    else
        aim_fail(err, AIM_EUNSUPPORTED,
                 "the model's chat template (tokenizer_config.json: \"chat_template\") is none of "
                 "those known; send the whole prompt to /v1/completions instead");
    return NULL;
}

const char *aim_chat_template_name(const aim_chat_template *c)
{
    return c->name;
}

void aim_prompt_free(aim_prompt *p)
{
    aim_buf_free(&p->text);
    aim_free(p->plain);
    *p = (aim_prompt){0};
}

/* The role as the template writes it, or NULL. A developer's message is what a
 * system message was before that role came up; no template knows the word. */
static const char *role_name(const char *role)
{
    static const char *const roles[] = {"system", "user", "assistant", "tool"};
    if (strcmp(role, "developer") == 0)
        return "system";
    for (size_t i = 0; i < sizeof roles / sizeof *roles; i++)
        if (strcmp(role, roles[i]) == 0)
            return roles[i];
    return NULL;
}

static void open_turn(const aim_chat_template *c, const char *role, aim_buf *text)
{
    aim_buf_puts(text, c->before_role);
    aim_buf_puts(text, role);
    aim_buf_puts(text, c->after_role);
}

static int add_content(const aim_message *m, aim_prompt *out, aim_error *err)
{
    size_t start = out->text.len;
    if (m->content_len == 0)
        return AIM_OK;
    if (!aim_grow(&out->plain, &out->room_plain, out->n_plain + 1, sizeof *out->plain))
        return aim_fail_nomem(err, "the prompt");
    aim_buf_append(&out->text, m->content, m->content_len);
    out->plain[out->n_plain++] = (aim_span){start, start + m->content_len};
    return AIM_OK;
}

static int check_roles(const aim_message *messages, size_t n, aim_error *err)
{
    for (size_t i = 0; i < n; i++) {
        char param[64];
        if (role_name(messages[i].role))
            continue;
        snprintf(param, sizeof param, "messages[%zu].role", i);
        return aim_fail_param(err, AIM_EINVAL, param,
                              "%s is \"%.64s\", must be system, developer, user, assistant or tool",
                              param, messages[i].role);
    }
    return AIM_OK;
}

static int check_ending(const aim_message *messages, size_t n, bool add_generation_prompt,
                        bool continue_final, aim_error *err)
{
    if (!continue_final)
        return AIM_OK;
    if (add_generation_prompt)
        return aim_fail_param(
            err, AIM_EINVAL, "continue_final_message",
            "continue_final_message and add_generation_prompt exclude each other");
    if (n == 0 || strcmp(messages[n - 1].role, "assistant") != 0)
        return aim_fail_param(err, AIM_EINVAL, "continue_final_message",
                              "continue_final_message needs a last message of the assistant");
    return AIM_OK;
}

int aim_chat_render(const aim_chat_template *c, const aim_tokenizer *t, const aim_message *messages,
                    size_t n, bool add_generation_prompt, bool continue_final, aim_prompt *out,
                    aim_error *err)
{
    *out = (aim_prompt){0};
    int code = check_roles(messages, n, err);
    if (!code)
        code = check_ending(messages, n, add_generation_prompt, continue_final, err);
    if (!code && c->bos && aim_tokenizer_bos(t))
        aim_buf_puts(&out->text, aim_tokenizer_bos(t));
    for (size_t i = 0; i < n && !code; i++) {
        open_turn(c, role_name(messages[i].role), &out->text);
        code = add_content(&messages[i], out, err);
        if (!continue_final || i + 1 < n)
            aim_buf_puts(&out->text, c->after_content);
    }
    if (!code && add_generation_prompt)
        open_turn(c, "assistant", &out->text);
    if (!code && out->text.failed)
        code = aim_fail_nomem(err, "the prompt");
    if (code)
        aim_prompt_free(out);
    return code;
}
