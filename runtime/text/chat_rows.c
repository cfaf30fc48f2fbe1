/* SPDX-License-Identifier: Apache-2.0 */
#include "text/chat_rows.h"

#include <string.h>

/* Turns that name their role: the ones everybody has, and with "tool". */
#define NAMED(open, middle, close)                                                                 \
    [AIM__SYSTEM] = {open "system" middle, close}, [AIM__USER] = {open "user" middle, close},      \
    [AIM__ASSISTANT] = {open "assistant" middle, close}
#define ANY_ROLE(open, middle, close)                                                              \
    NAMED(open, middle, close), [AIM__TOOL] = {open "tool" middle, close}

#define LLAMA_3 "<|start_header_id|>", "<|end_header_id|>\n\n", "<|eot_id|>"
#define CHATML "<|im_start|>", "\n", "<|im_end|>\n"
#define PHI_4 "<|im_start|>", "<|im_sep|>", "<|im_end|>"
#define ROLE_TAGS "<|", "|>\n", "<|end|>\n"
#define ZEPHYR "<|", "|>\n", AIM__EOS "\n"
/* The macros above hold three arguments each; this spreads them. */
#define SPREAD(macro, arguments) macro(arguments)

#define LLAMA_3_OPENING "<|start_header_id|>assistant<|end_header_id|>\n\n"
#define CHATML_OPENING "<|im_start|>assistant\n"

/* Templates of 2024-07 and later write today's date when they are run, so that
 * the same request has another prompt every day. Here it is always the date that
 * they write where they cannot ask for one. */
#define LLAMA_3_DATES "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n"

const struct aim_chat_template aim__chat_rows[] = {
    {
        .name = "llama-3",
        .start = AIM__BOS,
        .turns = {SPREAD(ANY_ROLE, LLAMA_3)},
        .opening = LLAMA_3_OPENING,
        .switches = AIM__TRIM,
    },
    {
        /* As first published: the assistant's turn is always opened. */
        .name = "llama-3-open",
        .start = AIM__BOS,
        .turns = {SPREAD(ANY_ROLE, LLAMA_3)},
        .opening = LLAMA_3_OPENING,
        .closing = LLAMA_3_OPENING,
        .switches = AIM__TRIM,
    },
    {
        .name = "llama-3.1",
        .start = AIM__BOS,
        .default_system = "",
        .prelude = LLAMA_3_DATES,
        .turns = {SPREAD(NAMED, LLAMA_3)},
        .opening = LLAMA_3_OPENING,
        .switches = AIM__TRIM,
    },
    {
        .name = "llama-2",
        .turns = {[AIM__SYSTEM] = {"<<SYS>>\n", "\n<</SYS>>\n\n"},
                  [AIM__USER] = {AIM__BOS "[INST] ", " [/INST]"},
                  [AIM__ASSISTANT] = {" ", " " AIM__EOS}},
        .switches = AIM__TRIM | AIM__ALTERNATE | AIM__SYSTEM_IN_USER,
    },
    {
        .name = "phi-3",
        .turns = {SPREAD(NAMED, ROLE_TAGS)},
        .opening = "<|assistant|>\n",
        .closing = AIM__EOS,
    },
    {
        .name = "phi-3.5",
        .turns = {SPREAD(NAMED, ROLE_TAGS)},
        .opening = "<|assistant|>\n",
        .closing = AIM__EOS,
        .switches = AIM__SKIP_EMPTY_SYSTEM,
    },
    {
        .name = "phi-3-roles",
        .start = AIM__BOS,
        .turns = {SPREAD(ANY_ROLE, ROLE_TAGS)},
        .opening = "<|assistant|>\n",
        .closing = AIM__EOS,
    },
    {
        /* As first published: a user's turn opens the assistant's. */
        .name = "phi-3-user",
        .start = AIM__BOS,
        .turns = {[AIM__USER] = {"<|user|>\n", "<|end|>\n<|assistant|>\n"},
                  [AIM__ASSISTANT] = {"", "<|end|>\n"}},
    },
    {
        .name = "phi-3-user-nobos",
        .turns = {[AIM__USER] = {"<|user|>\n", "<|end|>\n<|assistant|>\n"},
                  [AIM__ASSISTANT] = {"", "<|end|>\n"}},
    },
    {
        .name = "phi-4",
        .turns = {SPREAD(NAMED, PHI_4)},
        .opening = "<|im_start|>assistant<|im_sep|>",
    },
    {
        /* As first published: a user's turn opens the assistant's. */
        .name = "phi-4-user",
        .turns = {[AIM__SYSTEM] = {"<|im_start|>system<|im_sep|>", "<|im_end|>"},
                  [AIM__USER] = {"<|im_start|>user<|im_sep|>",
                                 "<|im_end|><|im_start|>assistant<|im_sep|>"},
                  [AIM__ASSISTANT] = {"", "<|im_end|>"}},
    },
    {
        .name = "phi-4-mini",
        .turns = {ANY_ROLE("<|", "|>", "<|end|>")},
        .opening = "<|assistant|>",
        .closing = AIM__EOS,
    },
    {
        .name = "mistral",
        .start = AIM__BOS,
        .turns = {[AIM__USER] = {"[INST] ", " [/INST]"}, [AIM__ASSISTANT] = {"", AIM__EOS}},
        .switches = AIM__ALTERNATE,
    },
    {
        .name = "mistral-v0.1",
        .start = AIM__BOS,
        .turns = {[AIM__USER] = {"[INST] ", " [/INST]"}, [AIM__ASSISTANT] = {"", AIM__EOS " "}},
        .switches = AIM__ALTERNATE,
    },
    {
        .name = "chatml",
        .turns = {SPREAD(ANY_ROLE, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "chatml-bos",
        .start = AIM__BOS,
        .turns = {SPREAD(ANY_ROLE, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen1.5",
        .default_system = "You are a helpful assistant",
        .turns = {SPREAD(ANY_ROLE, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen2",
        .default_system = "You are a helpful assistant.",
        .turns = {SPREAD(ANY_ROLE, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen2.5",
        .default_system = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen2.5-base",
        .default_system = "You are a helpful assistant.",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen2.5-math",
        .default_system = "Please reason step by step, and put your final answer within \\boxed{}.",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen3",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING,
        .switches = AIM__THINK,
    },
    {
        .name = "qwen3-instruct",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "qwen3-thinking",
        .turns = {SPREAD(NAMED, CHATML)},
        .opening = CHATML_OPENING "<think>\n",
        .switches = AIM__THINK,
    },
    {
        .name = "deepseek-r1",
        .start = AIM__BOS,
        .turns = {[AIM__SYSTEM] = {"", ""},
                  [AIM__USER] = {"<｜User｜>", ""},
                  [AIM__ASSISTANT] = {"<｜Assistant｜>", "<｜end▁of▁sentence｜>"}},
        .opening = "<｜Assistant｜><think>\n",
        .switches = AIM__FORGET_THINK | AIM__SYSTEM_TO_FRONT,
    },
    {
        .name = "smollm2",
        .default_system = "You are a helpful AI assistant named SmolLM, trained by Hugging Face",
        .turns = {SPREAD(ANY_ROLE, CHATML)},
        .opening = CHATML_OPENING,
    },
    {
        .name = "zephyr",
        .turns = {SPREAD(NAMED, ZEPHYR)},
        .opening = "<|assistant|>\n",
    },
    {
        .name = "gemma",
        .start = AIM__BOS,
        .turns = {[AIM__USER] = {"<start_of_turn>user\n", "<end_of_turn>\n"},
                  [AIM__ASSISTANT] = {"<start_of_turn>model\n", "<end_of_turn>\n"}},
        .opening = "<start_of_turn>model\n",
        .switches = AIM__TRIM | AIM__ALTERNATE,
    },
    {
        .name = "role-tags",
        .start = AIM__BOS,
        .turns = {SPREAD(ANY_ROLE, ROLE_TAGS)},
        .opening = "<|assistant|>\n",
    },
    {
        /* Nobody's template: the contents alone, a line break between two. A
         * conversation of one message has the prompt that completions have. */
        .name = "plain",
        .start = AIM__OWN_BOS,
        .turns = {[AIM__SYSTEM] = {"", "\n"},
                  [AIM__USER] = {"", "\n"},
                  [AIM__ASSISTANT] = {"", "\n"},
                  [AIM__TOOL] = {"", "\n"}},
        .switches = AIM__BETWEEN,
    },
};

const size_t aim__n_chat_rows = sizeof aim__chat_rows / sizeof *aim__chat_rows;

const aim_chat_template *aim__chat_row(const char *name)
{
    for (size_t i = 0; i < aim__n_chat_rows; i++)
        if (strcmp(aim__chat_rows[i].name, name) == 0)
            return &aim__chat_rows[i];
    return NULL;
}
