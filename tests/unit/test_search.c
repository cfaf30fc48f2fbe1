/* SPDX-License-Identifier: Apache-2.0 */
/* Searches: options, what is handed out and reported, misuse, and large ones. What they
 * decide is compared with a model of them in tests/search. */
#include "search/search_impl.h"

#include "base/alloc.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

static aim_search_options best_of(int n)
{
    return (aim_search_options){.best_of = n, .n = 1, .max_tokens = 100};
}

static aim_search_options steps_of(enum aim_search_kind kind, int best_of, int width)
{
    return (aim_search_options){
        .kind = kind,
        .best_of = best_of,
        .n = 1,
        .beam_width = width,
        .select = AIM_SELECT_REWARD,
        .scored = true,
        .step_rewards = true,
        .max_tokens = 100,
    };
}

static aim_search *new_search(const aim_search_options *o)
{
    aim_error err = {0};
    aim_search *s = aim_search_new(o, &err);
    ck_assert_msg(s != NULL, "%s", err.text);
    return s;
}

/* ---- a driver: each piece of work as soon as it is there ----------------------------- */

static void say(aim_search *s, int number, const char *text)
{
    ck_assert(aim_search_token(s, number, 1, text, strlen(text), -1, 1));
}

/* One token, and what ends with it. */
static void sample(aim_search *s, int number, const char *text, enum aim_sampled how)
{
    say(s, number, text);
    aim_search_sampled(s, number, how);
}

static void score(aim_search *s, int number, float x)
{
    ck_assert(aim_search_scored(s, number, &x, 1));
}

static void expect_sample(aim_search *s, int number, int n)
{
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.task, AIM_TASK_SAMPLE);
    ck_assert_int_eq(w.number, number);
    ck_assert_int_eq(w.n, n);
}

static void expect_score(aim_search *s, int number, int first_step)
{
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.task, AIM_TASK_SCORE);
    ck_assert_int_eq(w.number, number);
    ck_assert_int_eq(w.first_step, first_step);
}

static void expect_nothing(aim_search *s)
{
    ck_assert_int_eq(aim_search_next(s).task, AIM_TASK_NONE);
}

static void decide(aim_search *s)
{
    aim_error err = {0};
    ck_assert(aim_search_wants_decision(s));
    ck_assert_msg(aim_search_decide(s, &err) == 0, "%s", err.text);
}

static const aim_candidate *winner(const aim_search *s)
{
    int n;
    const aim_candidate *const *ranking = aim_search_ranking(s, &n);
    ck_assert(aim_search_is_over(s));
    ck_assert_int_ge(n, 1);
    return ranking[0];
}

/* ---- options ------------------------------------------------------------------------- */

static const struct {
    const char *param, *text;
    aim_search_options o;
} refused[] = {
    {"best_of", "best_of is 0", {.n = 1, .max_tokens = 1}},
    {"best_of", "best_of is 4097", {.best_of = 4097, .n = 1, .max_tokens = 1}},
    {"best_of", "below n, which is 3", {.best_of = 2, .n = 3, .max_tokens = 1}},
    {"best_of", "n, which is 0", {.best_of = 2, .max_tokens = 1}},
    {"max_tokens", "max_tokens is 0", {.best_of = 2, .n = 1}},
    {"max_total_tokens",
     "n times max_tokens, which is 27",
     {.best_of = 4, .n = 3, .max_tokens = 9, .max_total_tokens = 26}},
    {"max_total_tokens",
     "best_of, which is 4",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 9,
      .kind = AIM_SEARCH_BEAM,
      .beam_width = 2,
      .scored = true,
      .max_total_tokens = 3}},
    {"max_total_tokens",
     "max_total_tokens is -1",
     {.best_of = 4, .n = 1, .max_tokens = 9, .max_total_tokens = -1}},
    {"select",
     "reward needs",
     {.best_of = 2, .n = 1, .max_tokens = 1, .select = AIM_SELECT_REWARD}},
    {"select",
     "weighted needs",
     {.best_of = 2, .n = 1, .max_tokens = 1, .select = AIM_SELECT_WEIGHTED}},
    {"search", "reward model", {.best_of = 2, .n = 1, .max_tokens = 1, .kind = AIM_SEARCH_BEAM}},
    {"beam_width",
     "multiple of beam_width, which is 3",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .kind = AIM_SEARCH_DVTS,
      .beam_width = 3,
      .scored = true}},
    {"beam_width",
     "which is 0",
     {.best_of = 4, .n = 1, .max_tokens = 1, .kind = AIM_SEARCH_BEAM, .scored = true}},
    {"search",
     "41 steps",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .kind = AIM_SEARCH_BEAM,
      .beam_width = 2,
      .scored = true,
      .max_steps = AIM_SEARCH_STEPS + 1}},
    {"early_stop",
     "best_of_n",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .kind = AIM_SEARCH_BEAM,
      .beam_width = 2,
      .scored = true,
      .early = {.reject = 0.5}}},
    {"early_stop.vote",
     "vote is 0.5",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .select = AIM_SELECT_MAJORITY,
      .early = {.vote = 0.5}}},
    {"early_stop.vote",
     "vote is nan",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .select = AIM_SELECT_MAJORITY,
      .early = {.vote = (double)NAN}}},
    {"early_stop.vote",
     "majority or weighted",
     {.best_of = 4, .n = 1, .max_tokens = 1, .early = {.vote = 1}}},
    {"early_stop.vote",
     "below 1 needs",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .select = AIM_SELECT_WEIGHTED,
      .scored = true,
      .early = {.vote = 0.9}}},
    {"early_stop.vote",
     "probabilities",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .select = AIM_SELECT_WEIGHTED,
      .scored = true,
      .raw_rewards = true,
      .early = {.vote = 1}}},
    {"early_stop.reject",
     "reject is 1",
     {.best_of = 4, .n = 1, .max_tokens = 1, .scored = true, .early = {.reject = 1}}},
    {"early_stop.reject",
     "reject is nan",
     {.best_of = 4, .n = 1, .max_tokens = 1, .scored = true, .early = {.reject = (double)NAN}}},
    {"early_stop",
     "reward model",
     {.best_of = 4, .n = 1, .max_tokens = 1, .early = {.reject = 0.5}}},
    {"early_stop",
     "reward model",
     {.best_of = 4, .n = 1, .max_tokens = 1, .early = {.has_score = true, .score = 1}}},
    {"early_stop.score",
     "not a number",
     {.best_of = 4,
      .n = 1,
      .max_tokens = 1,
      .scored = true,
      .early = {.has_score = true, .score = (double)INFINITY}}},
    {"early_stop.every",
     "below 0",
     {.best_of = 4, .n = 1, .max_tokens = 1, .early = {.every = -1}}},
    {"early_stop.wave", "below 0", {.best_of = 4, .n = 1, .max_tokens = 1, .early = {.wave = -1}}},
};

START_TEST(refuses_options_that_do_not_go_together)
{
    aim_error err = {0};
    ck_assert_ptr_null(aim_search_new(&refused[_i].o, &err));
    ck_assert_int_eq(err.code, AIM_EINVAL);
    ck_assert_str_eq(err.param, refused[_i].param);
    ck_assert_msg(strstr(err.text, refused[_i].text) != NULL, "%s", err.text);
}
END_TEST

START_TEST(names)
{
    ck_assert_int_eq(aim_search_find("dvts"), AIM_SEARCH_DVTS);
    ck_assert_int_eq(aim_search_find("best"), -1);
    ck_assert_int_eq(aim_select_find("self_certainty"), AIM_SELECT_SELF_CERTAINTY);
    ck_assert_int_eq(aim_select_find(""), -1);
    ck_assert_str_eq(aim_candidate_end_name(AIM_CANDIDATE_UNNEEDED), "unneeded");
}
END_TEST

/* ---- reports ------------------------------------------------------------------------- */

START_TEST(one_round_scores_while_others_sample)
{
    aim_search_options o = best_of(3);
    o.select = AIM_SELECT_REWARD;
    o.scored = o.step_rewards = true;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 3);
    expect_nothing(s);
    sample(s, 1, "b", AIM_SAMPLED_STOP);
    expect_score(s, 1, 0);
    score(s, 1, 0.5F);
    ck_assert(!aim_search_wants_decision(s));
    sample(s, 2, "c", AIM_SAMPLED_LENGTH);
    sample(s, 0, "a", AIM_SAMPLED_STOP);
    expect_score(s, 2, 0);
    expect_score(s, 0, 0);
    score(s, 0, 0.25F);
    score(s, 2, 0.75F);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 2);
    ck_assert_int_eq(winner(s)->end, AIM_CANDIDATE_LENGTH);
    ck_assert_int_eq(aim_search_tokens(s), 3);
    expect_nothing(s);
    aim_search_free(s);
}
END_TEST

START_TEST(rounds_end_where_blocks_are_whole)
{
    aim_search_options o = best_of(2);
    o.select = AIM_SELECT_MAJORITY;
    o.early = (aim_early_stop){.vote = 1, .every = 10};
    o.prompt_tokens = 7;
    o.block_tokens = 16;
    aim_search *s = new_search(&o);
    /* Of 7 + 10 tokens 16 are in the cache; each round after it is a block longer. */
    ck_assert_int_eq(aim_search_next(s).segment_tokens, 10);
    for (int token = 0; token < 10; token++) {
        say(s, 0, "x");
        say(s, 1, "x");
    }
    aim_search_sampled(s, 0, AIM_SAMPLED_SEGMENT);
    aim_search_sampled(s, 1, AIM_SAMPLED_SEGMENT);
    decide(s);
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.n, 1);
    ck_assert_int_eq(w.segment_tokens, 16);
    aim_search_free(s);
}
END_TEST

START_TEST(a_segment_to_max_tokens_is_the_rest)
{
    aim_search_options o = best_of(1);
    o.max_tokens = 32;
    o.max_total_tokens = 32;
    aim_search *s = new_search(&o);
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.segment_tokens, 0);
    ck_assert_int_eq(w.max_tokens, 32);
    for (int token = 0; token < 32; token++)
        say(s, 0, "x");
    aim_search_sampled(s, 0, AIM_SAMPLED_SEGMENT);
    decide(s);
    ck_assert_int_eq(winner(s)->end, AIM_CANDIDATE_LENGTH);
    aim_search_free(s);
}
END_TEST

START_TEST(an_empty_segment_is_an_end)
{
    aim_search_options o = best_of(1);
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 1);
    aim_search_sampled(s, 0, AIM_SAMPLED_SEGMENT);
    decide(s);
    ck_assert_int_eq(winner(s)->end, AIM_CANDIDATE_STOP);
    ck_assert(isnan(winner(s)->score));
    aim_search_free(s);
}
END_TEST

START_TEST(what_nobody_asked_for_is_ignored)
{
    aim_search_options o = best_of(2);
    o.select = AIM_SELECT_REWARD;
    o.scored = true;
    aim_error why = {0};
    aim_search *s = new_search(&o);
    int n;
    say(s, 0, "too early");
    ck_assert_int_eq(aim_search_decide(s, &why), 0);
    ck_assert(!aim_search_is_over(s));
    ck_assert_ptr_null(aim_search_ranking(s, &n));
    ck_assert_int_eq(n, 0);
    expect_sample(s, 0, 2);
    say(s, -1, "no such");
    say(s, 2, "no such");
    score(s, 0, 1);
    aim_search_not_scored(s, 0, &why);
    sample(s, 0, "a", AIM_SAMPLED_STOP);
    sample(s, 0, "again", AIM_SAMPLED_STOP);
    score(s, 0, 0.5F); /* not handed out yet */
    expect_score(s, 0, 0);
    score(s, 0, 0.25F);
    score(s, 0, 0.75F);
    sample(s, 1, "b", AIM_SAMPLED_STOP);
    expect_score(s, 1, 0);
    score(s, 1, 0.125F);
    decide(s);
    ck_assert_str_eq(winner(s)->text.data, "a");
    ck_assert_int_eq(winner(s)->n_tokens, 1);
    ck_assert_double_eq(winner(s)->reward, 0.25);
    say(s, 0, "too late");
    ck_assert_int_eq(aim_search_tokens(s), 2);
    ck_assert_ptr_null(aim_search_candidate(s, -1));
    ck_assert_ptr_null(aim_search_candidate(s, 2));
    ck_assert_int_eq(aim_search_decide(s, &why), 0);
    aim_search_free(s);
}
END_TEST

START_TEST(a_score_of_the_whole_text_replaces_that_of_less)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 1, 1);
    o.step_rewards = false;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 1);
    sample(s, 0, "a\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    score(s, 0, 0.5F);
    decide(s);
    expect_sample(s, 1, 1);
    ck_assert_int_eq(aim_search_candidate(s, 1)->n_steps, 1);
    sample(s, 1, "b", AIM_SAMPLED_STOP);
    expect_score(s, 1, 0);
    score(s, 1, 0.25F);
    decide(s);
    ck_assert_int_eq(winner(s)->n_steps, 1);
    ck_assert_double_eq(winner(s)->reward, 0.25);
    aim_search_free(s);
}
END_TEST

/* ---- equal texts --------------------------------------------------------------------- */

static void stop_all(aim_search *s, int n, const char *text)
{
    for (int i = 0; i < n; i++)
        sample(s, i, text, AIM_SAMPLED_STOP);
}

static aim_search_options scored_best_of(int n)
{
    aim_search_options o = best_of(n);
    o.select = AIM_SELECT_REWARD;
    o.scored = o.step_rewards = true;
    return o;
}

START_TEST(a_text_is_scored_once)
{
    aim_search_options o = scored_best_of(5);
    o.early.wave = 4;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 4);
    sample(s, 2, "a", AIM_SAMPLED_STOP);
    sample(s, 1, "a", AIM_SAMPLED_STOP);
    expect_score(s, 2, 0);
    sample(s, 3, "ab", AIM_SAMPLED_STOP);
    score(s, 2, 0.5F);
    sample(s, 0, "a", AIM_SAMPLED_STOP);
    expect_score(s, 3, 0);
    expect_nothing(s);
    ck_assert(!aim_search_wants_decision(s));
    score(s, 3, 0.25F);
    decide(s);
    /* Nor in a later round. */
    expect_sample(s, 4, 1);
    sample(s, 4, "ab", AIM_SAMPLED_STOP);
    expect_nothing(s);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 0);
    static const double rewards[] = {0.5, 0.5, 0.5, 0.25, 0.25};
    for (int i = 0; i < 5; i++) {
        ck_assert_double_eq(aim_search_candidate(s, i)->reward, rewards[i]);
        ck_assert_int_eq(aim_search_candidate(s, i)->n_steps, 1);
    }
    aim_search_free(s);
}
END_TEST

START_TEST(equal_texts_fail_together)
{
    aim_search_options o = scored_best_of(3);
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 3);
    stop_all(s, 2, "a");
    expect_score(s, 0, 0);
    aim_error why = {0};
    aim_fail(&why, AIM_ECONTEXT, "too long");
    aim_search_not_scored(s, 0, &why);
    sample(s, 2, "b", AIM_SAMPLED_STOP);
    expect_score(s, 2, 0);
    score(s, 2, 0.5F);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 2);
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(aim_search_candidate(s, i)->unscored->text, "too long");
        ck_assert(isnan(aim_search_candidate(s, i)->reward));
    }
    aim_search_free(s);
}
END_TEST

/* As the end of an answer a text may have one step more than as its beginning. */
START_TEST(a_text_that_goes_on_is_another)
{
    aim_search_options o = scored_best_of(2);
    o.early = (aim_early_stop){.reject = 0.5, .every = 1};
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    sample(s, 0, "a", AIM_SAMPLED_SEGMENT);
    sample(s, 1, "a", AIM_SAMPLED_STOP);
    expect_score(s, 0, 0);
    expect_score(s, 1, 0);
    ck_assert(aim_search_scored(s, 0, NULL, 0));
    score(s, 1, 0.5F);
    decide(s);
    expect_sample(s, 0, 1);
    sample(s, 0, "", AIM_SAMPLED_STOP);
    expect_nothing(s);
    decide(s);
    ck_assert_double_eq(aim_search_candidate(s, 0)->reward, 0.5);
    aim_search_free(s);
}
END_TEST

/* In a table of texts most of which were pruned. */
START_TEST(each_round_of_beams_has_new_texts)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 2, 2);
    aim_search *s = new_search(&o);
    for (int first = 0; first < 40; first += 2) {
        expect_sample(s, first, 2);
        sample(s, first, "a\n\n", AIM_SAMPLED_STEP);
        sample(s, first + 1, "a\n\n", AIM_SAMPLED_STEP);
        expect_score(s, first, first / 2);
        expect_nothing(s);
        score(s, first, 0.5F);
        decide(s);
    }
    aim_search_free(s);
}
END_TEST

START_TEST(many_candidates_of_few_texts)
{
    aim_search_options o = scored_best_of(AIM_MAX_BEST_OF);
    aim_search *s = new_search(&o);
    expect_sample(s, 0, AIM_MAX_BEST_OF);
    char text[16];
    for (int i = 0; i < AIM_MAX_BEST_OF; i++) {
        snprintf(text, sizeof text, "%d", i % 1000);
        sample(s, i, text, AIM_SAMPLED_STOP);
    }
    for (int i = 0; i < 1000; i++)
        expect_score(s, i, 0);
    expect_nothing(s);
    for (int i = 0; i < 1000; i++)
        score(s, i, (float)i);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 999);
    for (int i = 0; i < AIM_MAX_BEST_OF; i++)
        ck_assert_double_eq(aim_search_candidate(s, i)->reward, i % 1000);
    aim_search_free(s);
}
END_TEST

/* ---- a budget for whole answers ------------------------------------------------------ */

START_TEST(no_candidate_is_begun_that_the_budget_could_not_end)
{
    aim_search_options o = best_of(4);
    o.max_tokens = 3;
    o.max_total_tokens = 8;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    expect_nothing(s);
    sample(s, 0, "a", AIM_SAMPLED_STOP);
    sample(s, 1, "b", AIM_SAMPLED_STOP);
    decide(s);
    /* What they did not use is there for two more. */
    expect_sample(s, 2, 2);
    say(s, 2, "c");
    say(s, 2, "c");
    sample(s, 2, "c", AIM_SAMPLED_LENGTH);
    sample(s, 3, "d", AIM_SAMPLED_STOP);
    decide(s);
    ck_assert(aim_search_is_over(s));
    ck_assert_int_eq(aim_search_tokens(s), 6);
    aim_search_free(s);
}
END_TEST

START_TEST(a_spent_budget_ends_with_what_there_is)
{
    aim_search_options o = best_of(AIM_MAX_BEST_OF);
    o.n = 2;
    o.max_tokens = 2;
    o.max_total_tokens = 5;
    o.early.wave = 1;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    for (int i = 0; i < 2; i++) {
        say(s, i, "a");
        sample(s, i, "a", AIM_SAMPLED_LENGTH);
    }
    decide(s);
    ck_assert(aim_search_is_over(s));
    ck_assert_int_eq(aim_search_count(s), 2);
    aim_search_free(s);
}
END_TEST

/* ---- candidates that cannot be scored ------------------------------------------------- */

static void sample_two(aim_search *s)
{
    expect_sample(s, 0, 2);
    sample(s, 0, "a 1", AIM_SAMPLED_STOP);
    sample(s, 1, "b 1", AIM_SAMPLED_STOP);
    expect_score(s, 0, 0);
    expect_score(s, 1, 0);
}

static void fail_to_score(aim_search *s, int number)
{
    aim_error why = {0};
    aim_fail_param(&why, AIM_ECONTEXT, "messages", "too long: %d", number);
    aim_search_not_scored(s, number, &why);
}

static const enum aim_select by_reward[] = {AIM_SELECT_REWARD, AIM_SELECT_WEIGHTED};

START_TEST(a_choice_by_reward_fails_without_any)
{
    aim_search_options o = best_of(2);
    o.select = by_reward[_i];
    o.scored = true;
    aim_search *s = new_search(&o);
    sample_two(s);
    fail_to_score(s, 1);
    fail_to_score(s, 0);
    aim_error err = {0};
    ck_assert_int_eq(aim_search_decide(s, &err), AIM_ECONTEXT);
    ck_assert_str_eq(err.param, "messages");
    ck_assert_str_eq(err.text, "no candidate could be scored: too long: 0");
    ck_assert(!aim_search_is_over(s));
    ck_assert(!aim_search_wants_decision(s));
    expect_nothing(s);
    aim_search_free(s);
}
END_TEST

START_TEST(others_choose_without_rewards)
{
    aim_search_options o = best_of(2);
    o.select = AIM_SELECT_MAJORITY;
    o.scored = true;
    aim_search *s = new_search(&o);
    sample_two(s);
    fail_to_score(s, 0);
    fail_to_score(s, 1);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 0);
    ck_assert_str_eq(winner(s)->unscored->text, "too long: 0");
    ck_assert(isnan(winner(s)->reward));
    aim_search_free(s);
}
END_TEST

START_TEST(one_that_can_be_scored_is_enough)
{
    aim_search_options o = best_of(2);
    o.select = AIM_SELECT_REWARD;
    o.scored = true;
    aim_search *s = new_search(&o);
    sample_two(s);
    fail_to_score(s, 0);
    score(s, 1, -INFINITY);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 1);
    aim_search_free(s);
}
END_TEST

START_TEST(a_step_search_fails_without_any)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM + _i, 2, 2);
    o.select = AIM_SELECT_LOGPROB;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    sample(s, 0, "a\n\n", AIM_SAMPLED_STEP);
    sample(s, 1, "b\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    expect_score(s, 1, 0);
    fail_to_score(s, 0);
    fail_to_score(s, 1);
    aim_error err = {0};
    ck_assert_int_eq(aim_search_decide(s, &err), AIM_ECONTEXT);
    aim_search_free(s);
}
END_TEST

static const struct {
    enum aim_search_kind kind;
    enum aim_select select;
} need_steps[] = {
    {AIM_SEARCH_BEST_OF_N, AIM_SELECT_REWARD},
    {AIM_SEARCH_BEST_OF_N, AIM_SELECT_WEIGHTED},
    {AIM_SEARCH_BEAM, AIM_SELECT_LOGPROB},
    {AIM_SEARCH_DVTS, AIM_SELECT_MAJORITY},
};

START_TEST(a_choice_by_reward_fails_without_steps)
{
    aim_search_options o = steps_of(need_steps[_i].kind, 1, 1);
    o.select = need_steps[_i].select;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 1);
    sample(s, 0, "", AIM_SAMPLED_STOP);
    expect_score(s, 0, 0);
    ck_assert(aim_search_scored(s, 0, NULL, 0));
    aim_error err = {0};
    ck_assert_int_eq(aim_search_decide(s, &err), AIM_EINVAL);
    ck_assert_str_eq(err.text, "no candidate has a step that could be scored");
    aim_search_free(s);
}
END_TEST

START_TEST(a_step_search_waits_for_the_first_step)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM + _i, 1, 1);
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 1);
    sample(s, 0, "\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    ck_assert(aim_search_scored(s, 0, NULL, 0));
    decide(s);
    expect_sample(s, 1, 1);
    aim_search_free(s);
}
END_TEST

/* ---- steps ------------------------------------------------------------------------------ */

START_TEST(children_begin_as_copies_and_parents_are_forgotten)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 2, 2);
    aim_search *s = new_search(&o);
    aim_search_work w = aim_search_next(s);
    ck_assert(w.to_separator);
    sample(s, 0, "a\n\n", AIM_SAMPLED_STEP);
    sample(s, 1, "b\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    expect_score(s, 1, 0);
    score(s, 0, 0.25F);
    score(s, 1, 0.5F);
    decide(s);
    expect_sample(s, 2, 2);
    for (int i = 2; i < 4; i++) {
        const aim_candidate *c = aim_search_candidate(s, i);
        ck_assert_int_eq(c->parent, 1);
        ck_assert_str_eq(c->text.data, "b\n\n");
        ck_assert_int_eq(c->n_tokens, 1);
        ck_assert_int_eq(c->sampled, 0);
        ck_assert_double_eq(c->logprob_sum, -1);
        ck_assert_double_eq(c->reward, 0.5);
        ck_assert_int_eq(c->n_steps, 1);
    }
    for (int i = 0; i < 2; i++) {
        const aim_candidate *c = aim_search_candidate(s, i);
        ck_assert_int_eq(c->end, AIM_CANDIDATE_PRUNED);
        ck_assert_ptr_null(c->tokens);
        ck_assert_ptr_null(c->text.data);
        ck_assert_ptr_null(c->step_scores);
    }
    aim_search_free(s);
}
END_TEST

START_TEST(a_step_without_text_is_an_end)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 2, 2);
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    sample(s, 0, "", AIM_SAMPLED_STEP);
    sample(s, 1, "b", AIM_SAMPLED_STOP);
    expect_score(s, 0, 0);
    expect_score(s, 1, 0);
    ck_assert(aim_search_scored(s, 0, NULL, 0));
    score(s, 1, 0.5F);
    decide(s);
    ck_assert_int_eq(winner(s)->number, 1);
    ck_assert_int_eq(aim_search_candidate(s, 0)->end, AIM_CANDIDATE_STOP);
    aim_search_free(s);
}
END_TEST

START_TEST(the_last_step_goes_to_the_end)
{
    aim_search_options o = steps_of(AIM_SEARCH_DVTS, 1, 1);
    o.max_steps = 2;
    aim_search *s = new_search(&o);
    ck_assert(aim_search_next(s).to_separator);
    sample(s, 0, "a\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    score(s, 0, 0.5F);
    decide(s);
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.number, 1);
    ck_assert(!w.to_separator);
    aim_search_free(s);
}
END_TEST

/* Each open step gets a share of what is left of the budget, and goes on while it lasts. */
START_TEST(a_budget_cuts_steps)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 2, 2);
    o.max_total_tokens = 7;
    aim_search *s = new_search(&o);
    ck_assert_int_eq(aim_search_next(s).segment_tokens, 3);
    sample(s, 1, "b\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 1, 0);
    score(s, 1, 0.5F);
    say(s, 0, "a");
    say(s, 0, "a");
    sample(s, 0, "a", AIM_SAMPLED_SEGMENT);
    decide(s);
    aim_search_work w = aim_search_next(s);
    ck_assert_int_eq(w.number, 0);
    ck_assert_int_eq(w.segment_tokens, 3);
    ck_assert(w.to_separator);
    say(s, 0, "a");
    sample(s, 0, "\n\n", AIM_SAMPLED_STEP);
    expect_score(s, 0, 0);
    score(s, 0, 0.25F);
    /* One token is left for two: the better one ends as it is. */
    decide(s);
    expect_score(s, 1, 1);
    ck_assert_int_eq(aim_search_candidate(s, 1)->end, AIM_CANDIDATE_LENGTH);
    ck_assert(aim_search_scored(s, 1, NULL, 0));
    decide(s);
    ck_assert_int_eq(winner(s)->number, 1);
    ck_assert_int_eq(aim_search_tokens(s), 6);
    aim_search_free(s);
}
END_TEST

/* A step that ends with the last token of its share is a step. */
START_TEST(a_step_may_take_its_whole_share)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 2, 2);
    o.max_total_tokens = 4;
    aim_search *s = new_search(&o);
    ck_assert_int_eq(aim_search_next(s).segment_tokens, 2);
    for (int i = 0; i < 2; i++) {
        say(s, i, "a");
        sample(s, i, i == 0 ? "\n\n" : "b", i == 0 ? AIM_SAMPLED_STEP : AIM_SAMPLED_SEGMENT);
    }
    expect_score(s, 0, 0);
    expect_nothing(s);
    aim_search_free(s);
}
END_TEST

/* ---- text that is held back ----------------------------------------------------------- */

static void hold(aim_search *s, int number, const char *text)
{
    ck_assert(aim_search_held(s, number, text, strlen(text)));
}

static void expect_text(const aim_search *s, int number, const char *text)
{
    ck_assert_str_eq(aim_search_candidate(s, number)->text.data, text);
}

/* It is the text's until more of the answer is sampled, by whomever. */
START_TEST(held_text_belongs_to_a_step)
{
    aim_search_options o = steps_of((enum aim_search_kind)_i, 2, 2);
    o.n = 2;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 2);
    for (int i = 0; i < 2; i++) {
        say(s, i, i == 0 ? "a" : "b");
        hold(s, i, "\n\n");
        aim_search_sampled(s, i, AIM_SAMPLED_STEP);
        expect_score(s, i, 0);
        score(s, i, i == 0 ? 0.75F : 0.25F);
    }
    expect_text(s, 0, "a\n\n");
    decide(s);
    expect_sample(s, 2, 2);
    for (int i = 2; i < 4; i++)
        expect_text(s, i, "a");
    sample(s, 2, "", AIM_SAMPLED_STOP); /* "\n\n" was the stop string's */
    sample(s, 3, "\n\nc", AIM_SAMPLED_STOP);
    expect_text(s, 2, "a");
    expect_text(s, 3, "a\n\nc");
    aim_search_free(s);
}
END_TEST

/* A step that has no text but what was there before is still an end. */
START_TEST(held_text_is_not_counted_twice)
{
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, 1, 1);
    aim_search *s = new_search(&o);
    for (int i = 0; i < 2; i++) {
        expect_sample(s, i, 1);
        say(s, i, i == 0 ? "a" : "");
        hold(s, i, "\n\n");
        aim_search_sampled(s, i, AIM_SAMPLED_STEP);
        ck_assert_int_eq(aim_search_candidate(s, i)->end,
                         i == 0 ? AIM_CANDIDATE_OPEN : AIM_CANDIDATE_STOP);
        expect_score(s, i, i);
        score(s, i, 0.5F);
        decide(s);
    }
    ck_assert_uint_eq(winner(s)->held, 2);
    expect_text(s, 1, "a\n\n");
    aim_search_free(s);
}
END_TEST

/* Of one that is ended where it stands, for each reason there is. */
static const struct {
    enum aim_search_kind kind;
    aim_early_stop early;
    int max_total_tokens;
    enum aim_candidate_end end;
} ends_between[] = {
    {AIM_SEARCH_BEST_OF_N, {.reject = 0.5, .every = 1}, 0, AIM_CANDIDATE_REJECTED},
    {AIM_SEARCH_BEST_OF_N,
     {.score = 0.5, .has_score = true, .every = 1},
     0,
     AIM_CANDIDATE_UNNEEDED},
    {AIM_SEARCH_BEAM, .max_total_tokens = 3, .end = AIM_CANDIDATE_LENGTH},
    {AIM_SEARCH_DVTS, .end = AIM_CANDIDATE_STOP},
};

START_TEST(held_text_stays_at_the_end)
{
    aim_search_options o = steps_of(ends_between[_i].kind, 2, 2);
    o.early = ends_between[_i].early;
    o.max_total_tokens = ends_between[_i].max_total_tokens;
    aim_search *s = new_search(&o);
    bool reject = o.early.reject > 0;
    expect_sample(s, 0, 2);
    sample(s, 0, "b", AIM_SAMPLED_STOP);
    say(s, 1, "\\box");
    hold(s, 1, "ed{7}");
    aim_search_sampled(s, 1,
                       o.kind == AIM_SEARCH_BEST_OF_N ? AIM_SAMPLED_SEGMENT : AIM_SAMPLED_STEP);
    for (aim_search_work w; (w = aim_search_next(s)).task == AIM_TASK_SCORE;)
        score(s, w.number, w.number == 1 && !reject ? 0.75F : 0.5F + (float)reject / 4);
    decide(s);
    ck_assert_int_eq(aim_search_candidate(s, 1)->end, ends_between[_i].end);
    ck_assert_uint_eq(aim_search_candidate(s, 1)->held, 5);
    expect_text(s, 1, "\\boxed{7}");
    aim_search_free(s);
}
END_TEST

/* ---- votes ------------------------------------------------------------------------------ */

static const struct {
    int most, second;
    double p;
} leads[] = {
    {0, 0, 0.5},       {1, 0, 0.75},       {3, 0, 0.9375},     {4, 0, 0.96875},
    {5, 1, 0.9375},    {6, 1, 0.96484375}, {7, 1, 0.98046875}, {8, 2, 0.96728515625},
    {2048, 2048, 0.5}, {4096, 0, 1},       {2000, 1000, 1},
};

START_TEST(the_probability_of_a_lead)
{
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++)
        ck_assert_double_eq_tol(aim__lead_probability(leads[i].most, leads[i].second), leads[i].p,
                                1e-13);
}
END_TEST

/* ---- early stopping --------------------------------------------------------------------- */

static void go_on(aim_search *s, int n, const char *text)
{
    for (int i = 0; i < n; i++) {
        aim_search_work w = aim_search_next(s);
        ck_assert_int_eq(w.task, AIM_TASK_SAMPLE);
        sample(s, w.number, text, AIM_SAMPLED_SEGMENT);
    }
}

/* Votes of those who end first do not count before those of lower numbers. */
START_TEST(a_likely_vote_is_of_draws_in_order)
{
    aim_search_options o = best_of(16);
    o.select = AIM_SELECT_MAJORITY;
    o.early = (aim_early_stop){.vote = 0.95, .every = 1};
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 16);
    for (int i = 0; i < 16; i++)
        sample(s, i, " 7", i == 0 || i > 8 ? AIM_SAMPLED_SEGMENT : AIM_SAMPLED_STOP);
    decide(s);
    ck_assert(!aim_search_is_over(s));
    expect_sample(s, 0, 1);
    sample(s, 0, " 8", AIM_SAMPLED_STOP);
    go_on(s, 7, " 7");
    decide(s);
    /* 8 once, 7 eight times. */
    ck_assert_int_eq(winner(s)->number, 1);
    ck_assert_int_eq(aim_search_candidate(s, 9)->end, AIM_CANDIDATE_UNNEEDED);
    aim_search_free(s);
}
END_TEST

/* Scores of those that are asked for, of which `without` has no new step. */
static void score_all(aim_search *s, int n, int without)
{
    for (int i = 0; i < n; i++) {
        aim_search_work w = aim_search_next(s);
        ck_assert_int_eq(w.task, AIM_TASK_SCORE);
        float x = (float)w.number;
        ck_assert(aim_search_scored(s, w.number, &x, w.number != without));
    }
}

static int count_rejected(const aim_search *s)
{
    int n = 0;
    for (int i = 0; i < aim_search_count(s); i++)
        n += aim_search_candidate(s, i)->end == AIM_CANDIDATE_REJECTED;
    return n;
}

START_TEST(nobody_is_rejected_on_old_scores)
{
    aim_search_options o = scored_best_of(4);
    o.early = (aim_early_stop){.reject = 0.5, .every = 1};
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 4);
    const char *texts[] = {"a\n", "b\n", "c\n", "d\n"};
    for (int i = 0; i < 4; i++)
        sample(s, i, texts[i], AIM_SAMPLED_SEGMENT);
    score_all(s, 4, 3);
    decide(s);
    ck_assert_int_eq(count_rejected(s), 0); /* the last has no step yet */
    go_on(s, 4, "x\n");
    score_all(s, 4, 0);
    decide(s);
    ck_assert_int_eq(count_rejected(s), 2); /* the first has the step that it had before */
    go_on(s, 2, "x\n");
    score_all(s, 2, 2);
    decide(s);
    ck_assert_int_eq(count_rejected(s), 2); /* nothing new of 2 */
    go_on(s, 2, "x\n");
    score_all(s, 2, 3);
    decide(s);
    ck_assert_int_eq(count_rejected(s), 3);
    aim_search_free(s);
}
END_TEST

START_TEST(who_cannot_be_scored_is_not_waited_for)
{
    aim_search_options o = scored_best_of(3);
    o.early = (aim_early_stop){.reject = 0.7, .every = 1};
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 3);
    sample(s, 0, "a\n", AIM_SAMPLED_SEGMENT);
    sample(s, 1, "b\n", AIM_SAMPLED_SEGMENT);
    sample(s, 2, "c\n", AIM_SAMPLED_SEGMENT);
    score_all(s, 2, -1);
    expect_score(s, 2, 0);
    fail_to_score(s, 2);
    decide(s);
    ck_assert_int_eq(count_rejected(s), 1);
    ck_assert_int_eq(aim_search_candidate(s, 0)->end, AIM_CANDIDATE_REJECTED);
    ck_assert_int_eq(aim_search_candidate(s, 2)->end, AIM_CANDIDATE_OPEN);
    aim_search_free(s);
}
END_TEST

/* ---- large ones ----------------------------------------------------------------------------- */

START_TEST(as_many_candidates_as_there_may_be)
{
    aim_search_options o = best_of(AIM_MAX_BEST_OF);
    o.n = AIM_MAX_BEST_OF;
    o.select = AIM_SELECT_SELF_CERTAINTY;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, AIM_MAX_BEST_OF);
    char text[32];
    for (int i = AIM_MAX_BEST_OF - 1; i >= 0; i--) {
        snprintf(text, sizeof text, "It is %d", i);
        sample(s, i, text, AIM_SAMPLED_STOP);
    }
    decide(s);
    ck_assert_int_eq(winner(s)->number, 0);
    ck_assert_double_eq(winner(s)->score, 64);
    aim_search_free(s);
}
END_TEST

/* What all of a round sample and their rewards, which rise with their numbers. */
static void sample_beams(aim_search *s, int round, bool last)
{
    char text[32];
    aim_search_work w;
    while ((w = aim_search_next(s)).task == AIM_TASK_SAMPLE) {
        ck_assert(w.to_separator == !last);
        for (int i = w.number; i < w.number + w.n; i++) {
            snprintf(text, sizeof text, "%d\n\n", i);
            sample(s, i, text, last ? AIM_SAMPLED_STOP : AIM_SAMPLED_STEP);
        }
    }
    for (; w.task == AIM_TASK_SCORE; w = aim_search_next(s)) {
        ck_assert_int_eq(w.first_step, round);
        score(s, w.number, (float)w.number);
    }
    ck_assert_int_eq(w.task, AIM_TASK_NONE);
}

START_TEST(as_many_steps_as_there_may_be)
{
    enum { BEAMS = 64, ALL = BEAMS * AIM_SEARCH_STEPS };
    aim_search_options o = steps_of(AIM_SEARCH_BEAM, BEAMS, 4);
    o.n = BEAMS;
    aim_search *s = new_search(&o);
    for (int round = 0; round < AIM_SEARCH_STEPS; round++) {
        ck_assert_int_eq(aim_search_count(s), (round + 1) * BEAMS);
        sample_beams(s, round, round == AIM_SEARCH_STEPS - 1);
        decide(s);
    }
    int n;
    const aim_candidate *const *ranking = aim_search_ranking(s, &n);
    ck_assert_int_eq(n, BEAMS);
    for (int i = 0; i < BEAMS; i++) {
        ck_assert_int_eq(ranking[i]->number, ALL - 1 - i);
        ck_assert_int_eq(ranking[i]->n_steps, AIM_SEARCH_STEPS);
        /* Of the beams before, the last sixteen go on. */
        ck_assert_int_eq(ranking[i]->parent, ALL - BEAMS - 1 - i / 4);
    }
    for (int i = 0; i < ALL - BEAMS; i++)
        ck_assert_int_eq(aim_search_candidate(s, i)->end, AIM_CANDIDATE_PRUNED);
    aim_search_free(s);
}
END_TEST

START_TEST(an_answer_of_100_kilobytes)
{
    enum { LONG = 100000 };
    aim_search_options o = best_of(3);
    o.select = AIM_SELECT_MAJORITY;
    aim_search *s = new_search(&o);
    expect_sample(s, 0, 3);
    static char text[LONG + 1];
    memset(text, 'x', LONG);
    sample(s, 0, text, AIM_SAMPLED_STOP);
    memset(text, '7', LONG);
    sample(s, 1, text, AIM_SAMPLED_STOP);
    static const char box[] = " \\boxed{7}";
    memcpy(text + LONG - strlen(box), box, strlen(box));
    sample(s, 2, text, AIM_SAMPLED_STOP);
    decide(s);
    ck_assert(!aim_search_candidate(s, 0)->has_answer);
    ck_assert(!aim_search_candidate(s, 1)->has_answer);
    ck_assert_int_eq(winner(s)->number, 2);
    ck_assert_str_eq(winner(s)->answer.data, "7");
    aim_search_free(s);
}
END_TEST

/* ---- memory --------------------------------------------------------------------------------- */

/* All of a search with some allocation failing. false: it did. */
static bool run_to_the_end(const aim_search_options *o)
{
    aim_error err = {0};
    aim_search *s = aim_search_new(o, &err);
    bool good = s != NULL;
    while (good && !aim_search_is_over(s)) {
        aim_search_work w = aim_search_next(s);
        const char *text = s->step > 1 ? "\\boxed{7}\n\n" : "a\n\n";
        for (int i = w.number; good && i < w.number + w.n; i++)
            if (w.task == AIM_TASK_SAMPLE) {
                good = aim_search_token(s, i, 1, text, strlen(text), -1, 1) &&
                       aim_search_held(s, i, "and more than there is room for", 31);
                aim_search_sampled(s, i, s->step > 2 ? AIM_SAMPLED_STOP : AIM_SAMPLED_STEP);
            } else if (w.task == AIM_TASK_SCORE) {
                good = aim_search_scored(s, i, &(float){0.5F}, 1);
            }
        if (good && aim_search_wants_decision(s))
            good = aim_search_decide(s, &err) == 0;
    }
    if (!good && err.code != AIM_OK)
        ck_assert_int_eq(err.code, AIM_ENOMEM);
    aim_search_free(s);
    return good;
}

START_TEST(survives_without_memory)
{
    aim_search_options o = steps_of((enum aim_search_kind)_i, 4, 2);
    o.select = AIM_SELECT_SELF_CERTAINTY;
    o.max_tokens = 3;
    if (_i == AIM_SEARCH_BEST_OF_N) {
        o.select = AIM_SELECT_WEIGHTED;
        o.early = (aim_early_stop){.vote = 1, .reject = 0.25, .wave = 3, .every = 1};
    }
    long n = 0;
    for (bool good = false; !good; n++) {
        aim_alloc_fail_after(n);
        good = run_to_the_end(&o);
        aim_alloc_fail_after(-1);
    }
    ck_assert_int_gt(n, 20);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("search");
    TCase *tc = tcase_create("search");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, refuses_options_that_do_not_go_together, 0,
                        sizeof refused / sizeof *refused);
    tcase_add_test(tc, names);
    tcase_add_test(tc, one_round_scores_while_others_sample);
    tcase_add_test(tc, rounds_end_where_blocks_are_whole);
    tcase_add_test(tc, a_segment_to_max_tokens_is_the_rest);
    tcase_add_test(tc, an_empty_segment_is_an_end);
    tcase_add_test(tc, what_nobody_asked_for_is_ignored);
    tcase_add_test(tc, a_score_of_the_whole_text_replaces_that_of_less);
    tcase_add_test(tc, a_text_is_scored_once);
    tcase_add_test(tc, equal_texts_fail_together);
    tcase_add_test(tc, a_text_that_goes_on_is_another);
    tcase_add_test(tc, each_round_of_beams_has_new_texts);
    tcase_add_test(tc, many_candidates_of_few_texts);
    tcase_add_test(tc, no_candidate_is_begun_that_the_budget_could_not_end);
    tcase_add_test(tc, a_spent_budget_ends_with_what_there_is);
    tcase_add_loop_test(tc, a_choice_by_reward_fails_without_any, 0, 2);
    tcase_add_test(tc, others_choose_without_rewards);
    tcase_add_test(tc, one_that_can_be_scored_is_enough);
    tcase_add_loop_test(tc, a_step_search_fails_without_any, 0, 2);
    tcase_add_loop_test(tc, a_choice_by_reward_fails_without_steps, 0,
                        sizeof need_steps / sizeof *need_steps);
    tcase_add_loop_test(tc, a_step_search_waits_for_the_first_step, 0, 2);
    tcase_add_test(tc, children_begin_as_copies_and_parents_are_forgotten);
    tcase_add_test(tc, a_step_without_text_is_an_end);
    tcase_add_test(tc, the_last_step_goes_to_the_end);
    tcase_add_test(tc, a_budget_cuts_steps);
    tcase_add_test(tc, a_step_may_take_its_whole_share);
    tcase_add_loop_test(tc, held_text_belongs_to_a_step, AIM_SEARCH_BEAM, AIM_SEARCH_DVTS + 1);
    tcase_add_test(tc, held_text_is_not_counted_twice);
    tcase_add_loop_test(tc, held_text_stays_at_the_end, 0, 4);
    tcase_add_test(tc, the_probability_of_a_lead);
    tcase_add_test(tc, a_likely_vote_is_of_draws_in_order);
    tcase_add_test(tc, nobody_is_rejected_on_old_scores);
    tcase_add_test(tc, who_cannot_be_scored_is_not_waited_for);
    tcase_add_test(tc, as_many_candidates_as_there_may_be);
    tcase_add_test(tc, as_many_steps_as_there_may_be);
    tcase_add_test(tc, an_answer_of_100_kilobytes);
    tcase_add_loop_test(tc, survives_without_memory, 0, AIM_SEARCH_DVTS + 1);
    suite_add_tcase(suite, tc);
    SRunner *r = srunner_create(suite);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
