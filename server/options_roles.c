/* SPDX-License-Identifier: Apache-2.0 */
/* options_roles.c - what must hold between models that answer and models that score,
 * and of the defaults of searches among candidates. */
#include "server/options_table.h"

#include "text/answer.h"

#include <string.h>

bool aimd_is_reward(const aimd_model_options *m)
{
    return m->role && strcmp(m->role, "reward") == 0;
}

/* The first reward model if id is NULL; NULL: there is no such model. */
static const aimd_model_options *find_reward(const aimd_options *o, const char *id)
{
    for (size_t i = 0; i < o->n_models; i++)
        if (id ? strcmp(o->models[i].id, id) == 0 : aimd_is_reward(&o->models[i]))
            return &o->models[i];
    return NULL;
}

static bool is_step_search(const aimd_search_defaults *s)
{
    return strcmp(s->search, "best_of_n") != 0;
}

/* Can it not choose among candidates without a reward model? */
static bool needs_reward(const aimd_search_defaults *s)
{
    bool by_reward = strcmp(s->select, "reward") == 0 || strcmp(s->select, "weighted") == 0;
    return s->best_of > 1 && (by_reward || is_step_search(s));
}

static int check_reward_model(const aimd_options *o, const aimd_model_options *m, aim_error *err)
{
    const char *id = m->search.reward_model;
    const aimd_model_options *reward = find_reward(o, id);
    if (id && !reward)
        return aim_fail_param(err, AIM_EINVAL, "reward_model",
                              "model %.128s: reward_model: there is no model called \"%.128s\"",
                              m->id, id);
    if (id && !aimd_is_reward(reward))
        return aim_fail_param(err, AIM_EINVAL, "reward_model",
                              "model %.128s: reward_model: the role of model %.128s is %s, not "
                              "reward",
                              m->id, id, reward->role);
    if (!reward && needs_reward(&m->search))
        return aim_fail_param(err, AIM_EINVAL, "reward_model",
                              "model %.128s: select and search as they are need a reward model, "
                              "and there is none",
                              m->id);
    return 0;
}

static int check_best_of(const aimd_options *o, const aimd_model_options *m, aim_error *err)
{
    const aimd_search_defaults *s = &m->search;
    if (s->best_of > o->max_best_of)
        return aim_fail_param(err, AIM_EINVAL, "best_of",
                              "model %.128s: best_of is %d, more than max_best_of (%d)", m->id,
                              s->best_of, o->max_best_of);
    if (is_step_search(s) && s->best_of > 1 && s->best_of % s->beam_width != 0)
        return aim_fail_param(err, AIM_EINVAL, "beam_width",
                              "model %.128s: beam_width (%d) must divide best_of (%d) with search "
                              "%s",
                              m->id, s->beam_width, s->best_of, s->search);
    return 0;
}

static int check_pattern(const aimd_model_options *m, aim_error *err)
{
    const char *text = m->search.answer_pattern;
    aim_error cause = {0};
    if (!text)
        return 0;
    aim_answer_pattern *pattern = aim_answer_pattern_new(text, strlen(text), &cause);
    aim_answer_pattern_free(pattern);
    return pattern ? 0
                   : aim_fail_param(err, cause.code, "answer_pattern",
                                    "model %.128s: answer_pattern: %s", m->id, cause.text);
}

int aimd__options_check_roles(const aimd_options *o, aim_error *err)
{
    int rc = 0;
    for (size_t i = 0; i < o->n_models && rc == 0; i++) {
        const aimd_model_options *m = &o->models[i];
        if (aimd_is_reward(m)) /* it is not asked for answers */
            continue;
        rc = check_reward_model(o, m, err);
        if (rc == 0)
            rc = check_best_of(o, m, err);
        if (rc == 0)
            rc = check_pattern(m, err);
    }
    return rc;
}
