/* SPDX-License-Identifier: Apache-2.0 */
/* reward_recognise.c - which layout a model has that does not say so. A head of rewards
 * tells by its shape; of causal language models nothing but their names does. */
#include "search/reward_impl.h"

#include <string.h>
#include <strings.h>

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Does the word stand in the name, whatever the case, with no letter beside it? ("orm" is
 * in Llama3.1-8B-ORM-Deepseek-Data and not in transformer.) */
static bool has_word(const char *name, const char *word)
{
    size_t n = strlen(word);
    for (const char *s = name; *s; s++)
        if (strncasecmp(s, word, n) == 0 && (s == name || !is_letter(s[-1])) && !is_letter(s[n]))
            return true;
    return false;
}

static enum aim_reward_layout of_language_model(const char *name)
{
    if (has_word(name, "math-shepherd"))
        return AIM_REWARD_MATH_SHEPHERD;
    if (has_word(name, "orm") || has_word(name, "outcome"))
        return AIM_REWARD_RLHFLOW_OUTCOME;
    return AIM_REWARD_RLHFLOW;
}

enum aim_reward_layout aim__reward_recognise(const char *name, const aim_hf_config *config)
{
    if (config->head == AIM_HEAD_LANGUAGE)
        return of_language_model(name);
    if (config->value_head)
        return AIM_REWARD_SKYWORK;
    bool process = config->head == AIM_HEAD_MLP && config->head_outputs == 2;
    return process ? AIM_REWARD_QWEN : AIM_REWARD_CLASSIFIER;
}
