/* SPDX-License-Identifier: Apache-2.0 */
/* rank.c - the order of candidates, in the middle of a search and at its end. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <math.h>
#include <stdlib.h>

int aim__compare(double a, double b, const aim__slot *x, const aim__slot *y)
{
    if (isnan(a) != isnan(b))
        return isnan(a) ? 1 : -1;
    if (a != b && !isnan(a))
        return a > b ? -1 : 1;
    return (x->c.number > y->c.number) - (x->c.number < y->c.number);
}

static int by_reward(const void *a, const void *b)
{
    const aim__slot *x = *(aim__slot *const *)a, *y = *(aim__slot *const *)b;
    return aim__compare(x->c.reward, y->c.reward, x, y);
}

void aim__sort_by_reward(aim__slot **c, int n)
{
    qsort(c, (size_t)n, sizeof(aim__slot *), by_reward);
}

static int by_number(const void *a, const void *b)
{
    const aim__slot *x = *(aim__slot *const *)a, *y = *(aim__slot *const *)b;
    return aim__compare(NAN, NAN, x, y);
}

void aim__sort_by_number(aim__slot **c, int n)
{
    qsort(c, (size_t)n, sizeof(aim__slot *), by_number);
}

/* ---- the end ------------------------------------------------------------------------ */

/* Finished ones come first: those with a score, those without, in a vote those without an
 * answer. */
enum rank_class { HAS_SCORE, HAS_NONE, HAS_NO_ANSWER, IS_UNFINISHED };

static double score(const aim_search *s, const aim__slot *c)
{
    const aim__selector *how = &aim__selectors[s->o.select];
    if (!how->votes)
        return how->value(s, &c->c);
    if (!aim__candidate_finished(c))
        return NAN;
    return c->group >= 0 ? s->groups[c->group].sum : 0;
}

static enum rank_class rank_class(const aim_search *s, const aim__slot *c)
{
    if (!aim__candidate_finished(c))
        return IS_UNFINISHED;
    if (aim__selectors[s->o.select].votes && !c->c.has_answer)
        return HAS_NO_ANSWER;
    return isnan(c->c.score) ? HAS_NONE : HAS_SCORE;
}

static int by_rank(const void *a, const void *b)
{
    const aim__slot *x = *(aim__slot *const *)a, *y = *(aim__slot *const *)b;
    if (x->rank_class != y->rank_class)
        return x->rank_class < y->rank_class ? -1 : 1;
    return aim__compare(x->c.score, y->c.score, x, y);
}

/* Nobody can be compared by a reward, and it was tried. */
static int could_not_be_scored(const aim_error *why, aim_error *err)
{
    return aim_fail_param(err, why->code, why->param, "no candidate could be scored: %.460s",
                          why->text);
}

int aim__need_rewards(const aim_search *s, aim_error *err)
{
    const aim_error *why = NULL;
    for (int i = 0; i < s->n_slots; i++) {
        const aim__slot *c = s->slots[i];
        if (!aim__candidate_finished(c) && !(s->step > 0 && aim__candidate_open(c)))
            continue;
        if (!isnan(c->c.reward))
            return 0;
        if (!why)
            why = c->c.unscored;
    }
    if (why)
        return could_not_be_scored(why, err);
    if (aim__count(s, aim__candidate_open) > 0)
        return 0; /* a step to be scored may come */
    return aim_fail(err, AIM_EINVAL, "no candidate has a step that could be scored");
}

static int list_ranking(aim_search *s, aim__slot **list, int n, aim_error *err)
{
    int room = n > s->o.n ? n : s->o.n;
    s->ranking = aim_array((size_t)room, sizeof *s->ranking);
    if (!s->ranking)
        return aim_fail_nomem(err, "the ranking of candidates");
    for (int i = 0; i < room; i++)
        s->ranking[i] = &list[i % n]->c;
    s->n_ranked = n;
    s->over = true;
    return 0;
}

static int rank(aim_search *s, aim_error *err)
{
    int n;
    aim__slot **list = aim__list(s, aim__candidate_stays, &n);
    if (!list)
        return aim_fail_nomem(err, "the ranking of candidates");
    for (int i = 0; i < n; i++) {
        list[i]->c.score = score(s, list[i]);
        list[i]->rank_class = rank_class(s, list[i]);
    }
    qsort(list, (size_t)n, sizeof(aim__slot *), by_rank);
    int code = list_ranking(s, list, n, err);
    aim_free(list);
    return code;
}

static void end_open(aim_search *s)
{
    for (int i = 0; i < s->n_slots; i++)
        if (aim__candidate_open(s->slots[i]))
            s->slots[i]->c.end = AIM_CANDIDATE_UNNEEDED;
}

int aim__finish(aim_search *s, aim_error *err)
{
    end_open(s);
    int code = 0;
    if (aim__selectors[s->o.select].rewards || s->step > 0)
        code = aim__need_rewards(s, err);
    if (code == 0)
        code = aim__find_answers(s, err);
    if (code == 0 && aim__selectors[s->o.select].votes)
        code = aim__count_votes(s, err);
    return code ? code : rank(s, err);
}
