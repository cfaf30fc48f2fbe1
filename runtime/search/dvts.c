/* SPDX-License-Identifier: Apache-2.0 */
/* dvts.c - diverse verifier tree search, as search-and-learn has it: best_of / beam_width
 * trees that do not compete. Each takes beam_width steps from where it is and goes on with
 * the best of them, until that one ends or has written down its answer; the last
 * beam_width of each tree are what it ends with. */
#include "config.h" /* memmem */

#include "search/search_impl.h"

#include "base/alloc.h"

#include <string.h>

static bool has_boxed_answer(const aim_buf *text)
{
    static const char mark[] = "boxed{";
    return text->len > 0 && memmem(text->data, text->len, mark, sizeof mark - 1) != NULL;
}

static bool is_leaf(const aim__slot *c)
{
    return !aim__candidate_open(c) || has_boxed_answer(&c->c.text);
}

/* Of the beam_width steps of a tree. */
static aim__slot *best_of_tree(const aim_search *s, int first)
{
    aim__slot *best = s->slots[first];
    for (int i = first + 1; i < first + s->o.beam_width; i++) {
        aim__slot *c = s->slots[i];
        if (aim__compare(c->c.reward, best->c.reward, c, best) < 0)
            best = c;
    }
    return best;
}

/* Its steps are candidates as they stand. */
static void end_tree(aim_search *s, int first)
{
    for (int i = first; i < first + s->o.beam_width; i++)
        if (aim__candidate_open(s->slots[i]))
            s->slots[i]->c.end = AIM_CANDIDATE_STOP;
}

/* Ends the trees that are done; *best: those that the others go on with. */
static int grow(aim_search *s, aim__slot **best)
{
    int n = 0;
    for (int i = 0; i < s->step_n; i += s->o.beam_width) {
        aim__slot *c = best_of_tree(s, s->step_first + i);
        if (is_leaf(c))
            end_tree(s, s->step_first + i);
        else
            best[n++] = c;
    }
    return n;
}

static void prune_siblings(aim_search *s, const aim__slot *best)
{
    int place = best->c.number - s->step_first;
    int first = best->c.number - place % s->o.beam_width;
    for (int i = first; i < first + s->o.beam_width; i++)
        if (s->slots[i] != best)
            aim__candidate_prune(s->slots[i]);
}

static int go_on(aim_search *s, aim__slot **best, int n, aim_error *err)
{
    int children = n * s->o.beam_width;
    if (aim__round_share(s, children) == 0)
        return aim__steps_cut_off(s, err);
    for (int i = 0; i < n; i++)
        prune_siblings(s, best[i]);
    return aim__steps_branch(s, best, n, children, err);
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
    aim__slot **best = aim_array((size_t)(s->step_n / s->o.beam_width), sizeof *best);
    if (!best)
        return aim_fail_nomem(err, "the trees of a search");
    int n = grow(s, best);
    code = n > 0 ? go_on(s, best, n, err) : aim__finish(s, err);
    aim_free(best);
    return code;
}

const aim__strategy aim__dvts = {"dvts", aim__steps_begin, decide};
