/* SPDX-License-Identifier: Apache-2.0 */
/* search.c - what others see of a search: its life, and work that goes out and comes
 * back. What is decided stands in the file of each strategy. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <string.h>

enum { ROUND_TOKENS = 32 }; /* where early_stop does not say */

static const aim__strategy *const strategies[] = {
    [AIM_SEARCH_BEST_OF_N] = &aim__best_of_n,
    [AIM_SEARCH_BEAM] = &aim__beam,
    [AIM_SEARCH_DVTS] = &aim__dvts,
};

int aim_search_find(const char *name)
{
    for (int i = 0; i < (int)(sizeof strategies / sizeof *strategies); i++)
        if (strcmp(strategies[i]->name, name) == 0)
            return i;
    return -1;
}

/* ---- life --------------------------------------------------------------------------- */

static void set_usual_values(aim_search_options *o)
{
    if (o->max_steps == 0)
        o->max_steps = AIM_SEARCH_STEPS;
    if (o->early.every == 0)
        o->early.every = ROUND_TOKENS;
}

aim_search *aim_search_new(const aim_search_options *options, aim_error *err)
{
    if (aim_search_options_check(options, err) != 0)
        return NULL;
    aim_search *s = aim_calloc(1, sizeof *s);
    if (!s) {
        aim_fail_nomem(err, "a search");
        return NULL;
    }
    s->o = *options;
    set_usual_values(&s->o);
    s->strategy = strategies[options->kind];
    if (s->strategy->begin(s, err) == 0)
        return s;
    aim_search_free(s);
    return NULL;
}

void aim_search_free(aim_search *s)
{
    if (!s)
        return;
    for (int i = 0; i < s->n_slots; i++)
        aim__candidate_free(s->slots[i]);
    aim_free(s->slots);
    aim_free(s->work);
    aim__texts_free(s);
    aim_free(s->groups);
    aim_free(s->ranking);
    aim_free(s);
}

/* ---- work --------------------------------------------------------------------------- */

aim_search_work aim_search_next(aim_search *s)
{
    if (s->failed || s->next_work == s->n_work)
        return (aim_search_work){.task = AIM_TASK_NONE};
    aim_search_work w = s->work[s->next_work++];
    for (int i = w.number; i < w.number + w.n; i++)
        s->slots[i]->stage = w.task == AIM_TASK_SAMPLE ? AIM__SAMPLING : AIM__SCORING;
    return w;
}

/* The candidate, if that is what it does; else NULL. */
static aim__slot *find(const aim_search *s, int number, enum aim__stage stage)
{
    bool there = !s->failed && number >= 0 && number < s->n_slots;
    return there && s->slots[number]->stage == stage ? s->slots[number] : NULL;
}

bool aim_search_token(aim_search *s, int number, int32_t token, const char *text, size_t len,
                      double logprob, double certainty)
{
    aim__slot *slot = find(s, number, AIM__SAMPLING);
    if (!slot)
        return true;
    aim_candidate *c = &slot->c;
    if (!aim_grow(&c->tokens, &c->tokens_room, (size_t)c->n_tokens + 1, sizeof *c->tokens))
        return false;
    aim_buf_append(&c->text, text, len);
    if (c->text.failed)
        return false;
    c->tokens[c->n_tokens++] = token;
    c->sampled++;
    c->logprob_sum += logprob;
    c->certainty_sum += certainty;
    slot->segment_taken++;
    s->tokens++;
    return true;
}

bool aim_search_held(aim_search *s, int number, const char *text, size_t len)
{
    aim__slot *slot = find(s, number, AIM__SAMPLING);
    if (!slot || len == 0)
        return true;
    aim_buf_append(&slot->c.text, text, len);
    if (slot->c.text.failed)
        return false;
    slot->c.held += len;
    return true;
}

void aim_search_sampled(aim_search *s, int number, enum aim_sampled how)
{
    aim__slot *c = find(s, number, AIM__SAMPLING);
    if (c)
        aim__round_sampled(s, c, how);
}

bool aim_search_scored(aim_search *s, int number, const float *scores, int n)
{
    aim__slot *c = find(s, number, AIM__SCORING);
    if (!c)
        return true;
    if (!aim__texts_scored(s, c, scores, n))
        return false;
    aim__round_done(s, c);
    return true;
}

bool aim_search_not_scored(aim_search *s, int number, const aim_error *why)
{
    aim__slot *c = find(s, number, AIM__SCORING);
    if (!c)
        return true;
    if (!aim__texts_failed(s, c, why))
        return false;
    aim__round_done(s, c);
    return true;
}

/* ---- decisions ------------------------------------------------------------------------ */

bool aim_search_wants_decision(const aim_search *s)
{
    return !s->over && !s->failed && s->under_way == 0;
}

int aim_search_decide(aim_search *s, aim_error *err)
{
    /* Where candidates end without more work, the next decision follows at once. */
    while (aim_search_wants_decision(s)) {
        int code = aim__texts_take_scores(s, err);
        if (code == 0)
            code = s->strategy->decide(s, err);
        if (code != 0) {
            s->failed = true;
            return code;
        }
    }
    return 0;
}

/* ---- the end ----------------------------------------------------------------------------- */

bool aim_search_is_over(const aim_search *s)
{
    return s->over;
}

const aim_candidate *const *aim_search_ranking(const aim_search *s, int *count)
{
    *count = s->n_ranked;
    return s->ranking;
}

int aim_search_count(const aim_search *s)
{
    return s->n_slots;
}

const aim_candidate *aim_search_candidate(const aim_search *s, int number)
{
    return number >= 0 && number < s->n_slots ? &s->slots[number]->c : NULL;
}

int64_t aim_search_tokens(const aim_search *s)
{
    return s->tokens;
}
