/* SPDX-License-Identifier: Apache-2.0 */
/* chat_template.h - chat templates are recognised by their text, not executed:
 * a template out of a downloaded file is foreign code. Each known template has
 * a row with its exact text and a hand-written renderer. */
#ifndef AIM_TEXT_CHAT_TEMPLATE_H
#define AIM_TEXT_CHAT_TEMPLATE_H

#include "base/buf.h"
#include "base/error.h"
#include "text/tokenizer.h"

typedef struct aim_chat_template aim_chat_template; /* a row of the table */

typedef struct aim_message {
    const char *role; /* "system", "user", "assistant", "tool", "developer" */
    const char *content;
    size_t content_len;
} aim_message;

/* The template of the tokenizer's configuration, or NULL and AIM_EUNSUPPORTED
 * with what to do about it. */
const aim_chat_template *aim_chat_template_find(const aim_tokenizer *t, aim_error *err);
const char *aim_chat_template_name(const aim_chat_template *c);

/* A rendered prompt: text, and the parts of it that came from messages, in
 * which special-token text stays text. Free both with aim_prompt_free. */
typedef struct aim_prompt {
    aim_buf text;
    aim_span *plain;
    size_t n_plain, room_plain;
} aim_prompt;
void aim_prompt_free(aim_prompt *p);

/* Roles are written as the template does, whether or not the vocabulary has a
 * special token for them; "developer" becomes "system", whose name it is in
 * newer requests. Any other role is AIM_EINVAL.
 * add_generation_prompt: end with the opening of the assistant's turn.
 * continue_final: leave the last message (an assistant's) open instead; both
 * together are AIM_EINVAL. */
int aim_chat_render(const aim_chat_template *c, const aim_tokenizer *t, const aim_message *messages,
                    size_t n, bool add_generation_prompt, bool continue_final, aim_prompt *out,
                    aim_error *err);

#endif
