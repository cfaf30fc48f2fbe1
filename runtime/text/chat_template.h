/* SPDX-License-Identifier: Apache-2.0 */
/* chat_template.h - chat templates are recognised by what they do, not executed:
 * a template out of a downloaded file is foreign code. Each known one has a row
 * of text and switches (chat_rows.c), and the digests of its published texts
 * (chat_published.def). A template that is none of these to the last word is
 * unknown: no prompt is ever made from a guess. */
#ifndef AIM_TEXT_CHAT_TEMPLATE_H
#define AIM_TEXT_CHAT_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "text/tokenizer.h"

typedef struct aim_chat_template aim_chat_template; /* a row of the table */

/* What an operator may ask for: a row of each family, where it has variants the
 * one to begin with. */
#define AIM_CHAT_TEMPLATE_NAMES                                                                    \
    "llama-3|llama-3.1|llama-2|phi-3|phi-4|phi-4-mini|mistral|chatml|qwen2|qwen2.5|"               \
    "qwen2.5-math|qwen3|qwen3-instruct|qwen3-thinking|deepseek-r1|smollm2|zephyr|gemma|"           \
    "role-tags|plain"

typedef struct aim_message {
    const char *role;    /* "system", "user", "assistant", "tool", "developer" */
    const char *content; /* UTF-8 */
    size_t content_len;
} aim_message;

/* The row called name, or with name NULL the one of the template in the
 * tokenizer's configuration. NULL on failure: AIM_EINVAL for a name that no row
 * has, AIM_EUNSUPPORTED with what to do about it for a model whose template is
 * unknown or missing. */
const aim_chat_template *aim_chat_template_find(const aim_tokenizer *t, const char *name,
                                                aim_error *err);
const char *aim_chat_template_name(const aim_chat_template *c);

/* A rendered prompt: text, and the parts of it that came from messages, in
 * which special-token text stays text. Free both with aim_prompt_free. */
typedef struct aim_prompt {
    aim_buf text;
    aim_span *plain;
    size_t n_plain, room_plain;
} aim_prompt;
void aim_prompt_free(aim_prompt *p);

/* Write n > 0 messages as the template does, to the byte as transformers'
 * apply_chat_template has it; "developer" becomes "system", whose name it is in
 * newer requests. The prompt depends on the arguments alone, never on the date.
 * add_generation_prompt: end with the opening of the assistant's turn.
 * continue_final: leave the last message (an assistant's) open instead; both
 * together are AIM_EINVAL. AIM_EINVAL also, naming messages[i].role, for roles
 * that the template does not have, would leave out without a word, or refuses in
 * this order. */
int aim_chat_render(const aim_chat_template *c, const aim_tokenizer *t, const aim_message *messages,
                    size_t n, bool add_generation_prompt, bool continue_final, aim_prompt *out,
                    aim_error *err);

#endif
