/* SPDX-License-Identifier: Apache-2.0 */
/* reward_input.c - a question and an answer to the tokens of a reward model. */
#include "search/reward_impl.h"

#include "base/alloc.h"
#include "text/utf8.h"

void aim_reward_input_free(aim_reward_input *in)
{
    aim_free(in->tokens);
    aim_free(in->score_at);
    *in = (aim_reward_input){0};
}

/* Hand the draft over, or free it if there was a failure. */
static int finish(struct aim__draft *d, int code, size_t n_question, aim_reward_input *out,
                  aim_error *err)
{
    if (!code && d->tokens.n > INT32_MAX / 2)
        code = aim_fail(err, AIM_ETOOLARGE, "the input of a reward model is too long");
    if (code) {
        aim_ids_free(&d->tokens);
        aim_ids_free(&d->score_at);
        return code;
    }
    *out = (aim_reward_input){
        .tokens = d->tokens.v,
        .n_tokens = (int)d->tokens.n,
        .n_question = (int)n_question,
        .score_at = d->score_at.v,
        .n_scores = (int)d->score_at.n,
    };
    return AIM_OK;
}

static struct aim__text text_of(const char *s, size_t len)
{
    return (struct aim__text){len ? s : "", len};
}

static int check_text(struct aim__text x, const char *what, aim_error *err)
{
    if (aim_utf8_valid(x.s, x.len))
        return AIM_OK;
    return aim_fail(err, AIM_EINVAL, "the %s for a reward model is not valid UTF-8", what);
}

/* The tokens of the question that no answer changes. */
static int encode_question(const aim_reward *r, struct aim__text question, aim_ids *out,
                           aim_error *err)
{
    aim_prompt head = {0};
    int code = check_text(question, "question", err);
    if (!code)
        code = r->layout->head(r, question, &head, err);
    if (!code)
        code = aim__encode_fixed(r, &head, out, err);
    aim_prompt_free(&head);
    return code;
}

static int lay_out(const aim_reward *r, struct aim__dialogue *d, struct aim__draft *out,
                   size_t *n_question, aim_error *err)
{
    aim_ids question = {0};
    int code = check_text(d->answer, "answer", err);
    if (!code && r->layout->has_steps)
        code = aim__split_steps(r, d, err);
    if (!code)
        code = encode_question(r, d->question, &question, err);
    if (!code && r->layout->has_steps && d->n_steps == 0) {
        out->tokens = question;
        *n_question = question.n;
        return code;
    }
    if (!code)
        code = r->layout->lay_out(r, d, out, err);
    *n_question = aim__common_prefix(&question, &out->tokens);
    aim_ids_free(&question);
    return code;
}

int aim_reward_lay_out(const aim_reward *r, const char *question, size_t question_len,
                       const char *answer, size_t answer_len, bool complete, aim_reward_input *out,
                       aim_error *err)
{
    struct aim__dialogue d = {
        .question = text_of(question, question_len),
        .answer = text_of(answer, answer_len),
        .complete = complete,
    };
    struct aim__draft draft = {0};
    size_t n_question = 0;
    *out = (aim_reward_input){0};
    int code = lay_out(r, &d, &draft, &n_question, err);
    aim_free(d.steps);
    return finish(&draft, code, n_question, out, err);
}

int aim_reward_lay_out_question(const aim_reward *r, const char *question, size_t len,
                                aim_reward_input *out, aim_error *err)
{
    struct aim__draft draft = {0};
    *out = (aim_reward_input){0};
    int code = encode_question(r, text_of(question, len), &draft.tokens, err);
    return finish(&draft, code, draft.tokens.n, out, err);
}

int aim_reward_find_steps(const aim_reward *r, const int32_t *tokens, int n, aim_reward_input *out,
                          aim_error *err)
{
    struct aim__draft draft = {0};
    int code = AIM_OK;
    *out = (aim_reward_input){0};
    for (int i = 0; i < n && !code; i++)
        if (!aim_ids_push(&draft.tokens, tokens[i]))
            code = aim_fail_nomem(err, "the input of a reward model");
    if (!code)
        code = aim__find_scored(r, &draft, err);
    return finish(&draft, code, 0, out, err);
}
