/* SPDX-License-Identifier: Apache-2.0 */
/* step_search.c - rounds of one step each, which beam and dvts have in common. */
#include "search/search_impl.h"

#include "base/alloc.h"

static bool is_cut(const aim__slot *c)
{
    return c->cut && aim__candidate_open(c);
}

static int next_step(aim_search *s, int children, aim_error *err)
{
    s->step++;
    s->step_first = s->n_slots;
    s->step_n = children;
    return aim__round_begin(s, children, err);
}

int aim__steps_begin(aim_search *s, aim_error *err)
{
    int n = s->o.best_of;
    int code = next_step(s, n, err);
    return code ? code : aim__round_branch(s, NULL, n, aim__round_share(s, n), err);
}

int aim__steps_cut_off(aim_search *s, aim_error *err)
{
    int code = aim__round_begin(s, aim__count(s, aim__candidate_open), err);
    for (int i = s->step_first; code == 0 && i < s->n_slots; i++)
        if (aim__candidate_open(s->slots[i]))
            aim__round_cut_off(s, s->slots[i]);
    return code;
}

int aim__steps_complete(aim_search *s, bool *going, aim_error *err)
{
    int n = aim__count(s, is_cut);
    *going = n > 0;
    if (n == 0)
        return 0;
    int share = aim__round_share(s, n);
    int code = aim__round_begin(s, n, err);
    for (int i = s->step_first; code == 0 && i < s->n_slots; i++) {
        if (!is_cut(s->slots[i]))
            continue;
        if (share > 0)
            aim__round_go_on(s, s->slots[i], share);
        else
            aim__round_cut_off(s, s->slots[i]);
    }
    return code;
}

int aim__steps_branch(aim_search *s, aim__slot **parents, int n, int children, aim_error *err)
{
    int share = aim__round_share(s, children);
    int code = next_step(s, children, err);
    for (int i = 0; code == 0 && i < n; i++)
        code = aim__round_branch(s, parents[i], children / n + (i < children % n), share, err);
    for (int i = 0; code == 0 && i < n; i++)
        aim__candidate_prune(parents[i]);
    return code;
}
