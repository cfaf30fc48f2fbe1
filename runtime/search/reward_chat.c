/* SPDX-License-Identifier: Apache-2.0 */
/* reward_chat.c - a chat of question and answer. */
#include "search/reward_impl.h"

#include <string.h>

size_t aim__system_message(const aim_reward *r, aim_message *out)
{
    const char *system = r->text[AIM__REWARD_SYSTEM];
    if (!system || !*system)
        return 0;
    *out = (aim_message){"system", system, strlen(system)};
    return 1;
}

int aim__render_chat(const aim_reward *r, struct aim__text question, struct aim__text answer,
                     aim_prompt *out, aim_error *err)
{
    aim_message messages[3];
    size_t n = aim__system_message(r, messages);
    messages[n++] = (aim_message){"user", question.s, question.len};
    messages[n++] = (aim_message){"assistant", answer.s, answer.len};
    return aim_chat_render(r->chat, r->tokenizer, messages, n, false, false, out, err);
}

/* What a chat has in front of its answer, for which a letter stands meanwhile. */
int aim__chat_head(const aim_reward *r, struct aim__text question, aim_prompt *out, aim_error *err)
{
    int code = aim__render_chat(r, question, (struct aim__text){"x", 1}, out, err);
    if (!code)
        aim__cut_prompt(out, out->plain[out->n_plain - 1].start);
    return code;
}

int aim__chat_tail(const aim_reward *r, aim_buf *out, aim_error *err)
{
    aim_prompt p = {0};
    int code = aim__render_chat(r, (struct aim__text){"q", 1}, (struct aim__text){"x", 1}, &p, err);
    if (!code)
        aim_buf_puts(out, p.text.data + p.plain[p.n_plain - 1].end);
    aim_prompt_free(&p);
    return !code && out->failed ? aim_fail_nomem(err, "a chat template") : code;
}
