/* SPDX-License-Identifier: Apache-2.0 */
/* best_of_n.c - candidates that are sampled each on its own, all at once or in waves. */
#include "search/search_impl.h"

#include <limits.h>

static int smaller(int a, int b)
{
    return a < b ? a : b;
}

static int larger(int a, int b)
{
    return a > b ? a : b;
}

/* Tokens from `answered` on to the first border after `every` more at which the cache has
 * whole blocks. The last token is not in the cache yet: it is the next one's input. */
static int to_border(const aim_search *s, int answered)
{
    int64_t block = larger(s->o.block_tokens, 1);
    int64_t held = (int64_t)s->o.prompt_tokens + answered - 1;
    int64_t border = (held + s->o.early.every + block - 1) / block * block;
    return border - held < INT_MAX ? (int)(border - held) : INT_MAX;
}

static int round_tokens(const aim_search *s, int answered)
{
    return aim__early_rounds(&s->o.early) ? to_border(s, answered) : INT_MAX;
}

/* Candidates of the next wave: none is begun that the budget could not bring to its end. 0
 * when all were begun, or not one more fits. */
static int next_wave(const aim_search *s)
{
    int left = s->o.best_of - s->n_slots;
    int wave = s->o.early.wave > 0 ? larger(s->o.early.wave, s->o.n) : left;
    int n = smaller(wave, left);
    if (s->o.max_total_tokens == 0)
        return n;
    int64_t fit = (s->o.max_total_tokens - s->tokens) / s->o.max_tokens;
    return fit < n ? (int)fit : n;
}

static int begin_wave(aim_search *s, int n, aim_error *err)
{
    int code = aim__round_begin(s, n, err);
    return code ? code : aim__round_branch(s, NULL, n, round_tokens(s, 0), err);
}

static int begin(aim_search *s, aim_error *err)
{
    return begin_wave(s, next_wave(s), err);
}

static int go_on(aim_search *s, int open, aim_error *err)
{
    int code = aim__round_begin(s, open, err);
    for (int i = 0; code == 0 && i < s->n_slots; i++)
        if (aim__candidate_open(s->slots[i]))
            aim__round_go_on(s, s->slots[i], round_tokens(s, s->slots[i]->c.n_tokens));
    return code;
}

static int decide(aim_search *s, aim_error *err)
{
    bool decided = false;
    int code = aim__find_answers(s, err);
    if (code == 0)
        code = aim__early_decided(s, &decided, err);
    if (code == 0 && !decided)
        code = aim__early_reject(s, err);
    if (code != 0)
        return code;
    int open = aim__count(s, aim__candidate_open);
    int wave = next_wave(s);
    if (!decided && open > 0)
        return go_on(s, open, err);
    if (!decided && wave > 0)
        return begin_wave(s, wave, err);
    return aim__finish(s, err);
}

const aim__strategy aim__best_of_n = {"best_of_n", begin, decide};
