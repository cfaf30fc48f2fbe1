/* SPDX-License-Identifier: Apache-2.0 */
/* options_roles.c - what must hold between models that answer and models that score,
 * and of the defaults of searches among candidates. */
#include "server/options_table.h"

#include "search/search.h"
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
    return 0;
}

/* As a request meets the options that leaves them all out. */
static aim_search_options usual_search(const aimd_search_defaults *s, bool scored)
{
    aim_search_options search = {
        .kind = (enum aim_search_kind)aim_search_find(s->search),
        .best_of = s->best_of,
        .n = 1,
        .beam_width = s->beam_width,
        .scored = scored,
        .max_tokens = 1,
    };
    if (strcmp(s->select, "auto") != 0)
        search.select = (enum aim_select)aim_select_find(s->select);
    else
        search.select =
            search.kind == AIM_SEARCH_BEST_OF_N ? AIM_SELECT_LOGPROB : AIM_SELECT_REWARD;
    return search;
}

static int check_search(const aimd_options *o, const aimd_model_options *m, aim_error *err)
{
    aim_search_options search = usual_search(&m->search, find_reward(o, NULL));
    aim_error cause = {0};
    if (search.best_of > o->max_best_of)
        return aim_fail_param(err, AIM_EINVAL, "best_of",
                              "model %.128s: best_of is %d, more than max_best_of (%d)", m->id,
                              search.best_of, o->max_best_of);
    if (search.best_of == 1 || aim_search_options_check(&search, &cause) == 0)
        return 0;
    return aim_fail_param(err, cause.code, cause.param, "model %.128s: %s", m->id, cause.text);
}

static int check_separator(const aimd_model_options *m, aim_error *err)
{
    const char *text = m->search.step_separator;
    if (!text || (*text && strlen(text) <= AIMD_MAX_SEPARATOR_BYTES))
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "step_separator",
                          "model %.128s: step_separator has %zu bytes; it must have 1 to %d", m->id,
                          strlen(text), AIMD_MAX_SEPARATOR_BYTES);
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
                   : aim_fail_param(err, cause.code, "answer_pattern", "model %.128s: %s", m->id,
                                    cause.text);
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
            rc = check_search(o, m, err);
        if (rc == 0)
            rc = check_separator(m, err);
        if (rc == 0)
            rc = check_pattern(m, err);
    }
    return rc;
}
