/* SPDX-License-Identifier: Apache-2.0 */
/* reward_layouts.c - the layouts, a row each. Defaults are those of the published models. */
#include "search/reward_impl.h"

#include <string.h>

#define KEY(name) (1u << AIM__REWARD_##name)
#define LABELS (KEY(POSITIVE) | KEY(NEGATIVE))

const struct aim__layout aim__layouts[] = {
    [AIM_REWARD_RLHFLOW] =
        {
            .name = "rlhflow",
            .has_steps = true,
            .needs_chat = true,
            .language = true,
            .keys = KEY(SEPARATOR) | LABELS | KEY(SYSTEM),
            .text = {[AIM__REWARD_SEPARATOR] = "\n\n",
                     [AIM__REWARD_POSITIVE] = "+",
                     [AIM__REWARD_NEGATIVE] = "-"},
            .prepare = aim__turns_prepare,
            .head = aim__turns_head,
            .lay_out = aim__turns_lay_out,
            .is_scored = aim__turns_is_scored,
            .score = aim__score_labels,
        },
    [AIM_REWARD_RLHFLOW_OUTCOME] =
        {
            .name = "rlhflow_outcome",
            .needs_chat = true,
            .language = true,
            .keys = KEY(SEPARATOR) | LABELS | KEY(SYSTEM),
            .text = {[AIM__REWARD_SEPARATOR] = "\n\n",
                     [AIM__REWARD_POSITIVE] = "+",
                     [AIM__REWARD_NEGATIVE] = "-"},
            .prepare = aim__turns_prepare,
            .head = aim__turns_head,
            .lay_out = aim__turn_lay_out,
            .is_scored = aim__turns_is_scored,
            .score = aim__score_labels,
        },
};

enum { N_LAYOUTS = sizeof aim__layouts / sizeof *aim__layouts };

int aim__layout_find(const char *name)
{
    for (int i = 0; i < N_LAYOUTS; i++)
        if (aim__layouts[i].name && strcmp(aim__layouts[i].name, name) == 0)
            return i;
    return -1;
}

const char *aim_reward_layout_name(enum aim_reward_layout layout)
{
    return aim__layouts[layout].name;
}
