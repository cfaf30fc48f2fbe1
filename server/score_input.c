/* SPDX-License-Identifier: Apache-2.0 */
/* score_input.c - from texts of a body to answers as a reward model reads them. */
#include "server/score_job.h"

#include "base/alloc.h"

#include <stdio.h>

/* ---- texts of a body ----------------------------------------------------- */

/* The field under the one of its names that the body has; a second one would be a text that
 * nobody reads. */
static int find_field(const json_t *body, const char *const names[], aimd_texts *t, aim_error *err)
{
    t->field = names[0];
    for (size_t i = 0; names[i]; i++) {
        const json_t *v = json_object_get(body, names[i]);
        if (!v || json_is_null(v))
            continue;
        if (t->value)
            return aim_fail_param(err, AIM_EINVAL, names[i], "%s is another name of %s: give one",
                                  names[i], t->field);
        t->value = v;
        t->field = names[i];
    }
    return AIM_OK;
}

static const json_t *find_text(const aimd_texts *t, size_t i)
{
    const json_t *v = json_is_array(t->value) ? json_array_get(t->value, i) : t->value;
    return t->in_objects && json_is_object(v) ? json_object_get(v, "text") : v;
}

static int check_texts(const aimd_texts *t, aim_error *err)
{
    for (size_t i = 0; i < t->n; i++) {
        char name[AIMD_FIELD_BYTES];
        aimd_texts_name(t, i, name);
        if (!json_is_string(find_text(t, i)))
            return aim_fail_param(err, AIM_EINVAL, name, "%s must be a string%s", name,
                                  t->in_objects ? " or an object with a string text" : "");
    }
    return AIM_OK;
}

static int read_texts(aimd_texts *t, aim_error *err)
{
    t->n = json_is_array(t->value) ? json_array_size(t->value) : 1;
    if (t->n == 0)
        return aim_fail_param(err, AIM_EINVAL, t->field, "%s is an empty list", t->field);
    return check_texts(t, err);
}

int aimd_texts_read(const json_t *body, const char *const names[], aimd_texts *out, aim_error *err)
{
    *out = (aimd_texts){0};
    if (find_field(body, names, out, err))
        return (int)err->code;
    if (!out->value)
        return aim_fail_param(err, AIM_EINVAL, out->field, "%s is missing", out->field);
    return read_texts(out, err);
}

int aimd_documents_read(const json_t *body, const char *field, aimd_texts *out, aim_error *err)
{
    *out = (aimd_texts){.field = field, .value = json_object_get(body, field), .in_objects = true};
    if (!json_is_array(out->value))
        return aim_fail_param(err, AIM_EINVAL, field,
                              "%s must be a list of strings, or of objects with a string text",
                              field);
    return read_texts(out, err);
}

const char *aimd_texts_get(const aimd_texts *t, size_t i, size_t *len)
{
    const json_t *v = find_text(t, i);
    *len = json_string_length(v);
    return json_string_value(v);
}

void aimd_texts_name(const aimd_texts *t, size_t i, char name[AIMD_FIELD_BYTES])
{
    if (json_is_array(t->value))
        snprintf(name, AIMD_FIELD_BYTES, "%s[%zu]", t->field, i);
    else
        snprintf(name, AIMD_FIELD_BYTES, "%s", t->field);
}

/* ---- answers ------------------------------------------------------------- */

int aimd_score_make_room(aimd_score_job *job, const char *field, size_t n, aim_error *err)
{
    int most = job->offload.daemon->options->max_prompts;
    if (n > (size_t)most)
        return aim_fail_param(err, AIM_EINVAL, field, "%s has %zu texts, at most %d are allowed",
                              field, n, most);
    job->answers = aim_calloc(n, sizeof *job->answers);
    if (!job->answers)
        return aim_fail_nomem(err, field);
    job->n_answers = (int)n;
    return AIM_OK;
}

static int check_input(const aimd_score_job *job, const aim_reward_input *in, const char *field,
                       aim_error *err)
{
    int most = aim_engine_max_context(job->offload.model->model->engine);
    if (in->n_scores == 0)
        return aim_fail_param(err, AIM_EINVAL, field, "%s has no step that could be scored", field);
    if (in->n_tokens > most)
        return aim_fail_param(err, AIM_ECONTEXT, field,
                              "The maximum context length of the reward model is %d tokens. "
                              "However, %s takes %d with its question.",
                              most, field, in->n_tokens);
    return AIM_OK;
}

/* Name the field in an error of the layout's. */
static int fail_at(const char *field, const aim_error *cause, aim_error *err)
{
    return aim_fail_param(err, cause->code, field, "%s: %s", field, cause->text);
}

int aimd_score_lay_out(aimd_score_job *job, size_t i, const char *field, const char *question,
                       size_t question_len, const char *answer, size_t answer_len, aim_error *err)
{
    aim_error cause = {0};
    aim_reward_input *in = &job->answers[i].input;
    if (aim_reward_lay_out(job->offload.model->reward, question, question_len, answer, answer_len,
                           true, in, &cause))
        return fail_at(field, &cause, err);
    return check_input(job, in, field, err);
}

int aimd_score_find_steps(aimd_score_job *job, size_t i, const char *field, const int32_t *tokens,
                          int n, aim_error *err)
{
    aim_error cause = {0};
    aim_reward_input *in = &job->answers[i].input;
    if (aim_reward_find_steps(job->offload.model->reward, tokens, n, in, &cause))
        return fail_at(field, &cause, err);
    return check_input(job, in, field, err);
}

int aimd_score_lay_out_all(aimd_score_job *job, const aimd_texts *questions,
                           const aimd_texts *answers, aim_error *err)
{
    int code = aimd_score_make_room(job, answers->field, answers->n, err);
    for (size_t i = 0; i < answers->n && !code; i++) {
        char name[AIMD_FIELD_BYTES];
        size_t question_len, answer_len;
        const char *question = aimd_texts_get(questions, questions->n > 1 ? i : 0, &question_len);
        const char *answer = aimd_texts_get(answers, i, &answer_len);
        aimd_texts_name(answers, i, name);
        code = aimd_score_lay_out(job, i, name, question, question_len, answer, answer_len, err);
    }
    return code;
}
