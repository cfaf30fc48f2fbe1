/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler against brute force, its distribution against the softmax, and
 * the matcher of stop strings. */
#include "base/alloc.h"
#include "base/fixmath.h"
#include "base/rng.h"
#include "engine/sampler.h"
#include "engine/stop_match.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 50 };

static aim_sampling params;
static float logits[VOCAB];
static void *scratch;
static const int32_t eos[] = {7};

static void setup(void)
{
    aim_sampling_init(&params);
    scratch = aligned_alloc(64, (aim_sampler_scratch(VOCAB) + 63) / 64 * 64);
    for (int i = 0; i < VOCAB; i++)
        logits[i] = (float)(4 * aim_rng_uniform(11, AIM_STREAM_WEIGHTS, (uint64_t)i));
}

static void teardown(void)
{
    free(scratch);
}

static int32_t sample(const int32_t *tokens, int n_prompt, int n_tokens, uint64_t seed)
{
    aim_sample_input in = {.kernels = aim_kernels_pick("portable", NULL),
                           .logits = logits,
                           .vocab = VOCAB,
                           .params = &params,
                           .tokens = tokens,
                           .n_prompt = n_prompt,
                           .n_tokens = n_tokens,
                           .eos = eos,
                           .n_eos = 1,
                           .seed = seed,
                           .scratch = scratch};
    return aim_sample(&in);
}

static const int32_t one_token[] = {1};

/* ---- greedy ------------------------------------------------------------------ */

START_TEST(greedy_takes_lowest_id_of_ties)
{
    params.temperature = 0;
    logits[20] = logits[33] = logits[41] = 9;
    ck_assert_int_eq(sample(one_token, 1, 1, 1), 20);
}
END_TEST

START_TEST(greedy_survives_nan_and_infinities)
{
    params.temperature = 0;
    logits[3] = NAN;
    logits[4] = -INFINITY;
    logits[30] = 100;
    ck_assert_int_eq(sample(one_token, 1, 1, 1), 30);
    for (int i = 0; i < VOCAB; i++)
        logits[i] = NAN;
    int32_t id = sample(one_token, 1, 1, 1);
    ck_assert(id >= 0 && id < VOCAB);
    params.temperature = 1;
    id = sample(one_token, 1, 1, 1);
    ck_assert(id >= 0 && id < VOCAB);
}
END_TEST

START_TEST(bias_and_min_tokens)
{
    params.temperature = 0;
    params.bias = aim_malloc(sizeof *params.bias);
    params.n_bias = 1;
    params.bias[0] = (aim_logit_bias){17, 100};
    ck_assert_int_eq(sample(one_token, 1, 1, 1), 17);
    params.bias[0].id = eos[0];
    ck_assert_int_eq(sample(one_token, 1, 1, 1), eos[0]);
    params.min_tokens = 1;
    ck_assert_int_ne(sample(one_token, 1, 1, 1), eos[0]);
    const int32_t two[] = {1, 2};
    ck_assert_int_eq(sample(two, 1, 2, 1), eos[0]);
    aim_sampling_fini(&params);
}
END_TEST

START_TEST(penalties)
{
    params.temperature = 0;
    logits[5] = 10;
    logits[6] = 9.5f;
    const int32_t tokens[] = {5, 6, 5, 5}; /* one of the prompt, three generated */
    params.presence_penalty = 1;           /* 5 -> 9, 6 -> 8.5 */
    ck_assert_int_eq(sample(tokens, 1, 4, 1), 5);
    params.frequency_penalty = 1; /* 5 -> 7, 6 -> 7.5 */
    ck_assert_int_eq(sample(tokens, 1, 4, 1), 6);
    ck_assert_int_eq(sample(tokens, 4, 4, 1), 5); /* the prompt does not count */
    params.presence_penalty = params.frequency_penalty = 0;
    params.repetition_penalty = 3; /* the prompt counts: all others are below 4 */
    logits[8] = 3.4f;
    logits[5] = 10;
    for (int i = 0; i < VOCAB; i++)
        if (i != 5 && i != 8)
            logits[i] = -1;
    ck_assert_int_eq(sample(tokens, 4, 4, 1), 8);
}
END_TEST

/* ---- the set that is drawn from, by brute force ------------------------------- */

static int by_rank(const void *a, const void *b)
{
    int i = *(const int *)a, j = *(const int *)b;
    return logits[i] > logits[j] ? -1 : logits[i] < logits[j] ? 1 : i - j;
}

/* Probabilities after top_k, top_p, min_p in double. */
static void expected(double *p)
{
    int order[VOCAB];
    double top = -1e9, total = 0, sum = 0;
    for (int i = 0; i < VOCAB; i++) {
        order[i] = i;
        top = fmax(top, (double)logits[i]);
    }
    qsort(order, VOCAB, sizeof order[0], by_rank);
    int k = params.top_k > 0 ? params.top_k : VOCAB;
    double w[VOCAB];
    for (int r = 0; r < VOCAB; r++) {
        w[r] = exp(((double)logits[order[r]] - top) / params.temperature);
        if (r >= k || w[r] < params.min_p)
            w[r] = 0;
        total += w[r];
    }
    for (int r = 0; r < VOCAB; r++) {
        if (sum >= params.top_p * total)
            w[r] = 0;
        sum += w[r];
    }
    for (int r = 0; r < VOCAB; r++)
        p[order[r]] = w[r] / sum;
}

static const struct {
    double temperature, top_p, min_p;
    int top_k;
} sets[] = {{1, 1, 0, 0},        {0.5, 1, 0, 0},   {2, 1, 0, 0},       {1, 1, 0, 5},
            {1, 1, 0, 1},        {1, 0.5, 0, 0},   {1, 0.9, 0, 10},    {1, 1, 0.2, 0},
            {1.5, 0.7, 0.1, 20}, {1, 0.001, 0, 0}, {0.8, 0.95, 0, 49}, {1, 1, 1, 0}};

START_TEST(draws_follow_the_distribution)
{
    enum { N = 20000 };
    params.temperature = sets[_i].temperature;
    params.top_p = sets[_i].top_p;
    params.min_p = sets[_i].min_p;
    params.top_k = sets[_i].top_k;
    double p[VOCAB];
    int seen[VOCAB] = {0};
    expected(p);
    for (int i = 0; i < N; i++)
        seen[sample(one_token, 1, 1, (uint64_t)i)]++;
    double chi2 = 0;
    int freedom = -1;
    for (int i = 0; i < VOCAB; i++) {
        if (p[i] == 0) {
            ck_assert_msg(seen[i] == 0, "id %d is outside the set", i);
            continue;
        }
        double want = p[i] * N;
        chi2 += (seen[i] - want) * (seen[i] - want) / want;
        freedom++;
    }
    /* Six standard deviations of chi-square, beyond one in a million. */
    ck_assert_msg(chi2 < freedom + 6 * sqrt(2.0 * freedom) + 12, "chi2 %g at %d degrees", chi2,
                  freedom);
}
END_TEST

START_TEST(same_seed_same_token)
{
    const int32_t tokens[] = {1, 2, 3};
    int differ = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        int32_t a = sample(tokens, 1, 3, seed);
        ck_assert_int_eq(a, sample(tokens, 1, 3, seed));
        differ += a != sample(tokens, 1, 2, seed); /* another token number, another draw */
    }
    ck_assert_int_gt(differ, 10);
}
END_TEST

/* ---- logprobs ------------------------------------------------------------------ */

START_TEST(logprobs_and_ranks)
{
    int order[VOCAB];
    double sum = 0;
    logits[9] = logits[12];
    for (int i = 0; i < VOCAB; i++) {
        order[i] = i;
        sum += exp((double)logits[i]);
    }
    qsort(order, VOCAB, sizeof order[0], by_rank);
    for (int r = 0; r < VOCAB; r++) {
        float logprob;
        int rank;
        aim_token_logprob top[20];
        aim_logprobs(aim_kernels_pick("portable", NULL), logits, VOCAB, order[r], 20, &logprob,
                     &rank, top, scratch);
        ck_assert_int_eq(rank, r + 1);
        ck_assert_double_eq_tol(logprob, (double)logits[order[r]] - log(sum), 1e-5);
        for (int i = 0; i < 20; i++)
            ck_assert_int_eq(top[i].id, order[i]);
        if (r < 20)
            ck_assert(top[r].logprob == logprob); /* the same float, not nearly */
    }
}
END_TEST

/* ---- stop strings --------------------------------------------------------------- */

static char *const stops[] = {(char *)"END", (char *)"\n\n", (char *)"EN", (char *)"xyx"};

static const struct {
    const char *text;
    int which;
    size_t at, hold;
} texts[] = {
    {"", -1, 0, 0},     {"hello", -1, 5, 0}, {"hello E", -1, 7, 1}, {"the END.", 0, 4, 0},
    {"a EN", 2, 2, 2},  {"a\n", -1, 2, 1},   {"a\n\nEND", 1, 1, 0}, {"xy", -1, 2, 2},
    {"xyxyx", 3, 0, 0}, {"axx", -1, 3, 1},   {"E\nE", -1, 3, 1},
};

START_TEST(stop_strings)
{
    size_t at;
    const char *text = texts[_i].text;
    ck_assert_int_eq(aim__stop_find(text, strlen(text), stops, 4, &at), texts[_i].which);
    ck_assert_uint_eq(at, texts[_i].at);
    if (texts[_i].which < 0)
        ck_assert_uint_eq(aim__stop_holdback(text, strlen(text), stops, 4), texts[_i].hold);
}
END_TEST

int main(void)
{
    Suite *s = suite_create("sampler");
    TCase *tc = tcase_create("sampler");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_set_timeout(tc, 120);
    tcase_add_test(tc, greedy_takes_lowest_id_of_ties);
    tcase_add_test(tc, greedy_survives_nan_and_infinities);
    tcase_add_test(tc, bias_and_min_tokens);
    tcase_add_test(tc, penalties);
    tcase_add_loop_test(tc, draws_follow_the_distribution, 0, sizeof sets / sizeof sets[0]);
    tcase_add_test(tc, same_seed_same_token);
    tcase_add_test(tc, logprobs_and_ranks);
    tcase_add_loop_test(tc, stop_strings, 0, sizeof texts / sizeof texts[0]);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
