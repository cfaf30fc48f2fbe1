/* SPDX-License-Identifier: Apache-2.0 */
/* Outputs to scores, scores to one, and that to the weight of a vote. */
#include "tests/unit/reward_fixture.h"

#include <math.h>

static const struct {
    const char *name;
    int n;
    float scores[3];
    double want;
} aggregates[] = {
    {"last", 3, {0.5f, 0.25f, 0.75f}, 0.75},
    {"min", 3, {0.5f, 0.25f, 0.75f}, 0.25},
    {"product", 3, {0.5f, 0.25f, 0.75f}, 0.09375},
    {"mean", 3, {0.5f, 0.25f, 0.75f}, 0.5},
    {"last", 1, {0.5f}, 0.5},
    {"min", 1, {0.5f}, 0.5},
    {"product", 1, {0.5f}, 0.5},
    {"mean", 1, {0.5f}, 0.5},
    {"min", 2, {-3, -2}, -3},
    {"mean", 2, {-3, -2}, -2.5},
    {"last", 0, {0}, NAN},
    {"min", 0, {0}, NAN},
    {"product", 0, {0}, NAN},
    {"mean", 0, {0}, NAN},
};

START_TEST(scores_are_aggregated)
{
    int how = aim_aggregation_find(aggregates[_i].name);
    ck_assert_int_ge(how, 0);
    double got = aim_aggregate((enum aim_aggregation)how, aggregates[_i].scores, aggregates[_i].n);
    if (isnan(aggregates[_i].want))
        ck_assert(isnan(got));
    else
        ck_assert_double_eq(got, aggregates[_i].want);
}
END_TEST

/* The names are those of the API, in the order of the enumeration. */
START_TEST(names_are_found)
{
    ck_assert_str_eq(AIM_AGGREGATION_NAMES, "last|min|product|mean");
    ck_assert_int_eq(aim_aggregation_find("last"), AIM_AGGREGATE_LAST);
    ck_assert_int_eq(aim_aggregation_find("min"), AIM_AGGREGATE_MIN);
    ck_assert_int_eq(aim_aggregation_find("product"), AIM_AGGREGATE_PRODUCT);
    ck_assert_int_eq(aim_aggregation_find("mean"), AIM_AGGREGATE_MEAN);
    ck_assert_int_eq(aim_aggregation_find("max"), -1);
    ck_assert_int_eq(aim_aggregation_find(""), -1);
}
END_TEST

/* What the outputs of each kind of model mean. */
static const struct {
    const char *folder;
    int width;
    float outputs[2];
    double score, weight;
} meanings[] = {
    {"rlhflow", 2, {3, 1}, 0.880797, 0.880797}, /* softmax(3, 1) */
    {"rlhflow", 2, {-500, 500}, 0, 0},
    {"rlhflow", 2, {500, -500}, 1, 1},
    {"qwen-prm", 2, {1, 3}, 0.880797, 0.880797},
    {"skywork", 1, {2}, 0.880797, 0.880797}, /* the logistic function */
    {"classifier", 1, {2}, 2, 0.880797},
    {"classifier", 1, {-800}, -800, 0},
    {"qwen-rm", 1, {-1}, -1, 0.268941},
};

START_TEST(outputs_have_a_meaning)
{
    struct folder f;
    char folder[64];
    float score;
    snprintf(folder, sizeof folder, "tests/data/models/reward_%s", meanings[_i].folder);
    open_folder(&f, folder);
    aim_reward_scores(f.reward, meanings[_i].outputs, 1, meanings[_i].width, &score);
    ck_assert_double_eq_tol(score, meanings[_i].score, 1e-6);
    bool raw = !aim_reward_is_probability(f.reward);
    ck_assert_double_eq_tol(aim_reward_weight(score, raw), meanings[_i].weight, 1e-6);
    close_folder(&f);
}
END_TEST

/* A classifier of two classes tells the probability of the second. */
START_TEST(two_classes_are_a_probability)
{
    struct folder f;
    open_folder(&f, "tests/data/models/reward_classifier");
    aim_reward_free(f.reward);
    f.config.head_outputs = 2;
    f.reward = aim_reward_parse("", NULL, 0, &f.config, f.tokenizer, f.chat, NULL);
    ck_assert_ptr_nonnull(f.reward);
    ck_assert(aim_reward_is_probability(f.reward));
    const float outputs[] = {1, 3, 3, 1};
    float scores[2];
    aim_reward_scores(f.reward, outputs, 2, 2, scores);
    ck_assert_float_eq_tol(scores[0], 0.880797f, 1e-6f);
    ck_assert_float_eq_tol(scores[1], 0.119203f, 1e-6f);
    close_folder(&f);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("aggregation of rewards");
    TCase *cases = tcase_create("numbers");
    tcase_add_loop_test(cases, scores_are_aggregated, 0, COUNT(aggregates));
    tcase_add_test(cases, names_are_found);
    tcase_add_loop_test(cases, outputs_have_a_meaning, 0, COUNT(meanings));
    tcase_add_test(cases, two_classes_are_a_probability);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
