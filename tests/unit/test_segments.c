/* SPDX-License-Identifier: Apache-2.0 */
/* Answers that are interrupted go on as if they had not been; candidates that go on from
 * one beginning are what each is alone; urgent requests go first. */
#include "base/alloc.h"
#include "base/json.h"
#include "chip_rig.h"
#include "engine_client.h"
#include "tsan.h"

#include <stdlib.h>
#include <string.h>

/* ---- requests that have much to remember ---------------------------------------- */

static void add_stop(aim_request *r, const char *text)
{
    r->stop = aim_rearray(r->stop, r->n_stop + 1, sizeof *r->stop);
    r->stop[r->n_stop++] = aim_strdup(text);
}

static void make_greedy(const aim_model *m, aim_request *r)
{
    (void)m;
    r->sampling.temperature = 0;
    r->logprobs = 2;
}

static void make_sampled(const aim_model *m, aim_request *r)
{
    (void)m;
    r->sampling.temperature = 1.3;
    r->sampling.top_p = 0.95;
    r->sampling.repetition_penalty = 1.1;
    r->sampling.presence_penalty = 0.4;
    r->sampling.frequency_penalty = 0.2;
    r->sampling.min_tokens = 23;
    r->logprobs = 1;
    r->self_certainty = true;
    r->max_tokens = 50;
}

/* One stop string begins often and never ends, one ends in the middle of a step. */
static void make_stopped(const aim_model *m, aim_request *r)
{
    (void)m;
    r->sampling.temperature = 0;
    add_stop(r, "tep 1: that nobody writes");
    add_stop(r, "\nStep 2");
    r->include_stop = true;
}

/* Bytes of characters in any order: some are whole and some are not. */
static void make_bytes(const aim_model *m, aim_request *r)
{
    static const char *const bytes[] = {"\303", "\251", "\342", "\202", "\254"};
    enum { N = sizeof bytes / sizeof bytes[0] };
    r->sampling.bias = aim_array(N, sizeof *r->sampling.bias);
    for (int32_t id = 0; id < aim_tokenizer_size(m->tokenizer); id++) {
        size_t len;
        const char *text = aim_tokenizer_bytes(m->tokenizer, id, &len);
        for (int i = 0; i < N; i++)
            if (len == 1 && text[0] == bytes[i][0])
                r->sampling.bias[r->sampling.n_bias++] = (aim_logit_bias){id, 60};
    }
    ck_assert_uint_eq(r->sampling.n_bias, N);
    r->sampling.temperature = 8;
    r->sampling.ignore_eos = true;
    r->max_tokens = 60;
    add_stop(r, "\303\251\303\251\303\251\303\251");        /* é four times */
    add_stop(r, "\357\277\275\303\251 that nobody writes"); /* U+FFFD, é */
}

/* Behind a text, with a stop token that the mask of min_tokens keeps away at first. */
static void make_continued(const aim_model *m, aim_request *r)
{
    r->continues = true;
    r->skip_special = false;
    r->sampling.temperature = 1;
    r->sampling.min_tokens = 30;
    r->sampling.stop_ids = aim_array(1, sizeof *r->sampling.stop_ids);
    r->sampling.stop_ids[0] = aim_tokenizer_find(m->tokenizer, "\n");
    ck_assert_int_ge(r->sampling.stop_ids[0], 0);
    r->sampling.n_stop_ids = 1;
    r->max_tokens = 60;
}

/* As make_greedy, with stop strings that often could begin and never do. */
static void make_held(const aim_model *m, aim_request *r)
{
    make_greedy(m, r);
    add_stop(r, "\nQuestion:");
    add_stop(r, " = nobody");
}

static void (*const kinds[])(const aim_model *m, aim_request *r) = {
    make_greedy, make_sampled, make_stopped, make_bytes, make_continued, make_held};
enum { KINDS = 5, HELD = KINDS }; /* the last is for a test of its own */

static aim_request *request_of(const aim_model *m, client *c, int kind)
{
    char *prompt, *greedy;
    problem(kind % KINDS, &prompt, &greedy);
    aim_request *r = new_request(m, c, prompt);
    r->seed = 70 + (uint64_t)kind;
    r->first_candidate = 3 + kind;
    r->max_tokens = 70;
    kinds[kind](m, r);
    return r;
}

/* The request goes on behind these tokens. */
static void answered(aim_request *r, const aim_ids *ids)
{
    size_t n = (size_t)r->n_tokens;
    r->tokens = aim_rearray(r->tokens, n + ids->n, sizeof *r->tokens);
    for (size_t i = 0; i < ids->n; i++)
        r->tokens[n + i] = ids->v[i];
    r->n_tokens += (int)ids->n;
    r->n_answered = (int)ids->n;
}

/* ---- interrupting --------------------------------------------------------------- */

static const struct cut {
    int tokens;
    const char *separator;
} cuts[] = {{17, NULL}, {0, "\n"}, {1, NULL}, {16, NULL}, {3, NULL}, {5, " "}, {0, "\303\251"}};
enum { CUTS = sizeof cuts / sizeof cuts[0], MOST = KINDS * CUTS };

static void next_segment(const aim_model *m, client *c, int kind, const struct cut *cut)
{
    aim_request *r = request_of(m, c, kind);
    answered(r, &c->answers[0].ids);
    r->segment_tokens = cut->tokens;
    r->separator = cut->separator ? aim_strdup(cut->separator) : NULL;
    c->ended = c->prompts = 0;
    c->answers[0].finish = AIM_FINISH_NONE;
    submit(m, c, r);
}

static bool is_over(const client *c)
{
    return c->answers[0].finish != AIM_FINISH_NONE && c->answers[0].finish != AIM_FINISH_SEGMENT;
}

/* All of them side by side, one segment after the other. Returns how many. */
static int run_segments(const aim_model *m, client *c, int n_kinds, int n_cuts)
{
    int segments = 0;
    for (int before = -1; segments > before;) {
        before = segments;
        for (int i = 0; i < n_kinds * n_cuts; i++)
            if (!is_over(&c[i])) {
                next_segment(m, &c[i], i % n_kinds, &cuts[i / n_kinds]);
                segments++;
            }
        for (int i = 0; i < n_kinds * n_cuts; i++)
            wait_end(&c[i]);
    }
    return segments;
}

/* ---- the models and engines it is tried on ---------------------------------------- */

static const engine_subject subjects[] = {{"int8", open_model, NULL},
                                          {"int8", open_stretched, NULL},
                                          {"analog", open_model, plain_chip},
                                          {"analog", open_model, noisy_chip}};
enum { SUBJECTS = sizeof subjects / sizeof subjects[0] };

enum { LONGEST = 160 }; /* more than prompt and answer */

static const engine_way ways[] = {{"prefix cache", true, 256, 0, LONGEST},
                                  {"no prefix cache", false, 23, 0, LONGEST},
                                  {"little cache memory", true, 64, 22, LONGEST}};
enum { WAYS = sizeof ways / sizeof ways[0] };

static const engine_way alone = {"alone", false, 256, 0, LONGEST};

/* ---- tests ------------------------------------------------------------------------ */

/* How many of the cuts are tried: all of them where it is quick, two where layers or
 * prompts that no cache serves take long. */
static int cuts_of(const engine_subject *on, const engine_way *by)
{
    bool slow = on->chip || on->open == open_stretched;
    if (slow && (TSAN || (ASAN && by->kv_blocks == 0)))
        return 0;
    if (TSAN || slow || by->kv_blocks || !by->prefix_cache)
        return 2;
    return ASAN ? 3 : CUTS;
}

START_TEST(interrupted_answers_are_those_of_one_piece)
{
    const engine_subject *on = &subjects[_i / WAYS];
    const engine_way *by = &ways[_i % WAYS];
    int n_kinds = TSAN ? 2 : KINDS, n_cuts = cuts_of(on, by);
    if (n_cuts == 0)
        return;
    static client whole[KINDS], cut[MOST];
    aim_model *m = open_way(on, &alone);
    for (int i = 0; i < n_kinds; i++) {
        submit(m, &whole[i], request_of(m, &whole[i], i));
        wait_end(&whole[i]);
        ck_assert_int_gt(whole[i].answers[0].tokens, 8);
    }
    close_model(m);
    m = open_way(on, by);
    int segments = run_segments(m, cut, n_kinds, n_cuts);
    ck_assert_int_gt(segments, n_kinds * n_cuts);
    for (int i = 0; i < n_kinds * n_cuts; i++) {
        same_answers(&whole[i % n_kinds], &cut[i], i);
        client_free(&cut[i]);
    }
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    ck_assert_int_eq(st.prefix_hits > 0, by->prefix_cache);
    if (by->kv_blocks && on == subjects && !TSAN) /* slow models might take turns by chance */
        ck_assert_uint_gt(st.preemptions, 0);
    close_model(m);
    for (int i = 0; i < n_kinds; i++)
        client_free(&whole[i]);
}
END_TEST

/* A step ends with its separator. */
START_TEST(segments_are_steps)
{
    static client c;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    char *prompt, *greedy;
    problem(0, &prompt, &greedy);
    const struct cut line = {0, "\n"};
    size_t at = 0;
    while (!is_over(&c)) {
        next_segment(m, &c, 0, &line);
        wait_end(&c);
        size_t step = strcspn(greedy + at, "\n");
        at += step + (greedy[at + step] != '\0');
        ck_assert_uint_eq(c.answers[0].text.len, at);
        ck_assert_int_eq(memcmp(c.answers[0].text.data, greedy, at), 0);
        ck_assert_int_eq(c.answers[0].finish, greedy[at] ? AIM_FINISH_SEGMENT : AIM_FINISH_STOP);
    }
    client_free(&c);
    close_model(m);
}
END_TEST

/* A token may complete a separator and go on. */
START_TEST(segments_end_with_a_token)
{
    static client c;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    static const struct cut st = {0, "St"};
    static const char *const texts[] = {"Step", "Step 1: 3 * 15 = 45\nStep"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        next_segment(m, &c, 0, &st);
        wait_end(&c);
        ck_assert_str_eq(c.answers[0].text.data, texts[i]);
    }
    client_free(&c);
    close_model(m);
}
END_TEST

/* A separator is seen wherever segments end for their length, and text that completed
 * one is no part of the next. */
START_TEST(separators_go_across_segments)
{
    static const struct cut mixed[] = {{1, "\n"},        {1, "0\nStep 3: 4"}, {2, " = 45\nS"},
                                       {3, "ep 2: 5 *"}, {1, "\nStep"},       {7, "Answer: "}};
    static client c;
    const struct cut *cut = &mixed[_i];
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    size_t step = 0; /* where it begins */
    int seen = 0;
    while (!is_over(&c)) {
        next_segment(m, &c, 0, cut);
        wait_end(&c);
        const aim_buf *text = &c.answers[0].text;
        bool complete = strstr(text->data + step, cut->separator) != NULL;
        ck_assert_msg(is_over(&c) || c.answers[0].at_separator == complete, "%s", text->data);
        step = complete ? text->len : step;
        seen += complete;
    }
    ck_assert_int_gt(seen, 0);
    client_free(&c);
    close_model(m);
}
END_TEST

/* What of the text is there at the end of a segment does not depend on stop strings that
 * never come. */
START_TEST(held_text_is_told_at_borders)
{
    static client plain, stopped;
    static const struct cut cut[] = {{0, "\n"}, {5, NULL}};
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    size_t held = 0;
    while (!is_over(&plain)) {
        next_segment(m, &plain, 0, &cut[_i]);
        next_segment(m, &stopped, HELD, &cut[_i]);
        wait_end(&plain);
        wait_end(&stopped);
        aim_buf all = AIM_BUF_INIT;
        const answer *a = &stopped.answers[0];
        aim_buf_append(&all, a->text.data, a->text.len);
        aim_buf_append(&all, a->held.data, a->held.len);
        ck_assert_str_eq(all.data, plain.answers[0].text.data);
        ck_assert_uint_eq(plain.answers[0].held.len, 0);
        ck_assert_int_eq(a->finish, plain.answers[0].finish);
        held += a->held.len;
        aim_buf_free(&all);
    }
    ck_assert_uint_gt(held, 3);
    client_free(&plain);
    client_free(&stopped);
    close_model(m);
}
END_TEST

/* What ends the answer at the same token wins. */
START_TEST(ends_win_over_segments)
{
    static client whole, c;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    submit(m, &whole, request_of(m, &whole, 0));
    wait_end(&whole);
    int all = whole.answers[0].tokens; /* the last is the end of the sequence */
    const struct {
        int segment, most;
        const char *separator, *stop;
        enum aim_finish finish;
    } cases[] = {
        {all, 100, NULL, NULL, AIM_FINISH_STOP},
        {all - 1, 100, NULL, NULL, AIM_FINISH_SEGMENT},
        {10, 10, NULL, NULL, AIM_FINISH_LENGTH},
        {11, 10, NULL, NULL, AIM_FINISH_LENGTH},
        {0, 100, "\n", "\n", AIM_FINISH_STOP},
        {0, 100, "\n", NULL, AIM_FINISH_SEGMENT},
        {0, 100, "\n", "\nStep", AIM_FINISH_SEGMENT},
        {0, 100, "nobody", NULL, AIM_FINISH_STOP},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_request *r = request_of(m, &c, 0);
        r->segment_tokens = cases[i].segment;
        r->max_tokens = cases[i].most;
        r->separator = cases[i].separator ? aim_strdup(cases[i].separator) : NULL;
        if (cases[i].stop)
            add_stop(r, cases[i].stop);
        submit(m, &c, r);
        wait_end(&c);
        ck_assert_int_eq(c.answers[0].finish, cases[i].finish);
        client_free(&c);
    }
    client_free(&whole);
    close_model(m);
}
END_TEST

/* ---- children of one parent ------------------------------------------------------- */

enum { CHILDREN = 3, FIRST_CHILD = 6, BEGINNING = 21 };

static aim_request *child_request(const aim_model *m, client *c, const aim_ids *parent, int first,
                                  int n)
{
    aim_request *r = request_of(m, c, 1);
    answered(r, parent);
    r->first_candidate = first;
    r->n = n;
    return r;
}

/* The beginning that children go on from: of the candidate request_of asks for. */
static void answer_parent(const aim_model *m, client *c)
{
    const struct cut cut = {BEGINNING, NULL};
    next_segment(m, c, 1, &cut);
    wait_end(c);
    ck_assert_int_eq(c->answers[0].finish, AIM_FINISH_SEGMENT);
}

START_TEST(children_are_what_each_is_alone)
{
    const engine_subject *on = &subjects[_i / WAYS];
    const engine_way *by = &ways[_i % WAYS];
    if ((TSAN && on > subjects) || (ASAN && on->chip && by->kv_blocks == 0))
        return;
    static client parent, single[CHILDREN], together[2], other;
    aim_model *m = open_way(on, &alone);
    answer_parent(m, &parent);
    const aim_ids *ids = &parent.answers[0].ids;
    for (int i = 0; i < CHILDREN; i++) {
        submit(m, &single[i], child_request(m, &single[i], ids, FIRST_CHILD + i, 1));
        wait_end(&single[i]);
    }
    close_model(m);
    m = open_way(on, by);
    for (int round = 0; round < 2; round++) {
        submit(m, &other, request_of(m, &other, 3));
        submit(m, &together[round], child_request(m, &together[round], ids, FIRST_CHILD, CHILDREN));
        wait_end(&together[round]);
        wait_end(&other);
        client_free(&other);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < CHILDREN; i++) {
            client child = {.n = 1, .answers = {together[round].answers[i]}};
            same_answers(&single[i], &child, i);
        }
    ck_assert_str_ne(single[0].answers[0].trace.data, single[1].answers[0].trace.data);
    for (int i = 0; i < CHILDREN; i++)
        client_free(&single[i]);
    client_free(&together[0]);
    client_free(&together[1]);
    client_free(&parent);
    close_model(m);
}
END_TEST

/* The most likely next tokens of two children: with read noise the rows of their common
 * beginning are read with noise of each child's own. */
START_TEST(children_have_noise_of_their_own)
{
    static client parent, c;
    const engine_subject *on = &subjects[2 + _i];
    aim_model *m = open_way(on, &ways[0]);
    answer_parent(m, &parent);
    aim_request *r = child_request(m, &c, &parent.answers[0].ids, FIRST_CHILD, 2);
    r->sampling.temperature = 0;
    r->max_tokens = r->n_answered + 1;
    submit(m, &c, r);
    wait_end(&c);
    const char *first = c.answers[0].trace.data, *second = c.answers[1].trace.data;
    ck_assert_int_eq(strcmp(first, second) == 0, on->chip == plain_chip);
    client_free(&parent);
    client_free(&c);
    close_model(m);
}
END_TEST

/* ---- urgent requests ---------------------------------------------------------------- */

static int submit_code(const aim_model *m, client *c, const char *prompt, bool urgent)
{
    aim_error err = {0};
    aim_request *r = new_request(m, c, prompt);
    r->sampling.ignore_eos = true;
    r->max_tokens = 30;
    r->urgent = urgent;
    c->n = 1;
    return aim_engine_submit(m->engine, &r, 1, &err);
}

START_TEST(urgent_requests_go_first)
{
    static client running, waiting, refused, urgent[2], late;
    aim_model_options o = options();
    o.engine.max_queue = 1;
    o.engine.max_sequences = 1;
    aim_model *m = open_model(&o);
    aim_request *r = new_request(m, &running, "ten");
    r->sampling.ignore_eos = true;
    r->max_tokens = 400;
    submit(m, &running, r);
    while (tokens_of(&running) == 0)
        ;
    ck_assert_int_eq(submit_code(m, &waiting, "one", false), AIM_OK);
    ck_assert_int_eq(submit_code(m, &refused, "two", false), AIM_EBUSY);
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(submit_code(m, &urgent[i], "three", true), AIM_OK);
    ck_assert_int_eq(aim_engine_check_room(m->engine, 1, NULL), AIM_EBUSY);
    aim_engine_cancel(m->engine, &running);
    wait_end(&waiting);
    ck_assert_int_lt(urgent[0].order, urgent[1].order);
    ck_assert_int_lt(urgent[1].order, waiting.order);
    /* Those that took no place in the queue gave none back. */
    ck_assert_int_eq(aim_engine_check_room(m->engine, 1, NULL), AIM_OK);
    ck_assert_int_eq(aim_engine_check_room(m->engine, 2, NULL), AIM_EBUSY);
    aim_engine_stop(m->engine);
    ck_assert_int_eq(submit_code(m, &late, "four", true), AIM_EUNAVAILABLE);
    client_free(&running);
    client_free(&waiting);
    client_free(&urgent[0]);
    client_free(&urgent[1]);
    aim_model_close(m);
}
END_TEST

START_TEST(urgent_requests_let_others_in)
{
    enum { URGENT = 7, OTHERS = 2 };
    static client running, urgent[URGENT], others[OTHERS];
    static const int turns[OTHERS] = {3, 6}; /* urgent ones that go before */
    aim_model_options o = options();
    o.engine.max_sequences = 1;
    aim_model *m = open_model(&o);
    aim_request *r = new_request(m, &running, "ten");
    r->sampling.ignore_eos = true;
    r->max_tokens = 400;
    submit(m, &running, r);
    while (tokens_of(&running) == 0)
        ;
    for (int i = 0; i < OTHERS; i++)
        ck_assert_int_eq(submit_code(m, &others[i], "one", false), AIM_OK);
    for (int i = 0; i < URGENT; i++)
        ck_assert_int_eq(submit_code(m, &urgent[i], "two", true), AIM_OK);
    aim_engine_cancel(m->engine, &running);
    wait_end(&urgent[URGENT - 1]);
    for (int i = 0; i < OTHERS; i++) {
        ck_assert_int_gt(others[i].order, urgent[turns[i] - 1].order);
        ck_assert_int_lt(others[i].order, urgent[turns[i]].order);
        client_free(&others[i]);
    }
    for (int i = 0; i < URGENT; i++)
        client_free(&urgent[i]);
    client_free(&running);
    close_model(m);
}
END_TEST

START_TEST(cancelled_urgent_requests_give_no_place_back)
{
    static client running, urgent;
    aim_model_options o = options();
    o.engine.max_queue = 1;
    o.engine.max_sequences = 1;
    aim_model *m = open_model(&o);
    ck_assert_int_eq(submit_code(m, &running, "one", false), AIM_OK);
    while (tokens_of(&running) == 0)
        ;
    ck_assert_int_eq(submit_code(m, &urgent, "two", true), AIM_OK);
    aim_engine_cancel(m->engine, &urgent);
    wait_end(&urgent);
    wait_end(&running);
    ck_assert_int_eq(aim_engine_check_room(m->engine, 1, NULL), AIM_OK);
    ck_assert_int_eq(aim_engine_check_room(m->engine, 2, NULL), AIM_EBUSY);
    client_free(&running);
    client_free(&urgent);
    close_model(m);
}
END_TEST

/* ---- refusals ----------------------------------------------------------------------- */

START_TEST(what_cannot_be_is_refused)
{
    static client c;
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    const struct {
        int answered, most, segment, first;
        const char *separator;
        enum aim_code code;
    } cases[] = {
        {0, 10, 0, -1, NULL, AIM_EINVAL},   {0, 10, 0, INT32_MAX, NULL, AIM_EINVAL},
        {-1, 10, 0, 0, NULL, AIM_EINVAL},   {INT32_MIN, 10, 0, 0, NULL, AIM_EINVAL},
        {20, 10, 0, 0, NULL, AIM_EINVAL},   {5, 5, 0, 0, NULL, AIM_EINVAL},
        {5, 0, 0, 0, NULL, AIM_EINVAL},     {0, 10, -1, 0, NULL, AIM_EINVAL},
        {0, 10, 0, 0, "", AIM_EINVAL},      {5, INT32_MAX, 0, 0, NULL, AIM_ECONTEXT},
        {5, 512, 0, 0, NULL, AIM_ECONTEXT}, {5, 497, 0, 0, NULL, AIM_OK},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_error err = {0};
        aim_request *r = new_request(m, &c, "one");
        r->tokens = aim_rearray(r->tokens, 20, sizeof *r->tokens);
        memset(r->tokens, 0, 20 * sizeof *r->tokens);
        r->n_tokens = 20;
        r->n_answered = cases[i].answered;
        r->max_tokens = cases[i].most;
        r->segment_tokens = cases[i].segment;
        r->first_candidate = c.first_candidate = cases[i].first;
        r->separator = cases[i].separator ? aim_strdup(cases[i].separator) : NULL;
        c.n = 1;
        ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, &err), (int)cases[i].code);
        ck_assert_int_eq(err.text[0] != '\0', cases[i].code != AIM_OK);
    }
    aim_engine_cancel(m->engine, &c);
    wait_end(&c);
    client_free(&c);
    close_model(m);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("segments");
    TCase *tc = tcase_create("segments");
    tcase_set_timeout(tc, 300);
    tcase_add_loop_test(tc, interrupted_answers_are_those_of_one_piece, 0, SUBJECTS * WAYS);
    tcase_add_test(tc, segments_are_steps);
    tcase_add_test(tc, segments_end_with_a_token);
    tcase_add_loop_test(tc, separators_go_across_segments, 0, 6);
    tcase_add_loop_test(tc, held_text_is_told_at_borders, 0, 2);
    tcase_add_test(tc, ends_win_over_segments);
    tcase_add_loop_test(tc, children_are_what_each_is_alone, 0, SUBJECTS * WAYS);
    tcase_add_loop_test(tc, children_have_noise_of_their_own, 0, 2);
    tcase_add_test(tc, urgent_requests_go_first);
    tcase_add_test(tc, urgent_requests_let_others_in);
    tcase_add_test(tc, cancelled_urgent_requests_give_no_place_back);
    tcase_add_test(tc, what_cannot_be_is_refused);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
