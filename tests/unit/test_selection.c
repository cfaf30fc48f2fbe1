/* SPDX-License-Identifier: Apache-2.0 */
/* The sampler, which does not sort the vocabulary, against one that does: the same
 * token for the same draw, with every kernel, and the loops that it is made of. */
#include "base/rng.h"
#include "engine/selection.h"
#include "sampler_reference.h"
#include "tests/unit/kernels_under_test.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE = 151936, MOST_TOP = 20 };

/* ---- vocabularies ------------------------------------------------------------ */

static double uniform(uint64_t stream, int i)
{
    return aim_rng_uniform(stream, AIM_STREAM_WEIGHTS, (uint64_t)i);
}

static float normal(int i)
{
    double sum = -6;
    for (int j = 0; j < 12; j++)
        sum += uniform(77, 12 * i + j);
    return (float)sum;
}

static float wide(int i)
{
    return 9 * normal(i);
}

static float tied(int i)
{
    (void)i;
    return -0.25f;
}

static float few_levels(int i)
{
    return rintf(2 * normal(i));
}

static float mostly_masked(int i)
{
    return i % 7 == 3 ? normal(i) : -INFINITY;
}

static float with_nan(int i)
{
    return i % 5 == 1 ? NAN : normal(i);
}

static float all_nan(int i)
{
    (void)i;
    return NAN;
}

static float one_far_ahead(int i)
{
    return i == 0 ? 200 : normal(i);
}

static float overflowed(int i)
{
    return i % 100 == 9 ? INFINITY : normal(i);
}

static float signed_zeros(int i)
{
    return i % 3 ? 0.0f : -0.0f;
}

typedef float logit_fn(int i);
static logit_fn *const kinds[] = {normal,   wide,    tied,          few_levels, mostly_masked,
                                  with_nan, all_nan, one_far_ahead, overflowed, signed_zeros};
enum { N_KINDS = sizeof kinds / sizeof kinds[0] };

static float *vocabulary(logit_fn *kind, int n)
{
    float *logits = malloc((size_t)n * sizeof *logits);
    for (int i = 0; i < n; i++)
        logits[i] = kind(i);
    return logits;
}

static void *room_for(size_t bytes)
{
    return aligned_alloc(64, (bytes + 63) / 64 * 64);
}

/* ---- the sampler --------------------------------------------------------------- */

static const struct {
    double temperature, top_p, min_p;
    int top_k;
    double repetition, presence, frequency;
} settings[] = {
    {0, 1, 0, 0, 1, 0, 0},        {1, 1, 0, 0, 1, 0, 0},           {0.7, 0.95, 0, 0, 1, 0, 0},
    {2, 0.5, 0, 0, 1, 0, 0},      {1, 0.999999, 0, 0, 1, 0, 0},    {1, 1 - 1e-16, 0, 0, 1, 0, 0},
    {1, 1e-9, 0, 0, 1, 0, 0},     {1, 1, 0, 1, 1, 0, 0},           {1, 1, 0, 40, 1, 0, 0},
    {1, 0.9, 0, 40, 1, 0, 0},     {0.01, 0.9, 0, 1000, 1, 0, 0},   {1, 0.25, 0, 8, 1, 0, 0},
    {1, 1, 0.05, 0, 1, 0, 0},     {1.5, 0.8, 0.02, 100, 1, 0, 0},  {1, 1, 1, 0, 1, 0, 0},
    {1, 0.75, 1e-60, 7, 1, 0, 0}, {1, 0.95, 0, 0, 1.3, 0.5, 0.25}, {0, 1, 0, 0, 1.3, 0.5, -0.25},
};
enum { N_SETTINGS = sizeof settings / sizeof settings[0] };

static aim_sampling sampling_of(int i)
{
    aim_sampling s;
    aim_sampling_init(&s);
    s.temperature = settings[i].temperature;
    s.top_p = settings[i].top_p;
    s.min_p = settings[i].min_p;
    s.top_k = settings[i].top_k;
    s.repetition_penalty = settings[i].repetition;
    s.presence_penalty = settings[i].presence;
    s.frequency_penalty = settings[i].frequency;
    return s;
}

static void compare_draws(logit_fn *kind, int vocab, int seeds)
{
    float *logits = vocabulary(kind, vocab);
    void *scratch = room_for(aim_sampler_scratch(vocab));
    int32_t tokens[] = {0, vocab / 2, vocab - 1, vocab / 2, vocab / 3, 0, 0};
    for (int i = 0; i < N_SETTINGS * seeds; i++) {
        aim_sampling params = sampling_of(i % N_SETTINGS);
        aim_sample_input in = {.logits = logits,
                               .vocab = vocab,
                               .params = &params,
                               .tokens = tokens,
                               .n_prompt = 2,
                               .n_tokens = 7,
                               .seed = (uint64_t)i,
                               .scratch = scratch};
        int32_t expected = reference_sample(&in);
        for (int row = 0; row < row_count(); row++) {
            in.kernels = row_or_skip(row);
            if (!in.kernels)
                continue;
            int32_t id = aim_sample(&in);
            ck_assert_msg(id == expected, "%s, vocabulary of %d, setting %d, seed %d: %d not %d",
                          in.kernels->name, vocab, i % N_SETTINGS, i, id, expected);
        }
    }
    free(scratch);
    free(logits);
}

START_TEST(draws_as_if_sorted)
{
    static const int sizes[] = {1, 2, 15, 16, 17, 64, 65, 511, 1000, 2049, 4100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        compare_draws(kinds[_i], sizes[i], sizes[i] < 100 ? 8 : 2);
}
END_TEST

START_TEST(draws_as_if_sorted_from_many)
{
    static logit_fn *const some[] = {normal, wide, few_levels};
    compare_draws(some[_i], LARGE, 1);
}
END_TEST

/* ---- where sums are too close ---------------------------------------------------- */

/* Half of four equal ones is two: whether a sum reaches it is for the definition to say,
 * and whether it is above it. */
START_TEST(ties_are_too_close_to_call)
{
    const aim_kernels *k = aim_kernels_pick("portable", NULL);
    float p[] = {0.5f, 0.5f, 0.5f, 0.5f};
    void *room = room_for(aim__selection_room(4));
    ck_assert(!aim__keep_nucleus(k, p, 4, 0.5, room));
    ck_assert_int_eq(aim__draw(k, p, 4, 0.5), -1);
    ck_assert_int_eq(aim__draw_exactly(p, 4, 0.5), 2);
    aim__keep_nucleus_exactly(p, 4, 0.5, false, room);
    ck_assert(p[0] == 0.5f && p[1] == 0.5f && p[2] == 0 && p[3] == 0);
    free(room);
}
END_TEST

enum { STEEP = 4096 };

/* Probabilities over many powers of two, so that each sum of many rounds. */
static void steep(float *p)
{
    for (int i = 0; i < STEEP; i++)
        p[i] = (float)exp(-60 * uniform(5, i));
}

/* `sum` of `total` as a share, and the doubles beside it. */
static int shares_about(double sum, double total, double out[3])
{
    double share = sum / total;
    double all[] = {nextafter(share, 0), share, nextafter(share, 2)};
    int n = 0;
    for (int i = 0; i < 3; i++)
        if (all[i] > 0 && all[i] < 1)
            out[n++] = all[i];
    return n;
}

static double sum_of(const float *p)
{
    double total = 0;
    for (int i = 0; i < STEEP; i++)
        total += (double)p[i];
    return total;
}

/* Where a draw lies upon the bound of two tokens, the order of the sums tells which it
 * is: that is left to the definition, or decided like it. */
START_TEST(draws_upon_a_bound_are_those_of_the_definition)
{
    float p[STEEP];
    steep(p);
    double total = sum_of(p), sum = 0, draws[3];
    for (int i = 0; i < STEEP; i++) {
        sum += (double)p[i];
        int n = shares_about(sum, total, draws);
        for (int j = 0; j < n; j++) {
            int32_t expected = aim__draw_exactly(p, STEEP, draws[j]);
            for (int row = 0; row < row_count(); row++) {
                const aim_kernels *k = row_or_skip(row);
                int32_t id = k ? aim__draw(k, p, STEEP, draws[j]) : -1;
                ck_assert_msg(id < 0 || id == expected, "%s: token %d, not %d, of %.17g", k->name,
                              id, expected, draws[j]);
            }
        }
    }
}
END_TEST

static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static void compare_nuclei(const aim_kernels *k, const float *p, double share, void *room)
{
    float quick[STEEP], exact[STEEP];
    memcpy(quick, p, sizeof quick);
    if (!aim__keep_nucleus(k, quick, STEEP, share, room))
        return;
    memcpy(exact, p, sizeof exact);
    aim__keep_nucleus_exactly(exact, STEEP, share, false, room);
    ck_assert_msg(memcmp(quick, exact, sizeof quick) == 0, "%s: %.17g", k->name, share);
}

START_TEST(nuclei_upon_a_bound_are_those_of_the_definition)
{
    void *room = room_for(aim__selection_room(STEEP));
    float p[STEEP], sorted[STEEP];
    steep(p);
    memcpy(sorted, p, sizeof p);
    qsort(sorted, STEEP, sizeof *sorted, descending);
    double total = sum_of(p), sum = 0, shares[3];
    for (int i = 0; i < STEEP; i++) {
        sum += (double)sorted[i];
        int n = i % 8 ? 0 : shares_about(sum, total, shares);
        for (int j = 0; j < n; j++)
            for (int row = 0; row < row_count(); row++)
                if (row_or_skip(row))
                    compare_nuclei(row_or_skip(row), p, shares[j], room);
    }
    free(room);
}
END_TEST

/* Others are not, so that the quick way is in use. */
START_TEST(others_are_decided_at_once)
{
    enum { N = 4096 };
    const aim_kernels *k = aim_kernels_pick(NULL, NULL);
    void *room = room_for(aim__selection_room(N));
    float *p = vocabulary(normal, N);
    k->exp_scaled(p, N, k->max(p, N), 1);
    for (int i = 0; i < 100; i++)
        ck_assert_int_ge(aim__draw(k, p, N, uniform(5, i)), 0);
    for (double share = 0.99; share > 0.1; share -= 0.05)
        ck_assert(aim__keep_nucleus(k, p, N, share, room));
    free(p);
    free(room);
}
END_TEST

/* ---- logprobs ---------------------------------------------------------------------- */

static void compare_ranks(const aim_kernels *k, const float *logits, int vocab, void *scratch)
{
    float *numbers = malloc((size_t)vocab * sizeof *numbers);
    k->replace_nan(numbers, logits, vocab);
    int n_top = vocab < MOST_TOP ? vocab : MOST_TOP, step = vocab / 5 + 1;
    for (int32_t id = 0; id < vocab; id += step) {
        int32_t expected[MOST_TOP];
        aim_token_logprob top[MOST_TOP];
        float logprob;
        int rank;
        aim_logprobs(k, logits, vocab, id, n_top, &logprob, &rank, top, scratch);
        ck_assert_int_eq(rank, reference_rank(numbers, vocab, id, expected, n_top));
        for (int i = 0; i < n_top; i++)
            ck_assert_int_eq(top[i].id, expected[i]);
    }
    free(numbers);
}

START_TEST(ranks_as_if_sorted)
{
    static const int sizes[] = {1, 2, 19, 21, 65, 1000, 4100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        float *logits = vocabulary(kinds[_i], sizes[i]);
        void *scratch = room_for(aim_sampler_scratch(sizes[i]));
        for (int row = 0; row < row_count(); row++)
            if (row_or_skip(row))
                compare_ranks(row_or_skip(row), logits, sizes[i], scratch);
        free(scratch);
        free(logits);
    }
}
END_TEST

/* ---- self-certainty ------------------------------------------------------------------ */

/* As the paper has it: minus the mean of log(vocab * p). 0 if a logit is not finite. */
static double reference_certainty(const float *logits, int vocab)
{
    double total = 0, sum = 0;
    for (int i = 0; i < vocab; i++)
        total += exp((double)logits[i]);
    for (int i = 0; i < vocab; i++)
        sum += log(vocab * exp((double)logits[i]) / total);
    return isfinite(sum) ? -sum / vocab : 0;
}

START_TEST(certainty_as_defined)
{
    static const int sizes[] = {1, 2, 19, 1000, 4100};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        float *logits = vocabulary(kinds[_i], sizes[i]);
        double expected = reference_certainty(logits, sizes[i]);
        float plain = aim_self_certainty(aim_kernels_pick("portable", NULL), logits, sizes[i]);
        ck_assert_double_eq_tol(plain, expected, 1e-5 * (1 + expected));
        for (int row = 0; row < row_count(); row++)
            if (row_or_skip(row))
                ck_assert(aim_self_certainty(row_or_skip(row), logits, sizes[i]) == plain);
        free(logits);
    }
}
END_TEST

/* ---- kernels --------------------------------------------------------------------- */

/* Every row of the table like the portable one, at all lengths about a register's. */
START_TEST(kernels_give_the_same_bits)
{
    enum { N = 150 };
    const aim_kernels *plain = aim_kernels_pick("portable", NULL);
    for (int row = 0; row < row_count(); row++) {
        const aim_kernels *k = row_or_skip(row);
        for (int n = 0; k && n <= N; n++) {
            float x[N + 1], a[N + 1], b[N + 1];
            int count_a, count_b;
            for (int i = 0; i < n; i++)
                x[i] = kinds[_i](i);
            a[n] = b[n] = 1234;
            k->replace_nan(a, x, n);
            plain->replace_nan(b, x, n);
            ck_assert_mem_eq(a, b, sizeof *a * (size_t)(n + 1));
            ck_assert_int_eq(k->first_from(a, n, 0.5f), plain->first_from(b, n, 0.5f));
            k->exp_scaled(a, n, 3, 1.5f);
            plain->exp_scaled(b, n, 3, 1.5f);
            ck_assert_mem_eq(a, b, sizeof *a * (size_t)(n + 1));
            double sum_a = k->sum_from(a, n, 0.01f, &count_a);
            double sum_b = plain->sum_from(b, n, 0.01f, &count_b);
            ck_assert(memcmp(&sum_a, &sum_b, sizeof sum_a) == 0 && count_a == count_b);
            k->zero_below(a, n, 0.001f);
            plain->zero_below(b, n, 0.001f);
            ck_assert_mem_eq(a, b, sizeof *a * (size_t)(n + 1));
            int kept = k->keep_between(a, a, n, 0.01f, 0.5f);
            ck_assert_int_eq(kept, plain->keep_between(b, b, n, 0.01f, 0.5f));
            ck_assert_mem_eq(a, b, sizeof *a * (size_t)kept);
            ck_assert(a[n] == 1234 && b[n] == 1234);
        }
    }
}
END_TEST

int main(void)
{
    Suite *s = suite_create("selection");
    TCase *tc = tcase_create("selection");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, draws_as_if_sorted, 0, N_KINDS);
    tcase_add_loop_test(tc, draws_as_if_sorted_from_many, 0, 3);
    tcase_add_test(tc, ties_are_too_close_to_call);
    tcase_add_test(tc, draws_upon_a_bound_are_those_of_the_definition);
    tcase_add_test(tc, nuclei_upon_a_bound_are_those_of_the_definition);
    tcase_add_test(tc, others_are_decided_at_once);
    tcase_add_loop_test(tc, ranks_as_if_sorted, 0, N_KINDS);
    tcase_add_loop_test(tc, certainty_as_defined, 0, N_KINDS);
    tcase_add_loop_test(tc, kernels_give_the_same_bits, 0, N_KINDS);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
