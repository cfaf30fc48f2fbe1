/* SPDX-License-Identifier: Apache-2.0 */
/* beam.c - beam search over steps, as search-and-learn has it: in each round best_of beams
 * take a step; those that come to an end are put aside, of the others the best
 * best_of / beam_width share the best_of places of the next round. */
#include "search/search_impl.h"

#include "base/alloc.h"

static void prune_from(aim__slot **list, int from, int n)
{
    for (int i = from; i < n; i++)
        aim__candidate_prune(list[i]);
}

/* The best of those put aside, best_of at most. */
static int finish(aim_search *s, aim_error *err)
{
    int n;
    aim__slot **list = aim__list(s, aim__candidate_finished, &n);
    if (!list)
        return aim_fail_nomem(err, "the beams of a search");
    aim__sort_by_reward(list, n);
    prune_from(list, s->o.best_of, n);
    aim_free(list);
    return aim__finish(s, err);
}

static int go_on(aim_search *s, aim__slot **open, int n, aim_error *err)
{
    int most = s->o.best_of / s->o.beam_width;
    int kept = n < most ? n : most;
    aim__sort_by_reward(open, n);
    prune_from(open, kept, n);
    aim__sort_by_number(open, kept);
    if (aim__round_share(s, s->o.best_of) == 0)
        return aim__steps_cut_off(s, err);
    return aim__steps_branch(s, open, kept, s->o.best_of, err);
}

static int decide(aim_search *s, aim_error *err)
{
    bool going;
    int code = aim__steps_complete(s, &going, err);
    if (code != 0 || going)
        return code;
    code = aim__need_rewards(s, err);
    if (code != 0)
        return code;
    int n;
    aim__slot **open = aim__list(s, aim__candidate_open, &n);
    if (!open)
        return aim_fail_nomem(err, "the beams of a search");
    code = n > 0 ? go_on(s, open, n, err) : finish(s, err);
    aim_free(open);
    return code;
}

const aim__strategy aim__beam = {"beam", aim__steps_begin, decide};
