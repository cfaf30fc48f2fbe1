/* SPDX-License-Identifier: Apache-2.0 */
/* select.c - how candidates are compared: each on its own, or by votes for its answer. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the value of one ------------------------------------------------------------ */

static double mean_logprob(const aim_search *s, const aim_candidate *c)
{
    (void)s;
    return c->n_tokens > 0 ? c->logprob_sum / c->n_tokens : (double)NAN;
}

static double reward(const aim_search *s, const aim_candidate *c)
{
    (void)s;
    return c->reward;
}

static double one(const aim_search *s, const aim_candidate *c)
{
    (void)s;
    (void)c;
    return 1;
}

static double reward_weight(const aim_search *s, const aim_candidate *c)
{
    return isnan(c->reward) ? 0 : aim_reward_weight(c->reward, s->o.raw_rewards);
}

const aim__selector aim__selectors[] = {
    [AIM_SELECT_LOGPROB] = {"logprob", .value = mean_logprob},
    [AIM_SELECT_REWARD] = {"reward", .rewards = true, .value = reward},
    [AIM_SELECT_MAJORITY] = {"majority", .votes = true, .value = one},
    [AIM_SELECT_WEIGHTED] = {"weighted", .votes = true, .rewards = true, .value = reward_weight},
    [AIM_SELECT_SELF_CERTAINTY] = {"self_certainty", .votes = true},
};

int aim_select_find(const char *name)
{
    for (int i = 0; i < AIM__N_SELECTORS; i++)
        if (strcmp(aim__selectors[i].name, name) == 0)
            return i;
    return -1;
}

/* ---- answers ------------------------------------------------------------------------ */

static bool same(const aim_buf *a, const aim_buf *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

/* The group of its answer, a new one if nobody had it before; -1 when out of memory. */
static int find_group(aim_search *s, const aim_candidate *c)
{
    for (int i = 0; i < s->n_groups; i++)
        if (same(&s->slots[s->groups[i].example]->c.canonical, &c->canonical))
            return i;
    if (!aim_grow(&s->groups, &s->groups_room, (size_t)s->n_groups + 1, sizeof *s->groups))
        return -1;
    s->groups[s->n_groups] = (aim__group){.example = c->number};
    return s->n_groups++;
}

/* An answer of which the canonical form leaves nothing is none. */
static void extract(const aim_search *s, aim_candidate *c)
{
    if (c->text.len > 0 && aim_answer_extract(c->text.data, c->text.len, s->o.pattern, &c->answer))
        aim_answer_canonical(c->answer.data ? c->answer.data : "", c->answer.len, &c->canonical);
    c->has_answer = c->canonical.len > 0;
    if (!c->has_answer)
        aim_buf_clear(&c->answer);
}

int aim__find_answers(aim_search *s, aim_error *err)
{
    for (int i = 0; i < s->n_slots; i++) {
        aim__slot *c = s->slots[i];
        if (c->looked_at || !aim__candidate_finished(c))
            continue;
        extract(s, &c->c);
        c->group = c->c.has_answer ? find_group(s, &c->c) : -1;
        if (c->c.answer.failed || c->c.canonical.failed || (c->c.has_answer && c->group < 0))
            return aim_fail_nomem(err, "the answers of candidates");
        c->looked_at = true;
    }
    return 0;
}

/* ---- votes ---------------------------------------------------------------------------- */

static bool has_vote(const aim__slot *c)
{
    return c->group >= 0 && aim__candidate_stays(c);
}

static double certainty(const aim_candidate *c)
{
    return c->n_tokens > 0 ? c->certainty_sum / c->n_tokens : (double)NAN;
}

static int by_certainty(const void *a, const void *b)
{
    const aim__slot *x = *(aim__slot *const *)a, *y = *(aim__slot *const *)b;
    return aim__compare(certainty(&x->c), certainty(&y->c), x, y);
}

/* Borda votes: the more certain, the more. Those without an answer rank last, below
 * all votes that count. */
static int weigh_by_certainty(aim_search *s, aim_error *err)
{
    int n, finished = aim__count(s, aim__candidate_finished);
    aim__slot **list = aim__list(s, has_vote, &n);
    if (!list)
        return aim_fail_nomem(err, "the votes of candidates");
    qsort(list, (size_t)n, sizeof(aim__slot *), by_certainty);
    for (int rank = 1; rank <= n; rank++)
        list[rank - 1]->vote = sqrt(finished - rank + 1);
    aim_free(list);
    return 0;
}

int aim__count_votes(aim_search *s, aim_error *err)
{
    const aim__selector *how = &aim__selectors[s->o.select];
    int code = how->value ? 0 : weigh_by_certainty(s, err);
    if (code != 0)
        return code;
    for (int i = 0; i < s->n_groups; i++)
        s->groups[i].sum = 0;
    for (int i = 0; i < s->n_slots; i++) {
        aim__slot *c = s->slots[i];
        if (!has_vote(c))
            continue;
        if (how->value)
            c->vote = how->value(s, &c->c);
        s->groups[c->group].sum += c->vote;
    }
    return 0;
}
