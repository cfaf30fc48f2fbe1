/* SPDX-License-Identifier: Apache-2.0 */
/* reward_lines.c - the layout of Skywork-o1-Open-PRM: plain text, the question on a line
 * and each step on another, and the value at a line break is the score of the line in
 * front of it. Lines are turned into tokens one by one, empty ones have their line break
 * alone (skywork-o1-prm-inference, model_utils/io_utils.py). */
#include "search/reward_impl.h"

int aim__lines_prepare(aim_reward *r, aim_error *err)
{
    return aim__encode_last(r, r->text[AIM__REWARD_SEPARATOR], &r->tag, err);
}

int aim__lines_head(const aim_reward *r, struct aim__text question, aim_prompt *out, aim_error *err)
{
    const char *bos = aim_tokenizer_bos(r->tokenizer);
    (void)err;
    aim__put(out, bos ? bos : "");
    aim__put_plain(out, question);
    aim__put(out, "\n");
    return AIM_OK;
}

static int append_line(const aim_reward *r, aim_prompt *p, struct aim__text line,
                       struct aim__draft *out, aim_error *err)
{
    aim__cut_prompt(p, 0);
    aim__put_plain(p, line);
    int code = aim__encode_prompt(r, p, false, &out->tokens, err);
    if (!code && (!aim_ids_push(&out->score_at, (int32_t)out->tokens.n) ||
                  !aim_ids_push(&out->tokens, r->tag)))
        code = aim_fail_nomem(err, "the input of a reward model");
    return code;
}

int aim__lines_lay_out(const aim_reward *r, const struct aim__dialogue *d, struct aim__draft *out,
                       aim_error *err)
{
    aim_prompt p = {0};
    int code = aim__lines_head(r, d->question, &p, err);
    if (!code)
        code = aim__encode_prompt(r, &p, true, &out->tokens, err);
    for (size_t i = 0; i < d->n_steps && !code; i++)
        code = append_line(r, &p, d->steps[i], out, err);
    aim_prompt_free(&p);
    return code;
}
