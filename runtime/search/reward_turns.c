/* SPDX-License-Identifier: Apache-2.0 */
/* reward_turns.c - the layouts of RLHFlow: each step is a turn of the user, the first with
 * the question in front of it, and the assistant answers each with a label token. The
 * score of a step is the probability of the positive label where its label stands, so it
 * is read one token in front of that. All labels are written as positive, so one pass
 * scores every step (RLHFlow/RLHF-Reward-Modeling, math-rm/prm_evaluate.py). */
#include "search/reward_impl.h"

#include "base/alloc.h"

#include <string.h>

/* ---- the conversation ---------------------------------------------------------------- */

struct turns {
    struct aim__text question;
    const struct aim__text *steps;
    size_t n_steps;
    const char *label; /* NULL: the last step is not answered */
};

static void fill_messages(const aim_reward *r, const struct turns *t, const aim_buf *first,
                          aim_message *messages, size_t *n)
{
    *n = aim__system_message(r, messages);
    for (size_t i = 0; i < t->n_steps; i++) {
        const struct aim__text step =
            i == 0 ? (struct aim__text){first->data, first->len} : t->steps[i];
        messages[(*n)++] = (aim_message){"user", step.s, step.len};
        if (t->label)
            messages[(*n)++] = (aim_message){"assistant", t->label, strlen(t->label)};
    }
}

static int render(const aim_reward *r, const struct turns *t, aim_prompt *out, aim_error *err)
{
    size_t n = 0;
    aim_buf first = AIM_BUF_INIT;
    aim_message *messages = aim_array(2 * t->n_steps + 1, sizeof *messages);
    aim_buf_append(&first, t->question.s, t->question.len);
    aim_buf_puts(&first, " ");
    aim_buf_append(&first, t->steps[0].s, t->steps[0].len);
    int code = AIM_OK;
    if (!messages || first.failed)
        code = aim_fail_nomem(err, "the conversation with a reward model");
    if (!code) {
        fill_messages(r, t, &first, messages, &n);
        code = aim_chat_render(r->chat, r->tokenizer, messages, n, false, false, out, err);
    }
    aim_buf_free(&first);
    aim_free(messages);
    return code;
}

static int render_tokens(const aim_reward *r, const struct turns *t, aim_ids *out, aim_error *err)
{
    aim_prompt p = {0};
    int code = render(r, t, &p, err);
    if (!code)
        code = aim__encode_prompt(r, &p, true, out, err);
    aim_prompt_free(&p);
    return code;
}

int aim__turns_head(const aim_reward *r, struct aim__text question, aim_prompt *out, aim_error *err)
{
    static const struct aim__text x = {"x", 1};
    const struct turns t = {question, &x, 1, NULL};
    int code = render(r, &t, out, err);
    if (!code)
        aim__cut_prompt(out, out->plain[out->n_plain - 1].end - x.len);
    return code;
}

/* ---- where the labels are --------------------------------------------------------------- */

/* Behind the tokens that open the assistant's turn. These begin with a special token,
 * which no message has, so that no text looks like them. */
bool aim__turns_is_scored(const aim_reward *r, const int32_t *tokens, int n, int i)
{
    const aim_ids *opening = &r->opening;
    (void)n;
    return (size_t)i + 1 >= opening->n &&
           memcmp(tokens + i + 1 - opening->n, opening->v, opening->n * sizeof *tokens) == 0;
}

static int lay_out(const aim_reward *r, const struct turns *t, struct aim__draft *out,
                   aim_error *err)
{
    int code = render_tokens(r, t, &out->tokens, err);
    if (!code)
        code = aim__find_scored(r, out, err);
    if (!code && out->score_at.n != t->n_steps)
        code = aim_fail(err, AIM_EINVAL, "the chat template %s does not keep steps apart",
                        aim_chat_template_name(r->chat));
    return code;
}

int aim__turns_lay_out(const aim_reward *r, const struct aim__dialogue *d, struct aim__draft *out,
                       aim_error *err)
{
    const struct turns t = {d->question, d->steps, d->n_steps, r->text[AIM__REWARD_POSITIVE]};
    return lay_out(r, &t, out, err);
}

int aim__turn_lay_out(const aim_reward *r, const struct aim__dialogue *d, struct aim__draft *out,
                      aim_error *err)
{
    const struct turns t = {d->question, &d->answer, 1, r->text[AIM__REWARD_POSITIVE]};
    return lay_out(r, &t, out, err);
}

/* ---- what the template makes of them ------------------------------------------------------ */

/* Conversations about a question "q", from which the tokens around labels are learned. */
enum { PROBE, OTHER_LABEL, OTHER_STEP, LABEL_AS_STEPS, LABEL_AS_STEP, N_PROBES };

static int encode_probes(const aim_reward *r, aim_ids probes[N_PROBES], aim_error *err)
{
    const char *positive = r->text[AIM__REWARD_POSITIVE], *negative = r->text[AIM__REWARD_NEGATIVE];
    const struct aim__text q = {"q", 1}, a = {"a", 1}, b = {"b", 1};
    const struct aim__text label = {positive, strlen(positive)}, labels[] = {label, label};
    const struct turns turns[N_PROBES] = {
        [PROBE] = {q, &a, 1, positive},
        [OTHER_LABEL] = {q, &a, 1, negative},
        [OTHER_STEP] = {q, &b, 1, positive},
        [LABEL_AS_STEPS] = {q, labels, 2, positive},
        [LABEL_AS_STEP] = {q, labels, 1, positive},
    };
    int code = AIM_OK;
    for (int i = 0; i < N_PROBES && !code; i++)
        code = render_tokens(r, &turns[i], &probes[i], err);
    return code;
}

/* The one place in which two lists of the same length differ; -1 if there are more. */
static int only_difference(const aim_ids *a, const aim_ids *b)
{
    size_t at = aim__common_prefix(a, b);
    bool only = a->n == b->n && at < a->n &&
                memcmp(a->v + at + 1, b->v + at + 1, (a->n - at - 1) * sizeof *a->v) == 0;
    return only ? (int)at : -1;
}

static int learn_labels(aim_reward *r, const aim_ids probes[N_PROBES], aim_error *err)
{
    const aim_ids *probe = &probes[PROBE], *other = &probes[OTHER_STEP];
    int at = only_difference(probe, &probes[OTHER_LABEL]);
    if (at < 0)
        return aim_fail(err, AIM_EUNSUPPORTED,
                        "the labels \"%.32s\" and \"%.32s\" are not one token each",
                        r->text[AIM__REWARD_POSITIVE], r->text[AIM__REWARD_NEGATIVE]);
    r->labels[0] = probe->v[at];
    r->labels[1] = probes[OTHER_LABEL].v[at];
    int start = at, shift = (int)other->n - (int)probe->n;
    while (start > 0 && start + shift > 0 && probe->v[start - 1] == other->v[start + shift - 1])
        start--;
    for (int i = start; i < at; i++)
        if (!aim_ids_push(&r->opening, probe->v[i]))
            return aim_fail_nomem(err, "labels");
    return AIM_OK;
}

/* Labels must be told from steps, and be written in the same way whether or not more
 * steps come. */
static int check_regular(const aim_reward *r, const aim_ids probes[N_PROBES], aim_error *err)
{
    const aim_ids *opening = &r->opening;
    struct aim__draft one = {.tokens = probes[LABEL_AS_STEP]};
    struct aim__draft two = {.tokens = probes[LABEL_AS_STEPS]};
    int code = aim__find_scored(r, &one, err);
    if (!code)
        code = aim__find_scored(r, &two, err);
    if (!code &&
        !(opening->n > 0 && aim_tokenizer_is_special(r->tokenizer, opening->v[0]) &&
          one.score_at.n == 1 && two.score_at.n == 2 && one.score_at.v[0] == two.score_at.v[0] &&
          aim__common_prefix(&one.tokens, &two.tokens) > (size_t)one.score_at.v[0] + 1))
        code = aim_fail(err, AIM_EUNSUPPORTED,
                        "in the chat template %s no special token tells labels from steps",
                        aim_chat_template_name(r->chat));
    aim_ids_free(&one.score_at);
    aim_ids_free(&two.score_at);
    return code;
}

int aim__turns_prepare(aim_reward *r, aim_error *err)
{
    aim_ids probes[N_PROBES] = {{0}};
    int code = encode_probes(r, probes, err);
    if (!code)
        code = learn_labels(r, probes, err);
    if (!code)
        code = check_regular(r, probes, err);
    for (int i = 0; i < N_PROBES; i++)
        aim_ids_free(&probes[i]);
    return code;
}
