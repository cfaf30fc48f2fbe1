/* SPDX-License-Identifier: Apache-2.0 */
/* early_stop.c - when it is known who wins, and who cannot win any more. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <math.h>

bool aim__early_rounds(const aim_early_stop *e)
{
    return e->vote > 0 || e->has_score || e->reject > 0;
}

/* ---- votes that are decided --------------------------------------------------------- */

/* By symmetry of the binomial coefficients the closed form
 *     2^-n sum_{k <= most} C(n, k),  n = most + second + 1,
 * is 1 - 2^-n sum_{k <= second} C(n, k), which needs few terms. Halved as it grows, each
 * stays in range; numbers up to 2^53 are exact. */
double aim__lead_probability(int most, int second)
{
    int n = most + second + 1, halvings = 0;
    double term = 1; /* C(n, second) / 2^halvings */
    for (int i = 1; i <= second; i++) {
        term = term * (n - second + i) / i;
        for (; term > 1 && halvings < n; halvings++)
            term /= 2;
    }
    for (; halvings < n; halvings++)
        term /= 2;
    double sum = 0;
    for (int k = second; k >= 0; k--) {
        sum += term;
        term = term * k / (n - k + 1);
    }
    return 1 - sum;
}

/* The two highest sums of votes. */
static void leaders(const aim_search *s, double *most, double *second)
{
    *most = *second = 0;
    for (int i = 0; i < s->n_groups; i++) {
        double sum = s->groups[i].sum;
        if (sum > *most) {
            *second = *most;
            *most = sum;
        } else if (sum > *second) {
            *second = sum;
        }
    }
}

/* A vote weighs at most one. */
static bool vote_certain(const aim_search *s)
{
    double most, second;
    leaders(s, &most, &second);
    int to_come = s->o.best_of - s->n_slots + aim__count(s, aim__candidate_open);
    return most - second > to_come;
}

/* Votes are draws in order of the candidates' numbers: in order of their ends short answers
 * would be drawn first. */
static void count_draws(aim_search *s)
{
    for (int i = 0; i < s->n_groups; i++)
        s->groups[i].sum = 0;
    for (int i = 0; i < s->n_slots && !aim__candidate_open(s->slots[i]); i++)
        if (s->slots[i]->group >= 0)
            s->groups[s->slots[i]->group].sum++;
}

static bool vote_likely(aim_search *s)
{
    if (s->o.early.vote >= 1)
        return false;
    double most, second;
    count_draws(s);
    leaders(s, &most, &second);
    return aim__lead_probability((int)most, (int)second) >= s->o.early.vote;
}

/* ---- a reward that is high enough --------------------------------------------------- */

static bool score_reached(const aim_search *s)
{
    for (int i = 0; i < s->n_slots; i++)
        if (aim__candidate_finished(s->slots[i]) && s->slots[i]->c.reward >= s->o.early.score)
            return true;
    return false;
}

int aim__early_decided(aim_search *s, bool *decided, aim_error *err)
{
    const aim_early_stop *e = &s->o.early;
    *decided = false;
    if (aim__count(s, aim__candidate_finished) < s->o.n)
        return 0;
    if (e->vote > 0) {
        int code = aim__count_votes(s, err);
        if (code != 0)
            return code;
        *decided = vote_certain(s) || vote_likely(s);
    }
    *decided |= e->has_score && score_reached(s);
    return 0;
}

/* ---- falling behind -------------------------------------------------------------------- */

static bool in_the_race(const aim__slot *c)
{
    return c->c.end != AIM_CANDIDATE_REJECTED;
}

static bool has_old_score(const aim__slot *c)
{
    return aim__candidate_open(c) && !c->scored_anew && !c->c.unscored;
}

/* Has every open candidate that can be scored a further step since the last time? Those that
 * were the best of many by one step would else be compared by it again, and halved again. */
static bool may_compare(aim_search *s)
{
    if (aim__count(s, has_old_score) > 0)
        return false;
    for (int i = 0; i < s->n_slots; i++)
        s->slots[i]->scored_anew = false;
    return true;
}

int aim__early_reject(aim_search *s, aim_error *err)
{
    if (s->o.early.reject <= 0 || !may_compare(s))
        return 0;
    int n;
    aim__slot **list = aim__list(s, in_the_race, &n);
    if (!list)
        return aim_fail_nomem(err, "the candidates of a search");
    aim__sort_by_reward(list, n);
    int kept = (int)((1 - s->o.early.reject) * n + 0.5);
    for (int i = kept > s->o.n ? kept : s->o.n; i < n; i++)
        if (aim__candidate_open(list[i]) && !isnan(list[i]->c.reward))
            list[i]->c.end = AIM_CANDIDATE_REJECTED;
    aim_free(list);
    return 0;
}
