/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs of positions that are to be scored: what they are, and that they do not depend
 * on what else the engine does. */
#include "base/alloc.h"
#include "base/json.h"
#include "chip_rig.h"
#include "engine_client.h"
#include "tsan.h"

#include <stdlib.h>
#include <string.h>

/* ---- prompts and positions -------------------------------------------------------- */

/* Ids that every vocabulary here has. Prompts with even numbers begin alike. */
static void fill_prompt(aim_request *r, int number, int n)
{
    aim_free(r->tokens);
    r->tokens = aim_array((size_t)n, sizeof *r->tokens);
    for (int i = 0; i < n; i++)
        r->tokens[i] = (7 * i + 31 * (i < 40 ? number % 2 : number)) % 256;
    r->n_tokens = n;
}

static aim_request *score_request(const aim_model *m, client *c, int number, int n)
{
    aim_request *r = new_request(m, c, "x");
    fill_prompt(r, number, n);
    r->max_tokens = 0;
    r->seed = 9;
    return r;
}

/* Positions first, first + step, ... of the prompt. */
static void score_every(aim_request *r, int first, int step)
{
    r->score_at = aim_array((size_t)r->n_tokens, sizeof *r->score_at);
    for (int i = first; i < r->n_tokens; i += step)
        r->score_at[r->n_scores++] = i;
}

static void score_labels(aim_request *r, int32_t one, int32_t other)
{
    r->score_ids[0] = one;
    r->score_ids[1] = other;
    r->n_score_ids = 2;
}

static void run(const aim_model *m, client *c, aim_request *r)
{
    submit(m, c, r);
    wait_end(c);
    ck_assert_int_eq(c->answers[0].finish, AIM_FINISH_LENGTH);
}

/* ---- models ------------------------------------------------------------------------- */

static aim_model *open_heads(const aim_model_options *o)
{
    static char dir[4096];
    const char *top = getenv("top_srcdir");
    aim_model_options of_heads = *o;
    snprintf(dir, sizeof dir, "%s/tests/data/models/reward_qwen-prm", top ? top : ".");
    of_heads.dir = dir;
    return open_model(&of_heads);
}

static const engine_subject subjects[] = {{"int8", open_model, NULL},
                                          {"int8", open_stretched, NULL},
                                          {"int8", open_heads, NULL},
                                          {"f32", open_heads, NULL},
                                          {"analog", open_model, noisy_chip}};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

static const engine_way ways[] = {{"together", true, 256, 0, 0},
                                  {"chunk of 2", true, 2, 0, 0},
                                  {"chunk of 7, no prefix cache", false, 7, 0, 0},
                                  {"little cache memory", true, 64, 33, 0}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static const engine_way alone = {"alone", false, 256, 0, 0};

/* ---- what they are ------------------------------------------------------------------ */

/* All outputs of all positions give the prompt's logprobs. */
START_TEST(scores_are_logits)
{
    enum { N = 60 };
    static client scored, reference;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    aim_request *r = score_request(m, &reference, 1, N);
    r->prompt_logprobs = 1;
    run(m, &reference, r);
    r = score_request(m, &scored, 1, N);
    score_every(r, 0, 1);
    run(m, &scored, r);
    int vocab = m->config.vocab;
    ck_assert_int_eq(scored.n_scores, N);
    ck_assert_int_eq(scored.score_width, vocab);
    ck_assert_ptr_null(reference.scores);
    void *scratch = aligned_alloc(64, (aim_sampler_scratch(vocab) + 63) / 64 * 64);
    r = score_request(m, &scored, 1, N); /* for its tokens */
    aim_buf trace = AIM_BUF_INIT;
    for (int i = 1; i < N; i++) {
        const float *logits = scored.scores + (size_t)(i - 1) * (size_t)vocab;
        aim_token_logprob top;
        float logprob;
        int rank;
        aim_logprobs(m->compute.kernels, logits, vocab, r->tokens[i], 1, &logprob, &rank, &top,
                     scratch);
        aim_buf_printf(&trace, "%a %d %d:%a\n", (double)logprob, rank, top.id, (double)top.logprob);
    }
    ck_assert_str_eq(trace.data, reference.prompt_trace.data);
    free(scratch);
    aim_buf_free(&trace);
    aim_request_free(r);
    client_free(&scored);
    client_free(&reference);
    close_model(m);
}
END_TEST

/* The certainty of a token is that of the logits that it was chosen from. */
START_TEST(certainty_is_of_raw_logits)
{
    enum { N = 40, ANSWER = 20 };
    static client answered, scored;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    aim_request *r = score_request(m, &answered, 1, N);
    r->max_tokens = ANSWER;
    r->self_certainty = true;
    r->sampling.temperature = 0.7;
    r->sampling.top_k = 5;
    r->sampling.repetition_penalty = 1.2;
    r->sampling.ignore_eos = true;
    submit(m, &answered, r);
    wait_end(&answered);
    r = score_request(m, &scored, 1, N + ANSWER);
    memcpy(r->tokens + N, answered.answers[0].ids.v, ANSWER * sizeof *r->tokens);
    score_every(r, N - 1, 1);
    run(m, &scored, r);
    const char *line = answered.answers[0].trace.data;
    for (size_t i = 0; i < ANSWER; i++, line = strchr(line, '\n') + 1) {
        const float *logits = scored.scores + i * (size_t)m->config.vocab;
        double certainty = (double)aim_self_certainty(m->compute.kernels, logits, m->config.vocab);
        double told; /* the last of the line */
        ck_assert_int_eq(sscanf(line, "%*d %*a %*d %la", &told), 1);
        ck_assert(certainty == told && certainty > 0);
    }
    client_free(&answered);
    client_free(&scored);
    close_model(m);
}
END_TEST

/* ---- what they do not depend on ------------------------------------------------------- */

enum { PROMPTS = TSAN ? 2 : ASAN ? 3 : 7 };

static int length_of(int number)
{
    return 55 + 9 * number;
}

/* The outputs that a sparse request was told are among those of all positions. */
static void check_scores(const client *all, const client *some, int first, int step)
{
    ck_assert_int_eq(some->n_scores, (all->n_scores - first + step - 1) / step);
    ck_assert_int_eq(some->score_width, 2);
    for (int i = 0; i < some->n_scores; i++) {
        const float *want = all->scores + (size_t)(first + i * step) * (size_t)all->score_width;
        const float *got = some->scores + 2 * (size_t)i;
        ck_assert(memcmp(&got[0], &want[1], sizeof *got) == 0);
        ck_assert(memcmp(&got[1], &want[0], sizeof *got) == 0);
    }
}

/* Answers beside them, of models that give some. */
static bool submit_beside(const aim_model *m, client *c)
{
    if (m->config.head != AIM_HEAD_LANGUAGE)
        return false;
    aim_request *r = score_request(m, c, 4, 50);
    r->n = 3;
    r->max_tokens = 40;
    r->sampling.ignore_eos = true;
    submit(m, c, r);
    return true;
}

START_TEST(scores_do_not_depend_on_load)
{
    const engine_subject *on = &subjects[_i / WAYS];
    const engine_way *by = &ways[_i % WAYS];
    if (TSAN && (on->open != open_heads || by->kv_blocks))
        return;
    if (ASAN && on->chip && by != ways) /* the engine is the same, layers are slow */
        return;
    static const struct {
        int first, step;
    } positions[] = {{0, 1}, {50, 4}, {3, 17}};
    static client all[PROMPTS], some[PROMPTS], beside;
    aim_model *m = open_way(on, &alone);
    for (int i = 0; i < PROMPTS; i++) {
        aim_request *r = score_request(m, &all[i], i, length_of(i));
        score_every(r, 0, 1);
        run(m, &all[i], r);
    }
    close_model(m);
    m = open_way(on, by);
    for (int round = 0; round < 3; round++) {
        int first = positions[round].first, step = positions[round].step;
        bool others = submit_beside(m, &beside);
        for (int i = 0; i < PROMPTS; i++) {
            aim_request *r = score_request(m, &some[i], i, length_of(i));
            score_every(r, first, step);
            score_labels(r, 1, 0);
            submit(m, &some[i], r);
        }
        for (int i = 0; i < PROMPTS; i++) {
            wait_end(&some[i]);
            check_scores(&all[i], &some[i], first, step);
            ck_assert_int_le(some[i].cached, first);
            client_free(&some[i]);
        }
        if (others)
            wait_end(&beside);
        client_free(&beside);
    }
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    if (by->kv_blocks == 0) /* little memory may keep nothing */
        ck_assert_int_eq(st.prefix_hits > 0, by->prefix_cache);
    close_model(m);
    for (int i = 0; i < PROMPTS; i++)
        client_free(&all[i]);
}
END_TEST

/* Rows in front of the first position come out of the cache, in whole blocks. */
START_TEST(the_cache_serves_what_is_not_scored)
{
    static const struct {
        int first, cached;
    } cases[] = {{79, 64}, {64, 64}, {63, 48}, {16, 16}, {15, 0}, {0, 0}};
    static client c;
    aim_model_options o = options();
    aim_model *m = open_heads(&o);
    uint64_t positions = 0;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_request *r = score_request(m, &c, 0, 80);
        score_every(r, cases[i].first, 5);
        positions += (uint64_t)r->n_scores;
        run(m, &c, r);
        if (i > 0) /* the first finds nothing */
            ck_assert_int_eq(c.cached, cases[i].cached);
        client_free(&c);
    }
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    ck_assert_uint_eq(st.scored_positions, positions);
    ck_assert_uint_eq(st.head_rows, positions); /* and none that nobody asked for */
    close_model(m);
}
END_TEST

START_TEST(cancelled_scores_leave_nothing)
{
    static client c[4];
    aim_model_options o = options();
    o.engine.prefill_chunk = 1;
    aim_model *m = open_heads(&o);
    for (int i = 0; i < 4; i++) {
        aim_request *r = score_request(m, &c[i], i, 300);
        score_every(r, 0, 2);
        submit(m, &c[i], r);
    }
    for (int i = 0; i < 4; i++)
        aim_engine_cancel(m->engine, &c[i]);
    for (int i = 0; i < 4; i++) {
        wait_end(&c[i]);
        ck_assert_int_eq(c[i].answers[0].finish, AIM_FINISH_ABORT);
        client_free(&c[i]);
    }
    close_model(m);
}
END_TEST

/* ---- refusals --------------------------------------------------------------------------- */

static const struct refusal {
    int n_scores, first, second; /* positions */
    int n_ids, id;
    int max_tokens, prompt_logprobs;
    enum aim_code language, heads; /* what submit says of either kind of model */
} refusals[] = {
    {2, 0, 19, 1, 0, 0, -1, AIM_OK, AIM_OK},
    {2, 0, 19, 1, 1, 0, -1, AIM_OK, AIM_OK},
    {2, 0, 19, 1, 2, 0, -1, AIM_OK, AIM_EINVAL},
    {2, 0, 19, 0, 0, 0, -1, AIM_OK, AIM_OK},
    {2, 0, 20, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, -1, 2, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 5, 5, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 6, 5, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {-1, 0, 1, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {21, 0, 1, 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 0, 1, 1, -1, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 0, 1, 1, INT32_MAX, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 0, 1, -1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 0, 1, AIM_MAX_SCORE_IDS + 1, 0, 0, -1, AIM_EINVAL, AIM_EINVAL},
    {2, 0, 1, 1, 0, 1, -1, AIM_EINVAL, AIM_EUNSUPPORTED},
    {2, 0, 1, 1, 0, 0, 0, AIM_EINVAL, AIM_EUNSUPPORTED},
    {0, 0, 0, 0, 0, 1, -1, AIM_OK, AIM_EUNSUPPORTED},
    {0, 0, 0, 0, 0, 0, 0, AIM_OK, AIM_EUNSUPPORTED},
    {0, 0, 0, 0, 0, 0, -1, AIM_OK, AIM_OK},
};

START_TEST(what_cannot_be_is_refused)
{
    static client c;
    aim_model_options o = options();
    bool heads = _i;
    aim_model *m = heads ? open_heads(&o) : open_model(&o);
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        const struct refusal *f = &refusals[i];
        aim_error err = {0};
        aim_request *r = score_request(m, &c, 0, 20);
        r->n_scores = f->n_scores;
        r->score_at = f->n_scores ? aim_calloc(2, sizeof *r->score_at) : NULL;
        if (r->score_at) {
            r->score_at[0] = f->first;
            r->score_at[1] = f->second;
        }
        r->n_score_ids = f->n_ids;
        r->score_ids[0] = f->id;
        r->max_tokens = f->max_tokens;
        r->prompt_logprobs = f->prompt_logprobs;
        enum aim_code want = heads ? f->heads : f->language;
        c.n = 1;
        ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, &err), (int)want);
        ck_assert_int_eq(err.text[0] != '\0', want != AIM_OK);
        if (want == AIM_OK)
            wait_end(&c);
        client_free(&c);
    }
    close_model(m);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("scores");
    TCase *tc = tcase_create("scores");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, scores_are_logits);
    tcase_add_test(tc, certainty_is_of_raw_logits);
    tcase_add_loop_test(tc, scores_do_not_depend_on_load, 0, SUBJECTS * WAYS);
    tcase_add_test(tc, the_cache_serves_what_is_not_scored);
    tcase_add_test(tc, cancelled_scores_leave_nothing);
    tcase_add_loop_test(tc, what_cannot_be_is_refused, 0, 2);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
