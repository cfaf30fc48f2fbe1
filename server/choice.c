/* SPDX-License-Identifier: Apache-2.0 */
#include "server/choice.h"

#include "server/utf8.h"

#include <string.h>

static int min_int(int a, int b)
{
    return a < b ? a : b;
}

/* ---- the prompt --------------------------------------------------------- */

/* Place i of the prompt, with at most n_top of the likeliest tokens. */
static aimd_scored prompt_place(const aimd_prompt *prompt, const aim_event *e, int i, int n_top)
{
    return (aimd_scored){
        .id = prompt->tokens[i],
        .logprob = e->prompt_logprob[i],
        .rank = e->prompt_rank[i],
        .top = e->prompt_top + (size_t)i * (size_t)e->n_prompt_top,
        .n_top = min_int(n_top, e->n_prompt_top),
    };
}

/* Characters behind the first `before` bytes. */
static size_t count_behind(const aim_buf *text, size_t before)
{
    return text->len > before ? aimd_utf8_count(text->data + before, text->len - before) : 0;
}

/* The prompt as text, and its logprobs if asked for. Tokens the tokenizer added
 * have no text, so that offsets count in what the client sent. */
static void fill_echo(aimd_prompt_part *p, const aimd_format *f, const aim_event *e)
{
    const aimd_prompt *prompt = p->prompt;
    int n_top = f->request->logprobs;
    bool scored = n_top >= 0 && e->prompt_logprob && e->n_prompt >= prompt->n_tokens;
    aim_detok detok;
    aim_detok_init(&detok, f->style.tokenizer, false);
    for (int i = 0; i < prompt->n_tokens; i++) {
        if (scored && i > 0) {
            aimd_scored place = prompt_place(prompt, e, i, n_top);
            aimd_arrays_add(&p->arrays, &f->style, &place, p->chars);
        } else if (n_top >= 0) {
            aimd_arrays_add_unscored(&p->arrays, &f->style, prompt->tokens[i], p->chars);
        }
        if (i < prompt->n_added)
            continue;
        size_t before = p->text.len;
        aim_detok_push(&detok, prompt->tokens[i], &p->text);
        p->chars += count_behind(&p->text, before);
    }
    size_t before = p->text.len;
    aim_detok_flush(&detok, &p->text);
    aim_detok_free(&detok);
    p->chars += count_behind(&p->text, before);
}

static void fill_prompt_logprobs(aimd_prompt_part *p, const aimd_format *f, const aim_event *e)
{
    int n_top = (int)f->request->params.prompt_logprobs;
    aim_buf_puts(&p->prompt_logprobs, "null");
    for (int i = 1; i < min_int(p->prompt->n_tokens, e->n_prompt); i++) {
        aimd_scored place = prompt_place(p->prompt, e, i, n_top);
        aimd_prompt_logprob_add(&p->prompt_logprobs, &f->style, &place);
    }
}

int aimd_prompt_part_fill(aimd_prompt_part *p, const aimd_format *f, const aim_event *e,
                          aim_error *err)
{
    if (f->request->params.echo)
        fill_echo(p, f, e);
    if (f->request->params.prompt_logprobs != AIMD_UNSET && e->prompt_logprob)
        fill_prompt_logprobs(p, f, e);
    if (p->text.failed || p->prompt_logprobs.failed || aimd_arrays_failed(&p->arrays))
        return aim_fail_nomem(err, "response");
    return AIM_OK;
}

void aimd_prompt_part_free(aimd_prompt_part *p)
{
    aim_buf_free(&p->text);
    aim_buf_free(&p->prompt_logprobs);
    aimd_arrays_free(&p->arrays);
}

/* ---- a choice ----------------------------------------------------------- */

void aimd_choice_init(aimd_choice *c, const aimd_format *f, int index)
{
    memset(c, 0, sizeof *c);
    c->index = index;
    c->stop_id = -1;
    c->stop_string = -1;
    aim_detok_init(&c->detok, f->style.tokenizer, f->request->params.skip_special);
    if (aimd_request_continues(f->request))
        aim_detok_continue(&c->detok);
}

static void add_logprobs(aimd_choice *c, const aimd_format *f, const aimd_prompt_part *part,
                         const aim_event *e)
{
    aimd_scored place = {.id = e->token,
                         .logprob = e->logprob,
                         .rank = e->rank,
                         .top = e->top,
                         .n_top = min_int(e->n_top, f->request->logprobs)};
    if (f->request->route == AIMD_CHAT) {
        aimd_chat_logprob_add(&c->chat_logprobs, &f->style, &place);
        return;
    }
    aimd_arrays_add(&c->arrays, &f->style, &place, part->chars + c->chars);
    aim_buf text = AIM_BUF_INIT;
    if (!e->hidden_token)
        aim_detok_push(&c->detok, e->token, &text);
    c->chars += aimd_utf8_count(text.data, text.len);
    c->arrays.tokens.failed = c->arrays.tokens.failed || text.failed;
    aim_buf_free(&text);
}

int aimd_choice_add(aimd_choice *c, const aimd_format *f, const aimd_prompt_part *part,
                    const aim_event *e, aim_error *err)
{
    bool stored = true;
    if (e->text_len)
        aim_buf_append(&c->text, e->text, e->text_len);
    if (e->kind == AIM_EVENT_TOKEN) {
        if (f->request->logprobs >= 0)
            add_logprobs(c, f, part, e);
        if (f->request->params.return_token_ids)
            stored = aim_ids_push(&c->ids, e->token);
    }
    if (e->finish != AIM_FINISH_NONE) {
        c->finish = e->finish;
        c->stop_id = e->stop_id;
        c->stop_string = e->stop_string;
    }
    if (!stored || c->text.failed || c->chat_logprobs.failed || aimd_arrays_failed(&c->arrays))
        return aim_fail_nomem(err, "response");
    return AIM_OK;
}

static bool copy_text(aim_buf *to, const aim_buf *from)
{
    *to = (aim_buf)AIM_BUF_INIT;
    aim_buf_append(to, from->data, from->len);
    return !to->failed;
}

static bool copy_arrays(aimd_arrays *to, const aimd_arrays *from)
{
    bool tokens = copy_text(&to->tokens, &from->tokens);
    bool logprobs = copy_text(&to->token_logprobs, &from->token_logprobs);
    bool top = copy_text(&to->top_logprobs, &from->top_logprobs);
    bool offsets = copy_text(&to->text_offset, &from->text_offset);
    return tokens && logprobs && top && offsets;
}

static bool copy_ids(aim_ids *to, const aim_ids *from)
{
    bool whole = true;
    *to = (aim_ids){0};
    for (size_t i = 0; i < from->n && whole; i++)
        whole = aim_ids_push(to, from->v[i]);
    return whole;
}

bool aimd_choice_copy(aimd_choice *to, const aimd_choice *from)
{
    *to = *from;
    bool text = copy_text(&to->text, &from->text);
    bool ids = copy_ids(&to->ids, &from->ids);
    bool arrays = copy_arrays(&to->arrays, &from->arrays);
    bool chat = copy_text(&to->chat_logprobs, &from->chat_logprobs);
    bool run = copy_text(&to->detok.run, &from->detok.run);
    return text && ids && arrays && chat && run;
}

void aimd_choice_sent(aimd_choice *c)
{
    c->started = true;
    c->ids.n = 0;
    aim_buf_clear(&c->text);
    aim_buf_clear(&c->chat_logprobs);
    aimd_arrays_clear(&c->arrays);
}

void aimd_choice_free(aimd_choice *c)
{
    aim_buf_free(&c->text);
    aim_detok_free(&c->detok);
    aim_ids_free(&c->ids);
    aimd_arrays_free(&c->arrays);
    aim_buf_free(&c->chat_logprobs);
}
