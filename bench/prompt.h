/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.h - the prompts of all loads: their first two tokens tell 250,000 of them
 * apart, so that the prefix cache cannot help unless it should, and all are below 500,
 * so that every vocabulary has them. */
#ifndef AIM_BENCH_PROMPT_H
#define AIM_BENCH_PROMPT_H

enum { BENCH_VOCABULARY = 500 };

static inline int bench_prompt_token(int prompt, int position)
{
    if (position == 0)
        return prompt % BENCH_VOCABULARY;
    if (position == 1)
        return prompt / BENCH_VOCABULARY % BENCH_VOCABULARY;
    return (prompt * 37 + position * 11) % BENCH_VOCABULARY;
}

#endif
