/* SPDX-License-Identifier: Apache-2.0 */
#include "server/response.h"

#include "server/json_out.h"

#include <string.h>

static bool is_chat(const aimd_format *f)
{
    return f->request->route == AIMD_CHAT;
}

/* ---- what all have in common -------------------------------------------- */

static const char *object_name(const aimd_request *r)
{
    if (r->route == AIMD_COMPLETIONS)
        return "text_completion";
    return r->params.stream ? "chat.completion.chunk" : "chat.completion";
}

int aimd_format_init(aimd_format *f, const aimd_request *r, const aim_tokenizer *tokenizer,
                     const aimd_response_id *id, aim_error *err)
{
    *f = (aimd_format){.request = r, .style = {tokenizer, r->params.tokens_as_ids != 0}};
    aim_buf *h = &f->head;
    aim_buf_printf(h, "{\"id\":\"%s", r->route == AIMD_CHAT ? "chatcmpl-" : "cmpl-");
    aimd_json_escape(h, id->request_id, strlen(id->request_id));
    aim_buf_printf(h, "\",\"object\":\"%s\",\"created\":%lld,\"model\":", object_name(r),
                   (long long)id->created);
    aimd_json_cstring(h, id->model);
    aim_buf_puts(h, ",\"system_fingerprint\":");
    aimd_json_cstring(h, id->fingerprint);
    aim_buf_printf(h, ",\"seed\":%lld,\"choices\":[", (long long)r->seed);
    return h->failed ? aim_fail_nomem(err, "response") : AIM_OK;
}

void aimd_format_free(aimd_format *f)
{
    aim_buf_free(&f->head);
}

/* ,"finish_reason":...,"stop_reason":... */
static void write_finish(aim_buf *out, const aimd_request *r, const aimd_choice *c)
{
    const char *reason = c->finish == AIM_FINISH_STOP     ? "stop"
                         : c->finish == AIM_FINISH_LENGTH ? "length"
                                                          : NULL;
    aim_buf_puts(out, ",\"finish_reason\":");
    aimd_json_cstring(out, reason);
    aim_buf_puts(out, ",\"stop_reason\":");
    if (c->finish == AIM_FINISH_STOP && c->stop_string >= 0 && (size_t)c->stop_string < r->n_stop)
        aimd_json_cstring(out, r->stop[c->stop_string]);
    else if (c->finish == AIM_FINISH_STOP && c->stop_id >= 0)
        aimd_json_int(out, c->stop_id);
    else
        aim_buf_puts(out, "null");
}

static void write_prompt_ids(aim_buf *out, const aimd_prompt *p)
{
    aim_buf_puts(out, ",\"prompt_token_ids\":");
    aimd_json_ids(out, p->tokens, (size_t)p->n_tokens);
}

static void write_token_ids(aim_buf *out, const aimd_request *r, const aimd_choice *c)
{
    if (!r->params.return_token_ids)
        return;
    aim_buf_puts(out, ",\"token_ids\":");
    aimd_json_ids(out, c->ids.v, c->ids.n);
}

static void write_prompt_logprobs(aim_buf *out, const aimd_prompt_part *part)
{
    if (part->prompt_logprobs.len == 0)
        return;
    aim_buf_puts(out, ",\"prompt_logprobs\":[");
    aim_buf_append(out, part->prompt_logprobs.data, part->prompt_logprobs.len);
    aim_buf_puts(out, "]");
}

/* ---- choices ------------------------------------------------------------ */

/* A choice of a completion, the same in a body and in a chunk. part: NULL in
 * chunks behind the first, which do not repeat the prompt. */
static void write_completion_choice(aim_buf *out, const aimd_format *f,
                                    const aimd_prompt_part *part, const aimd_choice *c)
{
    const aimd_request *r = f->request;
    aim_buf_printf(out, "{\"index\":%d,\"text\":\"", c->index);
    if (part)
        aimd_json_escape(out, part->text.data, part->text.len);
    aimd_json_escape(out, c->text.data, c->text.len);
    aim_buf_puts(out, "\",\"logprobs\":");
    if (r->logprobs >= 0)
        aimd_arrays_write(part ? &part->arrays : NULL, &c->arrays, out);
    else
        aim_buf_puts(out, "null");
    write_finish(out, r, c);
    write_token_ids(out, r, c);
    if (part && r->params.return_token_ids)
        write_prompt_ids(out, part->prompt);
    if (part)
        write_prompt_logprobs(out, part);
    aim_buf_puts(out, "}");
}

static void write_chat_logprobs(aim_buf *out, const aimd_request *r, const aimd_choice *c)
{
    aim_buf_puts(out, ",\"logprobs\":");
    if (r->logprobs < 0) {
        aim_buf_puts(out, "null");
        return;
    }
    aim_buf_puts(out, "{\"content\":[");
    aim_buf_append(out, c->chat_logprobs.data, c->chat_logprobs.len);
    aim_buf_puts(out, "],\"refusal\":null}");
}

static void write_chat_choice(aim_buf *out, const aimd_format *f, const aimd_choice *c)
{
    aim_buf_printf(out, "{\"index\":%d,\"message\":{\"role\":\"assistant\",\"content\":", c->index);
    aimd_json_string(out, c->text.data, c->text.len);
    aim_buf_puts(out, ",\"refusal\":null}");
    write_chat_logprobs(out, f->request, c);
    write_finish(out, f->request, c);
    write_token_ids(out, f->request, c);
    aim_buf_puts(out, "}");
}

/* ---- the whole body ----------------------------------------------------- */

void aimd_write_body(aim_buf *out, const aimd_format *f, const aimd_prompt_part *parts,
                     const aimd_choice *choices, const aim_buf *more, const aimd_usage *usage)
{
    const aimd_request *r = f->request;
    size_t n = (size_t)r->params.n;
    aim_buf_append(out, f->head.data, f->head.len);
    for (size_t i = 0; i < r->n_prompts * n; i++) {
        if (i)
            aim_buf_puts(out, ",");
        if (is_chat(f))
            write_chat_choice(out, f, &choices[i]);
        else
            write_completion_choice(out, f, &parts[i / n], &choices[i]);
    }
    aim_buf_puts(out, "]");
    aim_buf_append(out, more->data, more->len);
    aim_buf_puts(out, ",\"usage\":");
    aimd_write_usage(out, usage, &f->rates);
    if (is_chat(f)) {
        write_prompt_logprobs(out, &parts[0]);
        if (r->params.return_token_ids)
            write_prompt_ids(out, parts[0].prompt);
    }
    aim_buf_puts(out, "}");
}

/* ---- events ------------------------------------------------------------- */

static void begin_event(aim_buf *out, const aimd_format *f)
{
    aim_buf_puts(out, "data: ");
    aim_buf_append(out, f->head.data, f->head.len);
}

/* Close the event behind its choices; usage is null where only the last event
 * carries it. */
static void end_event(aim_buf *out, const aimd_format *f, const aimd_usage *usage)
{
    const aimd_params *p = &f->request->params;
    if (p->include_usage) {
        aim_buf_puts(out, ",\"usage\":");
        if (p->continuous_usage)
            aimd_write_usage(out, usage, &f->rates);
        else
            aim_buf_puts(out, "null");
    }
    aim_buf_puts(out, "}\n\n");
}

static void begin_delta(aim_buf *out, const aimd_format *f, const aimd_choice *c)
{
    begin_event(out, f);
    aim_buf_printf(out, "{\"index\":%d,\"delta\":{", c->index);
}

static void write_role_event(aim_buf *out, const aimd_format *f, const aimd_prompt_part *part,
                             const aimd_choice *c, const aimd_usage *usage)
{
    begin_delta(out, f, c);
    aim_buf_puts(out, "\"role\":\"assistant\",\"content\":\"\"},\"logprobs\":null,"
                      "\"finish_reason\":null}]");
    if (f->request->params.return_token_ids)
        write_prompt_ids(out, part->prompt);
    end_event(out, f, usage);
}

static void write_content_event(aim_buf *out, const aimd_format *f, const aimd_choice *c,
                                const aimd_usage *usage)
{
    begin_delta(out, f, c);
    aim_buf_puts(out, "\"content\":");
    aimd_json_string(out, c->text.data, c->text.len);
    aim_buf_puts(out, "}");
    write_chat_logprobs(out, f->request, c);
    aim_buf_puts(out, ",\"finish_reason\":null");
    write_token_ids(out, f->request, c);
    aim_buf_puts(out, "}]");
    end_event(out, f, usage);
}

static void write_finish_event(aim_buf *out, const aimd_format *f, const aimd_choice *c,
                               const aimd_usage *usage)
{
    begin_delta(out, f, c);
    aim_buf_puts(out, "},\"logprobs\":null");
    write_finish(out, f->request, c);
    aim_buf_puts(out, "}]");
    end_event(out, f, usage);
}

void aimd_write_events(aim_buf *out, const aimd_format *f, const aimd_prompt_part *part,
                       const aimd_choice *c, bool token, const aimd_usage *usage)
{
    if (!is_chat(f)) {
        begin_event(out, f);
        write_completion_choice(out, f, c->started ? NULL : part, c);
        aim_buf_puts(out, "]");
        end_event(out, f, usage);
        return;
    }
    if (!c->started)
        write_role_event(out, f, part, c, usage);
    if (token)
        write_content_event(out, f, c, usage);
    if (c->finish != AIM_FINISH_NONE)
        write_finish_event(out, f, c, usage);
}

void aimd_write_more_event(aim_buf *out, const aimd_format *f, const aim_buf *more,
                           const aimd_usage *usage)
{
    begin_event(out, f);
    aim_buf_puts(out, "]");
    aim_buf_append(out, more->data, more->len);
    end_event(out, f, usage);
}

void aimd_write_usage_event(aim_buf *out, const aimd_format *f, const aimd_usage *usage)
{
    if (!f->request->params.include_usage)
        return;
    begin_event(out, f);
    aim_buf_puts(out, "],\"usage\":");
    aimd_write_usage(out, usage, &f->rates);
    aim_buf_puts(out, "}\n\n");
}

void aimd_write_error_event(aim_buf *out, const aim_error *error, const char *code)
{
    aim_buf_puts(out, "data: ");
    aimd_json_error(out, error->text, aim_code_openai_type(error->code), error->param, code);
    aim_buf_puts(out, "\n\n");
}

void aimd_write_done(aim_buf *out)
{
    aim_buf_puts(out, "data: [DONE]\n\n");
}
