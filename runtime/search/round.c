/* SPDX-License-Identifier: Apache-2.0 */
/* round.c - the work of a round: which candidates sample for how long, what is scored
 * then, and when all of it is done. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <limits.h>

/* Room for a segment and a score of each, so that nothing fails once they are under way. */
int aim__round_begin(aim_search *s, int candidates, aim_error *err)
{
    s->n_work = s->next_work = 0;
    s->round_texts = s->n_texts;
    size_t room = 2 * (size_t)candidates;
    bool good = aim_grow(&s->work, &s->work_room, room, sizeof *s->work) &&
                aim__texts_reserve(s, candidates);
    return good ? 0 : aim_fail_nomem(err, "the work of a search");
}

int aim__round_share(const aim_search *s, int candidates)
{
    if (s->o.max_total_tokens == 0)
        return INT_MAX;
    int64_t left = s->o.max_total_tokens - s->tokens;
    int64_t share = left > 0 ? left / candidates : 0;
    return share < INT_MAX ? (int)share : INT_MAX;
}

/* Text that was held back comes again with the tokens that follow. */
static void drop_held(aim_candidate *c)
{
    if (c->held == 0)
        return;
    c->text.len -= c->held;
    c->text.data[c->text.len] = '\0';
    c->held = 0;
}

/* Sample up to `tokens`, which may be more than its answer can have. */
static void wait_for_sample(aim_search *s, aim__slot *c, int tokens)
{
    drop_held(&c->c);
    c->stage = AIM__TO_SAMPLE;
    c->segment = tokens < s->o.max_tokens - c->c.n_tokens ? tokens : 0;
    c->segment_taken = 0;
    c->cut = false;
    s->under_way++;
}

static void add_samples(aim_search *s, const aim__slot *first, int n)
{
    s->work[s->n_work++] = (aim_search_work){
        .task = AIM_TASK_SAMPLE,
        .number = first->c.number,
        .n = n,
        .segment_tokens = first->segment,
        .to_separator = s->step > 0 && s->step < s->o.max_steps,
        .max_tokens = s->o.max_tokens,
    };
}

int aim__round_branch(aim_search *s, const aim__slot *parent, int n, int tokens, aim_error *err)
{
    int first = s->n_slots;
    for (int i = 0; i < n; i++) {
        aim__slot *c = aim__candidate_new(s, parent);
        if (!c)
            return aim_fail_nomem(err, "the candidates of a search");
        wait_for_sample(s, c, tokens);
    }
    add_samples(s, s->slots[first], n);
    return 0;
}

void aim__round_go_on(aim_search *s, aim__slot *c, int tokens)
{
    wait_for_sample(s, c, tokens);
    add_samples(s, c, 1);
}

/* ---- what was done -------------------------------------------------------------- */

static bool is_step_search(const aim_search *s)
{
    return s->step > 0;
}

static enum aim_candidate_end end_of(const aim_search *s, const aim__slot *c, enum aim_sampled how)
{
    if (how == AIM_SAMPLED_STOP)
        return AIM_CANDIDATE_STOP;
    if (how == AIM_SAMPLED_LENGTH || c->c.n_tokens >= s->o.max_tokens)
        return AIM_CANDIDATE_LENGTH;
    return AIM_CANDIDATE_OPEN;
}

/* Segments without a token, or steps without text, could follow each other without end. */
static bool is_empty(const aim_search *s, const aim__slot *c)
{
    bool no_text = is_step_search(s) && !c->cut && c->c.text.len == c->own_text;
    return c->segment_taken == 0 || no_text;
}

/* Open ones have steps to be compared by in a step search and where some are rejected. */
static bool wants_score(const aim_search *s, const aim__slot *c)
{
    bool compared = is_step_search(s) || s->o.early.reject > 0;
    return s->o.scored && !c->c.unscored &&
           (c->c.end != AIM_CANDIDATE_OPEN || (compared && !c->cut));
}

void aim__round_done(aim_search *s, aim__slot *c)
{
    c->stage = AIM__IDLE;
    s->under_way--;
}

/* Somebody else's scores of the same text are its own. */
static void wait_for_score(aim_search *s, aim__slot *c)
{
    if (!aim__texts_add(s, c)) {
        aim__round_done(s, c);
        return;
    }
    c->stage = AIM__TO_SCORE;
    s->work[s->n_work++] = (aim_search_work){
        .task = AIM_TASK_SCORE,
        .number = c->c.number,
        .n = 1,
        .max_tokens = s->o.max_tokens,
        .first_step = s->o.step_rewards ? c->c.n_steps : 0,
    };
}

void aim__round_sampled(aim_search *s, aim__slot *c, enum aim_sampled how)
{
    c->c.end = end_of(s, c, how);
    c->cut = aim__candidate_open(c) && is_step_search(s) && how == AIM_SAMPLED_SEGMENT;
    if (aim__candidate_open(c) && is_empty(s, c))
        c->c.end = AIM_CANDIDATE_STOP;
    if (wants_score(s, c))
        wait_for_score(s, c);
    else
        aim__round_done(s, c);
}

void aim__round_cut_off(aim_search *s, aim__slot *c)
{
    c->c.end = AIM_CANDIDATE_LENGTH;
    if (!wants_score(s, c))
        return;
    s->under_way++;
    wait_for_score(s, c);
}
