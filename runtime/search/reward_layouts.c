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
            .name = "rlhflow-outcome",
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
    [AIM_REWARD_MATH_SHEPHERD] =
        {
            .name = "math-shepherd",
            .has_steps = true,
            .language = true,
            .adds_bos = true,
            .tag_in_text = true,
            .keys = KEY(SEPARATOR) | KEY(TAG) | LABELS,
            .text = {[AIM__REWARD_SEPARATOR] = "\n",
                     [AIM__REWARD_TAG] = "ки",
                     [AIM__REWARD_POSITIVE] = "+",
                     [AIM__REWARD_NEGATIVE] = "-"},
            .prepare = aim__tagged_text_prepare,
            .head = aim__tagged_text_head,
            .lay_out = aim__tags_lay_out,
            .is_scored = aim__tags_is_scored,
            .score = aim__score_labels,
        },
    [AIM_REWARD_SKYWORK] =
        {
            .name = "skywork",
            .has_steps = true,
            .outputs = {1, 1},
            .line_by_line = true,
            .keys = KEY(SEPARATOR),
            .text = {[AIM__REWARD_SEPARATOR] = "\n"},
            .prepare = aim__lines_prepare,
            .head = aim__lines_head,
            .lay_out = aim__lines_lay_out,
            .is_scored = aim__tags_is_scored,
            .score = aim__score_sigmoid,
        },
    [AIM_REWARD_QWEN] =
        {
            .name = "qwen",
            .has_steps = true,
            .needs_chat = true,
            .outputs = {2, 2},
            .adds_bos = true,
            .keys = KEY(SEPARATOR) | KEY(TAG) | KEY(SYSTEM),
            .text = {[AIM__REWARD_SEPARATOR] = "\n\n",
                     [AIM__REWARD_TAG] = "<extra_0>",
                     [AIM__REWARD_SYSTEM] = "Please reason step by step, and put your final "
                                            "answer within \\boxed{}."},
            .prepare = aim__tagged_chat_prepare,
            .head = aim__chat_head,
            .lay_out = aim__tags_lay_out,
            .is_scored = aim__tags_is_scored,
            .score = aim__score_second,
        },
    [AIM_REWARD_CLASSIFIER] =
        {
            .name = "classifier",
            .needs_chat = true,
            .outputs = {1, 2},
            .adds_bos = true,
            .keys = KEY(SEPARATOR) | KEY(SYSTEM),
            .text = {[AIM__REWARD_SEPARATOR] = "\n\n"},
            .head = aim__chat_head,
            .lay_out = aim__classified_lay_out,
            .is_scored = aim__last_is_scored,
            .score = aim__score_class,
        },
    [AIM_REWARD_VERIFIER] =
        {
            .name = "verifier",
            .language = true,
            .adds_bos = true,
            .keys = KEY(SEPARATOR) | LABELS | KEY(TEMPLATE),
            .text = {[AIM__REWARD_SEPARATOR] = "\n\n",
                     [AIM__REWARD_POSITIVE] = " Yes",
                     [AIM__REWARD_NEGATIVE] = " No"},
            .prepare = aim__verified_prepare,
            .head = aim__verified_head,
            .lay_out = aim__verified_lay_out,
            .is_scored = aim__last_is_scored,
            .score = aim__score_labels,
        },
};

enum { N_LAYOUTS = sizeof aim__layouts / sizeof *aim__layouts };

int aim__layout_find(const char *name)
{
    for (int i = 0; i < N_LAYOUTS; i++)
        if (strcmp(aim__layouts[i].name, name) == 0)
            return i;
    return -1;
}

const char *aim_reward_layout_name(enum aim_reward_layout layout)
{
    return aim__layouts[layout].name;
}
