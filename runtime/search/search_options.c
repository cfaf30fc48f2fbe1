/* SPDX-License-Identifier: Apache-2.0 */
/* search_options.c - which options of a search go together. */
#include "search/search_impl.h"

#include <math.h>

static int check_numbers(const aim_search_options *o, aim_error *err)
{
    if (o->best_of < 1 || o->best_of > AIM_MAX_BEST_OF)
        return aim_fail_param(err, AIM_EINVAL, "best_of", "best_of is %d, not 1 to %d", o->best_of,
                              AIM_MAX_BEST_OF);
    if (o->n < 1 || o->n > o->best_of)
        return aim_fail_param(err, AIM_EINVAL, "best_of", "best_of is %d, below n, which is %d",
                              o->best_of, o->n);
    if (o->max_tokens < 1)
        return aim_fail_param(err, AIM_EINVAL, "max_tokens",
                              "max_tokens is %d: candidates need at least 1", o->max_tokens);
    return 0;
}

/* The answers that are wanted must fit whole; of a step search a token of each. */
static int check_budget(const aim_search_options *o, aim_error *err)
{
    bool whole = o->kind == AIM_SEARCH_BEST_OF_N;
    int64_t least = whole ? (int64_t)o->n * o->max_tokens : o->best_of;
    if (o->max_total_tokens == 0 || o->max_total_tokens >= least)
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "max_total_tokens",
                          "max_total_tokens is %lld, less than %s, which is %lld",
                          (long long)o->max_total_tokens, whole ? "n times max_tokens" : "best_of",
                          (long long)least);
}

static int check_steps(const aim_search_options *o, aim_error *err)
{
    if (o->kind == AIM_SEARCH_BEST_OF_N)
        return 0;
    if (!o->scored)
        return aim_fail_param(err, AIM_EINVAL, "search", "beam and dvts need a reward model");
    if (o->beam_width < 1 || o->best_of % o->beam_width != 0)
        return aim_fail_param(err, AIM_EINVAL, "beam_width",
                              "best_of is %d, not a multiple of beam_width, which is %d",
                              o->best_of, o->beam_width);
    if (o->max_steps < 0 || o->max_steps > AIM_SEARCH_STEPS)
        return aim_fail_param(err, AIM_EINVAL, "search", "%d steps are not 1 to %d", o->max_steps,
                              AIM_SEARCH_STEPS);
    return 0;
}

static int check_vote(const aim_search_options *o, aim_error *err)
{
    double p = o->early.vote;
    if (p == 0)
        return 0;
    if (!(p > 0.5 && p <= 1))
        return aim_fail_param(err, AIM_EINVAL, "early_stop.vote",
                              "early_stop.vote is %g, not above 0.5 and at most 1", p);
    if (o->select != AIM_SELECT_MAJORITY && o->select != AIM_SELECT_WEIGHTED)
        return aim_fail_param(err, AIM_EINVAL, "early_stop.vote",
                              "early_stop.vote needs select majority or weighted");
    if (o->select == AIM_SELECT_WEIGHTED && p < 1)
        return aim_fail_param(err, AIM_EINVAL, "early_stop.vote",
                              "early_stop.vote below 1 needs select majority");
    return 0;
}

static int check_rewards(const aim_search_options *o, aim_error *err)
{
    const aim_early_stop *e = &o->early;
    if (e->has_score && !isfinite(e->score))
        return aim_fail_param(err, AIM_EINVAL, "early_stop.score",
                              "early_stop.score is not a number");
    if (!(e->reject >= 0 && e->reject < 1))
        return aim_fail_param(err, AIM_EINVAL, "early_stop.reject",
                              "early_stop.reject is %g, not a share below 1", e->reject);
    if ((e->has_score || e->reject > 0) && !o->scored)
        return aim_fail_param(err, AIM_EINVAL, "early_stop",
                              "early_stop.score and early_stop.reject need a reward model");
    return 0;
}

static int check_early_stop(const aim_search_options *o, aim_error *err)
{
    const aim_early_stop *e = &o->early;
    bool any = e->vote != 0 || e->has_score || e->reject != 0 || e->every != 0 || e->wave != 0;
    if (any && o->kind != AIM_SEARCH_BEST_OF_N)
        return aim_fail_param(err, AIM_EINVAL, "early_stop", "early_stop needs search best_of_n");
    if (e->every < 0 || e->wave < 0)
        return aim_fail_param(err, AIM_EINVAL,
                              e->every < 0 ? "early_stop.every" : "early_stop.wave",
                              "early_stop: every and wave are not below 0");
    int code = check_vote(o, err);
    return code ? code : check_rewards(o, err);
}

static int check_select(const aim_search_options *o, aim_error *err)
{
    const aim__selector *how = &aim__selectors[o->select];
    if (how->rewards && !o->scored)
        return aim_fail_param(err, AIM_EINVAL, "select", "select %s needs a reward model",
                              how->name);
    if (how->votes && o->early.vote > 0 && how->rewards && o->raw_rewards)
        return aim_fail_param(err, AIM_EINVAL, "early_stop.vote",
                              "early_stop.vote with select %s needs a reward model whose scores "
                              "are probabilities",
                              how->name);
    return 0;
}

int aim_search_options_check(const aim_search_options *o, aim_error *err)
{
    static int (*const checks[])(const aim_search_options *, aim_error *) = {
        check_numbers, check_budget, check_steps, check_early_stop, check_select};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
        int code = checks[i](o, err);
        if (code != 0)
            return code;
    }
    return 0;
}
