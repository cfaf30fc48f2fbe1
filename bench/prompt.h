/* SPDX-License-Identifier: Apache-2.0 */
/* prompt.h - the prompts of all loads: different for each sequence, so that the
 * prefix cache cannot help, and below 500, so that every vocabulary has them. */
#ifndef AIM_BENCH_PROMPT_H
#define AIM_BENCH_PROMPT_H

static inline int bench_prompt_token(int sequence, int position)
{
    return (sequence * 37 + position * 11) % 500;
}

#endif
