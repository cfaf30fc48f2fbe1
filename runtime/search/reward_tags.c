/* SPDX-License-Identifier: Apache-2.0 */
/* reward_tags.c - layouts in which a tag ends each step, and the model's output at the
 * last token of the tag is the score.
 *
 * Math-Shepherd (peiyi9979/math-shepherd-mistral-7b-prm): plain text, the question, a
 * space and the steps; the tag is a word of the text, and the separator follows it.
 * Qwen (Qwen2.5-Math-PRM): a chat in whose answer a special token takes the place of
 * each separator and stands at the end. */
#include "search/reward_impl.h"

#include "base/alloc.h"

#include <string.h>

static void put_tag(const aim_reward *r, aim_prompt *p)
{
    if (r->layout->tag_in_text)
        aim__put(p, " ");
    aim__put(p, r->text[AIM__REWARD_TAG]);
}

/* A step is encoded behind a tag, for its tokens may depend on what it follows. This
 * stands for the steps up to there. */
static void begin_behind_tag(const aim_reward *r, aim_prompt *p)
{
    aim__cut_prompt(p, 0);
    aim__put(p, "x");
    put_tag(r, p);
}

static int fail_tag(const aim_reward *r, aim_error *err)
{
    return aim_fail_param(err, AIM_EINVAL, "step_tag",
                          "the tokenizer does not keep the tag \"%.64s\" apart from steps",
                          r->text[AIM__REWARD_TAG]);
}

/* Append the tokens of a prompt that begins behind a tag, those of the tag left out. */
static int append_behind_tag(const aim_reward *r, const aim_prompt *p, aim_ids *out, aim_error *err)
{
    aim_ids ids = {0};
    int code = aim__encode_prompt(r, p, false, &ids, err);
    if (!code && aim__common_prefix(&ids, &r->tagged) < r->tagged.n)
        code = fail_tag(r, err);
    for (size_t i = r->tagged.n; i < ids.n && !code; i++)
        if (!aim_ids_push(out, ids.v[i]))
            code = aim_fail_nomem(err, "the input of a reward model");
    aim_ids_free(&ids);
    return code;
}

/* Append step i. The prompt holds what is in front of it: of the first step the head. */
static int append_step(const aim_reward *r, aim_prompt *p, const struct aim__dialogue *d, size_t i,
                       struct aim__draft *out, aim_error *err)
{
    if (i > 0)
        begin_behind_tag(r, p);
    if (i > 0 && r->layout->tag_in_text)
        aim__put(p, r->text[AIM__REWARD_SEPARATOR]);
    aim__put_plain(p, d->steps[i]);
    put_tag(r, p);
    int code = i == 0 ? aim__encode_prompt(r, p, true, &out->tokens, err)
                      : append_behind_tag(r, p, &out->tokens, err);
    size_t n = out->tokens.n;
    if (!code && (n == 0 || out->tokens.v[n - 1] != r->tag))
        code = fail_tag(r, err);
    if (!code && !aim_ids_push(&out->score_at, (int32_t)n - 1))
        code = aim_fail_nomem(err, "positions of scores");
    return code;
}

static int append_tail(const aim_reward *r, aim_prompt *p, aim_ids *out, aim_error *err)
{
    if (r->tail.len == 0)
        return AIM_OK;
    begin_behind_tag(r, p);
    aim__put(p, r->tail.data);
    return append_behind_tag(r, p, out, err);
}

int aim__tags_lay_out(const aim_reward *r, const struct aim__dialogue *d, struct aim__draft *out,
                      aim_error *err)
{
    aim_prompt p = {0};
    int code = r->layout->head(r, d->question, &p, err);
    for (size_t i = 0; i < d->n_steps && !code; i++)
        code = append_step(r, &p, d, i, out, err);
    if (!code)
        code = append_tail(r, &p, &out->tokens, err);
    aim_prompt_free(&p);
    return code;
}

bool aim__tags_is_scored(const aim_reward *r, const int32_t *tokens, int n, int i)
{
    (void)n;
    return tokens[i] == r->tag;
}

/* ---- the two kinds ------------------------------------------------------------------------ */

static int learn_tag(aim_reward *r, aim_error *err)
{
    aim_prompt p = {0};
    begin_behind_tag(r, &p);
    int code = aim__encode_prompt(r, &p, false, &r->tagged, err);
    if (!code)
        r->tag = r->tagged.v[r->tagged.n - 1];
    aim_prompt_free(&p);
    return code;
}

int aim__tagged_text_prepare(aim_reward *r, aim_error *err)
{
    int code = learn_tag(r, err);
    for (int i = 0; i < 2 && !code; i++)
        code = aim__encode_last(r, r->text[AIM__REWARD_POSITIVE + i], &r->labels[i], err);
    if (!code && r->labels[0] == r->labels[1])
        code = aim__fail_same_labels(err);
    return code;
}

int aim__tagged_text_head(const aim_reward *r, struct aim__text question, aim_prompt *out,
                          aim_error *err)
{
    (void)r, (void)err;
    aim__put_plain(out, question);
    aim__put(out, " ");
    return AIM_OK;
}

int aim__tagged_chat_prepare(aim_reward *r, aim_error *err)
{
    const char *tag = r->text[AIM__REWARD_TAG];
    int code = learn_tag(r, err);
    if (!code && r->tag != aim_tokenizer_find(r->tokenizer, tag))
        return aim_fail_param(err, AIM_EUNSUPPORTED, "step_tag",
                              "the tokenizer has no token for the tag \"%.64s\"", tag);
    return code ? code : aim__chat_tail(r, &r->tail, err);
}
