/* SPDX-License-Identifier: Apache-2.0 */
/* reward_outcome.c - layouts with one score for the whole answer, at the last token: that
 * of a chat (Skywork-Reward and other sequence classifiers), and that of a prompt which
 * asks for one of two words (generative verifiers, Zhang et al. 2024). */
#include "search/reward_impl.h"

#include "base/alloc.h"

#include <string.h>

bool aim__last_is_scored(const aim_reward *r, const int32_t *tokens, int n, int i)
{
    (void)r, (void)tokens;
    return i == n - 1;
}

static int encode_whole(const aim_reward *r, const aim_prompt *p, struct aim__draft *out,
                        aim_error *err)
{
    int code = aim__encode_prompt(r, p, true, &out->tokens, err);
    return code ? code : aim__find_scored(r, out, err);
}

/* ---- the classifier ------------------------------------------------------------------ */

int aim__classified_lay_out(const aim_reward *r, const struct aim__dialogue *d,
                            struct aim__draft *out, aim_error *err)
{
    aim_prompt p = {0};
    int code = aim__render_chat(r, d->question, d->answer, &p, err);
    if (!code)
        code = encode_whole(r, &p, out, err);
    aim_prompt_free(&p);
    return code;
}

/* ---- the verifier ----------------------------------------------------------------------- */

#define QUESTION "{question}"
#define ANSWER "{answer}"

/* Append the template from one byte to another, with the question in its place. */
static void put_template(const char *from, const char *to, struct aim__text question,
                         aim_prompt *out)
{
    const char *place = strstr(from, QUESTION);
    if (!place || place >= to) {
        aim_buf_append(&out->text, from, (size_t)(to - from));
        return;
    }
    aim_buf_append(&out->text, from, (size_t)(place - from));
    aim__put_plain(out, question);
    place += strlen(QUESTION);
    aim_buf_append(&out->text, place, (size_t)(to - place));
}

int aim__verified_head(const aim_reward *r, struct aim__text question, aim_prompt *out,
                       aim_error *err)
{
    const char *template = r->text[AIM__REWARD_TEMPLATE];
    (void)err;
    put_template(template, strstr(template, ANSWER), question, out);
    return AIM_OK;
}

static void put_prompt(const aim_reward *r, struct aim__text question, struct aim__text answer,
                       aim_prompt *p)
{
    const char *template = r->text[AIM__REWARD_TEMPLATE], *place = strstr(template, ANSWER);
    put_template(template, place, question, p);
    aim__put_plain(p, answer);
    put_template(place + strlen(ANSWER), template + strlen(template), question, p);
}

int aim__verified_lay_out(const aim_reward *r, const struct aim__dialogue *d,
                          struct aim__draft *out, aim_error *err)
{
    aim_prompt p = {0};
    put_prompt(r, d->question, d->answer, &p);
    int code = encode_whole(r, &p, out, err);
    aim_prompt_free(&p);
    return code;
}

/* The token with which the label would begin behind a prompt. */
static int learn_label(const aim_reward *r, const char *label, int32_t *id, aim_error *err)
{
    static const struct aim__text q = {"q", 1};
    aim_prompt p = {0};
    aim_ids prompt = {0}, labelled = {0};
    put_prompt(r, q, q, &p);
    int code = aim__encode_prompt(r, &p, true, &prompt, err);
    aim__put(&p, label);
    if (!code)
        code = aim__encode_prompt(r, &p, true, &labelled, err);
    if (!code && (aim__common_prefix(&prompt, &labelled) < prompt.n || labelled.n == prompt.n))
        code = aim_fail_param(err, AIM_EFORMAT, "template",
                              AIM__REWARD_JSON ": the end of \"template\" and the label \"%.64s\" "
                                               "grow together; a space belongs to the label",
                              label);
    if (!code)
        *id = labelled.v[prompt.n];
    aim_ids_free(&prompt);
    aim_ids_free(&labelled);
    aim_prompt_free(&p);
    return code;
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part))
        n++;
    return n;
}

int aim__verified_prepare(aim_reward *r, aim_error *err)
{
    const char *template = r->text[AIM__REWARD_TEMPLATE];
    if (count(template, QUESTION) != 1 || count(template, ANSWER) != 1)
        return aim_fail_param(err, AIM_EFORMAT, "template",
                              AIM__REWARD_JSON ": \"template\" must have " QUESTION " and " ANSWER
                                               " once each");
    int code = AIM_OK;
    for (int i = 0; i < 2 && !code; i++)
        code = learn_label(r, r->text[AIM__REWARD_POSITIVE + i], &r->labels[i], err);
    if (!code && r->labels[0] == r->labels[1])
        code = aim__fail_same_labels(err);
    return code;
}
