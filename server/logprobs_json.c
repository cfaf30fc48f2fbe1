/* SPDX-License-Identifier: Apache-2.0 */
#include "server/logprobs_json.h"

#include "server/json_out.h"

#include <string.h>

static void separate(aim_buf *list)
{
    if (list->len)
        aim_buf_puts(list, ",");
}

static void write_token(aim_buf *out, const aimd_token_style *style, int32_t id)
{
    size_t len;
    if (style->as_ids) {
        aim_buf_printf(out, "\"token_id:%d\"", (int)id);
        return;
    }
    const char *bytes = aim_tokenizer_bytes(style->tokenizer, id, &len);
    aimd_json_string(out, bytes, len);
}

/* ---- completions -------------------------------------------------------- */

/* Write "text": logprob into an object unless its text stands there already.
 * Callers go from likely to unlikely, so the largest stays: a client that takes
 * the maximum of the object must find the likeliest token's number. seen holds
 * the texts so far, each ended by a NUL, which JSON text never contains. */
static void add_top(aim_buf *object, aim_buf *seen, const aimd_token_style *style, int32_t id,
                    float logprob)
{
    size_t start = seen->len;
    write_token(seen, style, id);
    aim_buf_append(seen, "", 1);
    if (seen->failed)
        return;
    for (const char *p = seen->data; p < seen->data + start; p += strlen(p) + 1)
        if (strcmp(p, seen->data + start) == 0)
            return;
    if (start)
        aim_buf_puts(object, ",");
    aim_buf_append(object, seen->data + start, seen->len - start - 1);
    aim_buf_puts(object, ":");
    aimd_json_logprob(object, logprob);
}

static void write_top(aim_buf *out, const aimd_token_style *style, const aimd_scored *s)
{
    aim_buf seen = AIM_BUF_INIT;
    aim_buf_puts(out, "{");
    for (int i = 0; i < s->n_top; i++)
        add_top(out, &seen, style, s->top[i].id, s->top[i].logprob);
    add_top(out, &seen, style, s->id, s->logprob);
    aim_buf_puts(out, "}");
    out->failed = out->failed || seen.failed;
    aim_buf_free(&seen);
}

static void add_place(aimd_arrays *a, const aimd_token_style *style, int32_t id, size_t text_offset)
{
    separate(&a->tokens);
    separate(&a->token_logprobs);
    separate(&a->top_logprobs);
    separate(&a->text_offset);
    write_token(&a->tokens, style, id);
    aimd_json_int(&a->text_offset, (int64_t)text_offset);
}

void aimd_arrays_add(aimd_arrays *a, const aimd_token_style *style, const aimd_scored *scored,
                     size_t text_offset)
{
    add_place(a, style, scored->id, text_offset);
    aimd_json_logprob(&a->token_logprobs, scored->logprob);
    write_top(&a->top_logprobs, style, scored);
}

void aimd_arrays_add_unscored(aimd_arrays *a, const aimd_token_style *style, int32_t id,
                              size_t text_offset)
{
    add_place(a, style, id, text_offset);
    aim_buf_puts(&a->token_logprobs, "null");
    aim_buf_puts(&a->top_logprobs, "null");
}

/* "name":[items of first, items of second] */
static void write_array(aim_buf *out, const char *name, const aim_buf *first, const aim_buf *second)
{
    aim_buf_printf(out, "\"%s\":[", name);
    if (first)
        aim_buf_append(out, first->data, first->len);
    if (first && first->len && second->len)
        aim_buf_puts(out, ",");
    aim_buf_append(out, second->data, second->len);
    aim_buf_puts(out, "]");
}

void aimd_arrays_write(const aimd_arrays *first, const aimd_arrays *second, aim_buf *out)
{
    const aimd_arrays *f = first;
    aim_buf_puts(out, "{");
    write_array(out, "tokens", f ? &f->tokens : NULL, &second->tokens);
    aim_buf_puts(out, ",");
    write_array(out, "token_logprobs", f ? &f->token_logprobs : NULL, &second->token_logprobs);
    aim_buf_puts(out, ",");
    write_array(out, "top_logprobs", f ? &f->top_logprobs : NULL, &second->top_logprobs);
    aim_buf_puts(out, ",");
    write_array(out, "text_offset", f ? &f->text_offset : NULL, &second->text_offset);
    aim_buf_puts(out, "}");
}

void aimd_arrays_clear(aimd_arrays *a)
{
    aim_buf_clear(&a->tokens);
    aim_buf_clear(&a->token_logprobs);
    aim_buf_clear(&a->top_logprobs);
    aim_buf_clear(&a->text_offset);
}

void aimd_arrays_free(aimd_arrays *a)
{
    aim_buf_free(&a->tokens);
    aim_buf_free(&a->token_logprobs);
    aim_buf_free(&a->top_logprobs);
    aim_buf_free(&a->text_offset);
}

bool aimd_arrays_failed(const aimd_arrays *a)
{
    return a->tokens.failed || a->token_logprobs.failed || a->top_logprobs.failed ||
           a->text_offset.failed;
}

/* ---- chat --------------------------------------------------------------- */

/* "token":..,"logprob":..,"bytes":[..] */
static void write_chat_token(aim_buf *out, const aimd_token_style *style, int32_t id, float logprob)
{
    size_t len;
    const char *bytes = aim_tokenizer_bytes(style->tokenizer, id, &len);
    aim_buf_puts(out, "\"token\":");
    write_token(out, style, id);
    aim_buf_puts(out, ",\"logprob\":");
    aimd_json_logprob(out, logprob);
    aim_buf_puts(out, ",\"bytes\":[");
    for (size_t i = 0; i < len; i++)
        aim_buf_printf(out, i ? ",%u" : "%u", (unsigned)(unsigned char)bytes[i]);
    aim_buf_puts(out, "]");
}

void aimd_chat_logprob_add(aim_buf *list, const aimd_token_style *style, const aimd_scored *s)
{
    separate(list);
    aim_buf_puts(list, "{");
    write_chat_token(list, style, s->id, s->logprob);
    aim_buf_puts(list, ",\"top_logprobs\":[");
    for (int i = 0; i < s->n_top; i++) {
        aim_buf_puts(list, i ? ",{" : "{");
        write_chat_token(list, style, s->top[i].id, s->top[i].logprob);
        aim_buf_puts(list, "}");
    }
    aim_buf_puts(list, "]}");
}

/* ---- prompt_logprobs ---------------------------------------------------- */

static void write_prompt_token(aim_buf *out, const aimd_token_style *style, int32_t id,
                               float logprob, int rank)
{
    aim_buf_printf(out, "\"%d\":{\"logprob\":", (int)id);
    aimd_json_logprob(out, logprob);
    aim_buf_printf(out, ",\"rank\":%d,\"decoded_token\":", rank);
    write_token(out, style, id);
    aim_buf_puts(out, "}");
}

void aimd_prompt_logprob_add(aim_buf *list, const aimd_token_style *style, const aimd_scored *s)
{
    separate(list);
    aim_buf_puts(list, "{");
    write_prompt_token(list, style, s->id, s->logprob, s->rank);
    for (int i = 0; i < s->n_top; i++) {
        if (s->top[i].id == s->id)
            continue;
        aim_buf_puts(list, ",");
        write_prompt_token(list, style, s->top[i].id, s->top[i].logprob, i + 1);
    }
    aim_buf_puts(list, "}");
}
