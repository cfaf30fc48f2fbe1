/* SPDX-License-Identifier: Apache-2.0 */
/* candidate.c - one candidate: how it begins, and what is left when nobody needs it. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <math.h>
#include <string.h>

static const char *const end_names[] = {
    [AIM_CANDIDATE_OPEN] = "open",         [AIM_CANDIDATE_STOP] = "stop",
    [AIM_CANDIDATE_LENGTH] = "length",     [AIM_CANDIDATE_REJECTED] = "rejected",
    [AIM_CANDIDATE_UNNEEDED] = "unneeded", [AIM_CANDIDATE_PRUNED] = "pruned",
};

const char *aim_candidate_end_name(enum aim_candidate_end e)
{
    return end_names[e];
}

static bool copy_tokens(aim_candidate *to, const aim_candidate *from)
{
    if (from->n_tokens == 0)
        return true;
    if (!aim_grow(&to->tokens, &to->tokens_room, (size_t)from->n_tokens, sizeof *to->tokens))
        return false;
    memcpy(to->tokens, from->tokens, (size_t)from->n_tokens * sizeof *to->tokens);
    to->n_tokens = from->n_tokens;
    return true;
}

static bool copy_text(aim_buf *to, const aim_buf *from)
{
    if (from->len > 0)
        aim_buf_append(to, from->data, from->len);
    return !to->failed;
}

static bool copy_scores(aim_candidate *to, const aim_candidate *from)
{
    if (from->n_steps == 0)
        return true;
    to->step_scores = aim_array((size_t)from->n_steps, sizeof *to->step_scores);
    if (!to->step_scores)
        return false;
    memcpy(to->step_scores, from->step_scores, (size_t)from->n_steps * sizeof *to->step_scores);
    to->n_steps = from->n_steps;
    return true;
}

static bool copy(aim_candidate *to, const aim_candidate *from)
{
    to->parent = from->number;
    to->logprob_sum = from->logprob_sum;
    to->certainty_sum = from->certainty_sum;
    to->reward = from->reward;
    to->unscored = from->unscored;
    to->held = from->held;
    return copy_tokens(to, from) && copy_text(&to->text, &from->text) && copy_scores(to, from);
}

static aim__slot *new_slot(int number)
{
    aim__slot *c = aim_calloc(1, sizeof *c);
    if (!c)
        return NULL;
    c->c.number = number;
    c->c.parent = -1;
    c->c.reward = NAN;
    c->c.score = NAN;
    c->group = -1;
    c->scored_text = -1;
    return c;
}

aim__slot *aim__candidate_new(aim_search *s, const aim__slot *parent)
{
    if (!aim_grow(&s->slots, &s->slots_room, (size_t)s->n_slots + 1, sizeof *s->slots))
        return NULL;
    aim__slot *c = new_slot(s->n_slots);
    if (!c || (parent && !copy(&c->c, &parent->c))) {
        aim__candidate_free(c);
        return NULL;
    }
    c->own_text = c->c.text.len;
    s->slots[s->n_slots++] = c;
    return c;
}

static void forget(aim_candidate *c)
{
    aim_buf_free(&c->text);
    aim_buf_free(&c->answer);
    aim_buf_free(&c->canonical);
    aim_free(c->tokens);
    aim_free(c->step_scores);
    c->tokens = NULL;
    c->step_scores = NULL;
    c->held = 0;
    c->n_tokens = c->n_steps = 0;
    c->tokens_room = 0;
    c->has_answer = false;
}

void aim__candidate_prune(aim__slot *c)
{
    forget(&c->c);
    c->c.end = AIM_CANDIDATE_PRUNED;
}

void aim__candidate_free(aim__slot *c)
{
    if (!c)
        return;
    forget(&c->c);
    aim_free(c);
}

bool aim__candidate_finished(const aim__slot *c)
{
    return c->c.end == AIM_CANDIDATE_STOP || c->c.end == AIM_CANDIDATE_LENGTH;
}

bool aim__candidate_open(const aim__slot *c)
{
    return c->c.end == AIM_CANDIDATE_OPEN;
}

bool aim__candidate_stays(const aim__slot *c)
{
    return c->c.end != AIM_CANDIDATE_PRUNED;
}

int aim__count(const aim_search *s, bool (*is)(const aim__slot *c))
{
    int n = 0;
    for (int i = 0; i < s->n_slots; i++)
        n += is(s->slots[i]);
    return n;
}

aim__slot **aim__list(const aim_search *s, bool (*is)(const aim__slot *c), int *n)
{
    aim__slot **list = aim_array((size_t)s->n_slots, sizeof *list);
    *n = 0;
    for (int i = 0; list && i < s->n_slots; i++)
        if (is(s->slots[i]))
            list[(*n)++] = s->slots[i];
    return list;
}
