/* SPDX-License-Identifier: Apache-2.0 */
/* reward_lines.c - the layout of Skywork-o1-Open-PRM: plain text, the question on a line
 * and each step on another, and the value at a line break is the score of the line in
 * front of it. Lines are turned into tokens one by one, empty ones have their line break
 * alone (Skywork-o1-PRM-Inference, prepare_input). There empty lines have scores; here
 * they are no steps, and those at the end are left out. */
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

static int append_line(const aim_reward *r, aim_prompt *p, struct aim__text line, aim_ids *out,
                       aim_error *err)
{
    aim__cut_prompt(p, 0);
    aim__put_plain(p, line);
    int code = aim__encode_prompt(r, p, false, out, err);
    if (!code && !aim_ids_push(out, r->tag))
        code = aim_fail_nomem(err, "the input of a reward model");
    return code;
}

static int append_lines(const aim_reward *r, aim_prompt *p, const struct aim__dialogue *d,
                        struct aim__draft *out, aim_error *err)
{
    struct aim__pieces pieces = aim__pieces_of(r, d);
    struct aim__text line;
    int code = AIM_OK;
    size_t kept = out->tokens.n;
    while (!code && aim__next_piece(&pieces, &line)) {
        code = append_line(r, p, line, &out->tokens, err);
        if (code || aim__strip(line).len == 0)
            continue;
        kept = out->tokens.n;
        if (!aim_ids_push(&out->score_at, (int32_t)kept - 1))
            code = aim_fail_nomem(err, "positions of scores");
    }
    out->tokens.n = kept;
    return code;
}

int aim__lines_lay_out(const aim_reward *r, const struct aim__dialogue *d, struct aim__draft *out,
                       aim_error *err)
{
    aim_prompt p = {0};
    int code = aim__lines_head(r, d->question, &p, err);
    if (!code)
        code = aim__encode_prompt(r, &p, true, &out->tokens, err);
    if (!code)
        code = append_lines(r, &p, d, out, err);
    aim_prompt_free(&p);
    return code;
}
