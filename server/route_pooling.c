/* SPDX-License-Identifier: Apache-2.0 */
/* POST /pooling, as vLLM has it for process reward models: what the model says of each
 * step of an answer. */
#include "server/score_job.h"

#include "base/alloc.h"
#include "server/json_out.h"
#include "server/routes.h"

#include <stdio.h>
#include <string.h>

/* ---- the body ------------------------------------------------------------ */

static bool has_role(const json_t *message, const char *role)
{
    const char *value = json_string_value(json_object_get(message, "role"));
    return value && strcmp(value, role) == 0;
}

static int lay_out_messages(aimd_score_job *job, const json_t *messages, aim_error *err)
{
    const json_t *user = json_array_get(messages, 0), *assistant = json_array_get(messages, 1);
    const json_t *question = json_object_get(user, "content");
    const json_t *answer = json_object_get(assistant, "content");
    if (json_array_size(messages) != 2 || !has_role(user, "user") ||
        !has_role(assistant, "assistant") || !json_is_string(question) || !json_is_string(answer))
        return aim_fail_param(err, AIM_EINVAL, "messages",
                              "messages must be two, the user's and the assistant's, with texts as "
                              "content");
    int code = aimd_score_make_room(job, "messages", 1, err);
    return code ? code
                : aimd_score_lay_out(job, 0, "messages[1].content", json_string_value(question),
                                     json_string_length(question), json_string_value(answer),
                                     json_string_length(answer), err);
}

/* One text, or a list of token ids. */
static int find_steps(aimd_score_job *job, size_t i, const json_t *v, const aimd_body *b,
                      const char *field, aim_error *err)
{
    aimd_prompt prompt = {0};
    size_t n = 0;
    int code;
    if (json_is_array(v)) {
        code = aimd_read_ids(v, &b->scope, field, &prompt.tokens, &n, err);
        prompt.n_tokens = (int)n; /* fewer than bytes of the body */
    } else {
        code = aimd_encode_text(&b->scope, v, b->params.pooling_add_special_tokens != 0, field,
                                &prompt, err);
    }
    if (!code)
        code = aimd_score_find_steps(job, i, field, prompt.tokens, prompt.n_tokens, err);
    aim_free(prompt.tokens);
    return code;
}

static int find_all_steps(aimd_score_job *job, const json_t *input, const aimd_body *b,
                          aim_error *err)
{
    bool is_batch = json_array_size(input) > 0 && !json_is_integer(json_array_get(input, 0));
    size_t n = is_batch ? json_array_size(input) : 1;
    int code = aimd_score_make_room(job, "input", n, err);
    for (size_t i = 0; i < n && !code; i++) {
        char field[AIMD_FIELD_BYTES] = "input";
        if (is_batch)
            snprintf(field, sizeof field, "input[%zu]", i);
        code = find_steps(job, i, is_batch ? json_array_get(input, i) : input, b, field, err);
    }
    return code;
}

static int read_pooling(aimd_score_job *job, const aimd_body *b, aim_error *err)
{
    const json_t *messages = json_object_get(b->json, "messages");
    const json_t *input = json_object_get(b->json, "input");
    bool has_messages = messages && !json_is_null(messages);
    bool has_input = input && !json_is_null(input);
    if (has_messages == has_input)
        return aim_fail_param(err, AIM_EINVAL, "input", "either messages or input is needed");
    return has_messages ? lay_out_messages(job, messages, err) : find_all_steps(job, input, b, err);
}

/* ---- the response -------------------------------------------------------- */

/* Both probabilities in the order of the outputs: that of the label which is no good
 * comes from the same formula with the outputs exchanged. */
static void write_pair(aim_buf *out, const aim_reward *r, const float *outputs, float good)
{
    float exchanged[2] = {outputs[1], outputs[0]}, bad;
    int32_t labels[AIM_MAX_HEAD_OUTPUTS];
    bool good_is_second = aim_reward_output_ids(r, labels) == 0; /* two classes of a head */
    aim_reward_scores(r, exchanged, 1, 2, &bad);
    aimd_json_score(out, (double)(good_is_second ? bad : good));
    aim_buf_puts(out, ",");
    aimd_json_score(out, (double)(good_is_second ? good : bad));
}

static void write_steps(aim_buf *out, const aim_reward *r, const aimd_scored_answer *a)
{
    for (int k = 0; k < a->input.n_scores; k++) {
        aim_buf_puts(out, k ? ",[" : "[");
        if (a->width == 2)
            write_pair(out, r, a->outputs + (size_t)k * 2, a->scores[k]);
        else
            aimd_json_score(out, (double)a->scores[k]);
        aim_buf_puts(out, "]");
    }
}

static void write_pooling(aim_buf *out, const aimd_score_job *job)
{
    aimd_score_write_head(out, job, "pool");
    aim_buf_puts(out, ",\"object\":\"list\",\"data\":[");
    for (int i = 0; i < job->n_answers; i++) {
        aim_buf_printf(out, "%s{\"index\":%d,\"object\":\"pooling\",\"data\":[", i ? "," : "", i);
        write_steps(out, job->offload.model->reward, &job->answers[i]);
        aim_buf_puts(out, "]}");
    }
    aim_buf_puts(out, "]");
    aimd_score_write_usage(out, job);
    aim_buf_puts(out, "}");
}

void aimd_post_pooling(aimd_daemon *d, aimd_exchange *x)
{
    static const aimd_score_route route = {AIMD_POOLING, read_pooling, write_pooling};
    aimd_score_start(d, x, &route);
}
