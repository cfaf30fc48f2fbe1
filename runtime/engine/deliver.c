/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/deliver.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "engine/stop_match.h"

#include <string.h>

void aim__event_list_init(aim_event_list *l)
{
    l->head = NULL;
    l->tail = &l->head;
}

static void push(aim_event_list *l, aim_event *e)
{
    e->next = NULL;
    e->time_ns = aim_now_ns();
    *l->tail = e;
    l->tail = &e->next;
}

static void address(aim_event *e, enum aim_event_kind kind, const aim_sequence *q)
{
    e->kind = kind;
    e->user = q->group->request->user;
    e->prompt_index = q->group->request->prompt_index;
    e->candidate = q->candidate;
    e->stop_id = e->stop_string = -1;
}

void aim__end_sequence(aim_scheduler *s, aim_sequence *q, enum aim_finish finish,
                       const aim_error *error, aim_event_list *events)
{
    aim_event *e = q->last;
    q->last = NULL;
    address(e, AIM_EVENT_FINISH, q);
    e->finish = finish;
    e->error = error;
    push(events, e);
    aim__scheduler_end(s, q);
}

static void fail_sequence(aim_scheduler *s, aim_sequence *q, aim_event_list *events)
{
    static const aim_error no_memory = {.code = AIM_ENOMEM, .text = "out of memory: answer"};
    aim__end_sequence(s, q, AIM_FINISH_ABORT, &no_memory, events);
}

aim_event *aim__token_event(const aim_sequence *q)
{
    const aim_request *r = q->group->request;
    aim_event *e = aim__event_pool_take(q->group->events);
    if (!e)
        return NULL;
    address(e, AIM_EVENT_TOKEN, q);
    e->n_top = r->logprobs > 0 ? r->logprobs : 0;
    return e;
}

/* ---- does this token end the answer? ---------------------------------------- */

static bool contains(const int32_t *ids, size_t n, int32_t id)
{
    for (size_t i = 0; i < n; i++)
        if (ids[i] == id)
            return true;
    return false;
}

static int generated(const aim_sequence *q)
{
    return q->n_tokens - aim__request_prompt(q->group->request);
}

static void check_end(const aim_hf_config *config, const aim_sequence *q, aim_event *e)
{
    const aim_request *r = q->group->request;
    if (!r->sampling.ignore_eos && contains(config->eos, (size_t)config->n_eos, e->token)) {
        e->finish = AIM_FINISH_STOP;
    } else if (contains(r->sampling.stop_ids, r->sampling.n_stop_ids, e->token)) {
        e->finish = AIM_FINISH_STOP;
        e->stop_id = e->token;
    } else if (generated(q) >= r->max_tokens) {
        e->finish = AIM_FINISH_LENGTH;
    }
    e->hidden_token = e->finish == AIM_FINISH_STOP && !r->include_stop;
}

/* How many bytes of q->held may go out now. */
static size_t settle_text(aim_sequence *q, aim_event *e)
{
    const aim_request *r = q->group->request;
    const aim_buf *held = &q->held;
    if (r->n_stop == 0 || held->len == 0 || generated(q) < r->sampling.min_tokens)
        return held->len;
    size_t at;
    int which = aim__stop_find(held->data, held->len, r->stop, r->n_stop, &at);
    if (which >= 0) {
        e->finish = AIM_FINISH_STOP;
        e->stop_string = which;
        e->stop_id = -1;
        return r->include_stop ? at + strlen(r->stop[which]) : at;
    }
    if (e->finish != AIM_FINISH_NONE)
        return held->len;
    return held->len - aim__stop_holdback(held->data, held->len, r->stop, r->n_stop);
}

/* Add the text of the token to q->held; how many bytes of that may go out now. */
static size_t read_token(aim_sequence *q, aim_event *e)
{
    if (!e->hidden_token)
        aim_detok_push(&q->detok, e->token, &q->held);
    if (e->finish != AIM_FINISH_NONE)
        aim_detok_flush(&q->detok, &q->held);
    return q->held.failed ? 0 : settle_text(q, e);
}

/* ---- does it interrupt the answer? --------------------------------------------- */

/* The token's text is that of q->held from this byte on. What completed a separator begins
 * no other. */
static bool completes_separator(aim_sequence *q, size_t from)
{
    char *separator = q->group->request->separator;
    aim_buf *segment = &q->segment;
    size_t at;
    if (!separator)
        return false;
    aim_buf_append(segment, q->held.data + from, q->held.len - from);
    if (segment->failed)
        return false;
    if (aim__stop_find(segment->data, segment->len, &separator, 1, &at) >= 0) {
        aim_buf_clear(segment);
        return true;
    }
    size_t end = aim__stop_holdback(segment->data, segment->len, &separator, 1);
    aim_buf_consume(segment, segment->len - end);
    return false;
}

/* Interrupt an answer that goes on. */
static void check_segment(aim_sequence *q, size_t from, aim_event *e)
{
    const aim_request *r = q->group->request;
    bool separator = completes_separator(q, from);
    bool last = r->segment_tokens > 0 && q->n_tokens - r->n_tokens >= r->segment_tokens;
    if (e->finish != AIM_FINISH_NONE || !(separator || last))
        return;
    e->finish = AIM_FINISH_SEGMENT;
    e->at_separator = separator;
}

static bool take_text(aim_sequence *q, aim_event *e)
{
    size_t before = q->held.len, n = read_token(q, e);
    if (q->held.failed)
        return false;
    check_segment(q, before, e);
    size_t held = e->finish == AIM_FINISH_SEGMENT ? q->held.len - n : 0;
    if (q->segment.failed || !aim__event_set_text(e, q->held.data, n, held))
        return false;
    aim_buf_consume(&q->held, n);
    return true;
}

void aim__deliver_token(aim_scheduler *s, const aim_hf_config *config, aim_sequence *q,
                        int32_t token, aim_event *e, aim_event_list *events)
{
    q->tokens[q->n_tokens++] = token;
    if (!e) {
        fail_sequence(s, q, events);
        return;
    }
    e->token = token;
    check_end(config, q, e);
    if (!take_text(q, e)) {
        aim_event_free(e);
        fail_sequence(s, q, events);
        return;
    }
    push(events, e);
    if (e->finish != AIM_FINISH_NONE)
        aim__scheduler_end(s, q);
}

/* ---- the start ----------------------------------------------------------------- */

/* Read again what was answered before, without telling it: text that was held back then
 * is held back now, and so is the beginning of a separator. false without memory. */
static bool recall_answer(aim_sequence *q)
{
    const aim_request *r = q->group->request;
    for (q->n_tokens = aim__request_prompt(r); q->n_tokens < r->n_tokens;) {
        aim_event e = {.token = q->tokens[q->n_tokens++]};
        size_t before = q->held.len, told = read_token(q, &e);
        if (q->held.failed)
            return false;
        completes_separator(q, before);
        aim_buf_consume(&q->held, told);
    }
    return !q->segment.failed;
}

static bool prepare(aim_group *g)
{
    bool ok = aim__group_allocate(g);
    for (int i = 0; ok && i < g->request->n; i++)
        ok = recall_answer(&g->sequences[i]);
    return ok;
}

bool aim__deliver_start(aim_scheduler *s, aim_group *g, aim_event_list *events)
{
    aim_event *e = aim_calloc(1, sizeof *e);
    if (e && prepare(g)) {
        address(e, AIM_EVENT_START, &g->sequences[0]);
        e->queued_ns = g->started_ns - g->submitted_ns;
        push(events, e);
        return true;
    }
    aim_event_free(e);
    for (int i = 0; i < g->request->n; i++)
        fail_sequence(s, &g->sequences[i], events);
    return false;
}

/* ---- the prompt --------------------------------------------------------------- */

static void move_scores(aim_group *g, aim_event *e)
{
    if (!g->scores)
        return;
    e->n_scores = g->request->n_scores;
    e->score_width = g->score_width;
    e->scores = g->scores;
    g->scores = NULL;
}

static void move_prompt_logprobs(aim_group *g, aim_event *e)
{
    if (!g->prompt_logprob)
        return;
    e->n_prompt = g->request->n_tokens;
    e->n_prompt_top = g->request->prompt_logprobs;
    e->prompt_logprob = g->prompt_logprob;
    e->prompt_rank = g->prompt_rank;
    e->prompt_top = g->prompt_top;
    g->prompt_logprob = NULL;
    g->prompt_rank = NULL;
    g->prompt_top = NULL;
}

void aim__deliver_prompt(aim_scheduler *s, aim_group *g, aim_event_list *events)
{
    aim_event *e = aim_calloc(1, sizeof *e);
    if (e) {
        address(e, AIM_EVENT_PROMPT, &g->sequences[0]);
        e->cached_tokens = g->cached_tokens;
        e->queued_ns = g->started_ns - g->submitted_ns;
        move_prompt_logprobs(g, e);
        move_scores(g, e);
        push(events, e);
    }
    for (int i = 0; i < g->request->n; i++) {
        if (g->sequences[i].state == AIM_SEQ_ENDED)
            continue;
        if (!e)
            fail_sequence(s, &g->sequences[i], events);
        else if (g->request->max_tokens == 0)
            aim__end_sequence(s, &g->sequences[i], AIM_FINISH_LENGTH, NULL, events);
    }
}
