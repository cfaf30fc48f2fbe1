/* SPDX-License-Identifier: Apache-2.0 */
/* The engine on the shipped model: answers do not depend on batching, chunking,
 * caching, preemption, threads or instruction set; nothing is left behind. */
#include "base/alloc.h"
#include "base/json.h"
#include "chip_rig.h"
#include "engine_client.h"
#include "tsan.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { GREEDY = TSAN ? 2 : 40, MIX = TSAN ? 3 : ASAN ? 8 : 24 };

/* A request mix: greedy, sampled, several candidates, logprobs, prompt scores. */
static aim_request *mixed_request(const aim_model *m, client *c, int i)
{
    char *prompt, *greedy;
    problem(i, &prompt, &greedy);
    aim_request *r = new_request(m, c, prompt);
    r->seed = 1000 + (uint64_t)i;
    r->max_tokens = 30 + i % 40;
    r->sampling.temperature = i % 3 == 0 ? 0 : 1.2;
    r->sampling.top_p = i % 4 == 1 ? 0.9 : 1;
    r->sampling.top_k = i % 5 == 2 ? 12 : 0;
    r->sampling.repetition_penalty = i % 7 == 3 ? 1.1 : 1;
    r->logprobs = i % 2 ? 3 : -1;
    r->prompt_logprobs = i % 6 == 4 ? 2 : -1;
    r->n = 1 + i % 3;
    return r;
}

static void run_mix(const aim_model *m, client *clients, int n, bool together)
{
    for (int i = 0; i < n; i++) {
        submit(m, &clients[i], mixed_request(m, &clients[i], i));
        if (!together)
            wait_end(&clients[i]);
    }
    for (int i = 0; i < n; i++)
        wait_end(&clients[i]);
}

/* ---- tests ------------------------------------------------------------------------------ */

/* What the ways of running are tried on. */
static const engine_subject subjects[] = {{"int8", open_model, NULL},
                                          {"f32", open_model, NULL},
                                          {"int8", open_stretched, NULL},
                                          {"analog", open_model, noisy_chip}};
enum { N_SUBJECTS = sizeof subjects / sizeof subjects[0] };

START_TEST(greedy_equals_reference)
{
    aim_model_options o = options();
    o.backend = "f32";
    aim_model *m = open_model(&o);
    static client c[GREEDY];
    int different = 0;
    for (int i = 0; i < GREEDY; i++) {
        char *prompt, *greedy;
        problem(i, &prompt, &greedy);
        aim_request *r = new_request(m, &c[i], prompt);
        r->sampling.temperature = 0;
        submit(m, &c[i], r);
    }
    for (int i = 0; i < GREEDY; i++) {
        char *prompt, *greedy;
        wait_end(&c[i]);
        problem(i, &prompt, &greedy);
        different += strcmp(c[i].answers[0].text.data, greedy) != 0;
        ck_assert_int_eq(c[i].answers[0].finish, AIM_FINISH_STOP);
        client_free(&c[i]);
    }
    ck_assert_int_le(different, 1); /* the last bit of a logit may tip a tie */
    close_model(m);
}
END_TEST

/* Each row runs the same mix another way; all must equal one request at a time
 * with neutral settings. kv_blocks of 33 forces preemption, where prompts come in as fast
 * as they may: at a measured pace the first could end before the last has its blocks. */
static const struct {
    const char *name, *kernels;
    int threads, chunk, beside, sequences, batch, kv_blocks;
    bool cache, together;
} ways[] = {
    {"together", NULL, 2, 256, 0, 64, 512, 0, true, true},
    {"one thread", NULL, 1, 256, 0, 64, 512, 0, true, true},
    {"chunk of 1", NULL, 2, 1, 0, 64, 64, 0, false, true},
    {"chunk of 7", NULL, 2, 7, 0, 8, 16, 0, true, true},
    {"11 prompt rows beside others", NULL, 2, 256, 11, 64, 512, 0, true, true},
    {"little cache memory", NULL, 2, 64, 64, 16, 64, 33, true, true},
    {"little cache memory, no prefix cache", NULL, 2, 64, 64, 16, 64, 33, false, true},
    {"portable kernels", "portable", 2, 32, 0, 32, 64, 0, true, true},
    {"avx2 kernels", "avx2", 2, 32, 0, 32, 64, 0, true, true},
};

/* Stretched answers seldom end early, noise is drawn for every row; portable kernels
 * are slow where loops are watched. */
static int requests_of(const engine_subject *subject, int way)
{
    bool slow = subject->open == open_stretched || subject->chip;
    bool portable = ways[way].kernels && strcmp(ways[way].kernels, "portable") == 0;
    if (TSAN)
        return slow || portable ? 1 : MIX;
    if (ASAN)
        return portable ? 1 : slow ? 6 : MIX;
    return slow ? MIX / 3 : MIX;
}

START_TEST(answers_do_not_depend_on_load)
{
    enum { WAYS = sizeof ways / sizeof ways[0] };
    int way = _i % (int)WAYS;
    const engine_subject *subject = &subjects[_i / (int)WAYS];
    int n = requests_of(subject, way);
    bool f32 = strcmp(subject->backend, "f32") == 0;
    if (TSAN && (f32 || subject->chip) && way > 0) /* the engine is the same, layers are slow */
        return;
    if (TSAN && subject->open == open_stretched && ways[way].kernels)
        return;
    if (ASAN && subject->chip && way % 3 > 0)
        return;
    if (ways[way].kernels && (f32 || !aim_kernels_pick(ways[way].kernels, NULL)))
        return; /* f32 promises nothing across instruction sets */
    static client alone[MIX], other[MIX];
    aim_chip chip;
    aim_model_options o = options();
    o.backend = subject->backend;
    if (subject->chip) {
        chip = subject->chip();
        o.chip = &chip;
    }
    o.engine.prefix_cache = false;
    aim_model *m = subject->open(&o);
    run_mix(m, alone, n, false);
    close_model(m);

    o.kernels = ways[way].kernels;
    o.engine.threads = ways[way].threads;
    o.engine.prefill_chunk = ways[way].chunk;
    o.engine.prefill_beside = ways[way].beside;
    o.engine.max_sequences = ways[way].sequences;
    o.engine.max_batch_tokens = ways[way].batch;
    o.engine.kv_blocks = ways[way].kv_blocks;
    o.engine.prefix_cache = ways[way].cache;
    m = subject->open(&o);
    for (int round = 0; round < 2; round++) { /* the second finds the prefixes cached */
        run_mix(m, other, n, ways[way].together);
        for (int i = 0; i < n; i++) {
            same_answers(&alone[i], &other[i], i);
            client_free(&other[i]);
        }
    }
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    if (ways[way].kv_blocks && !TSAN)
        ck_assert_msg(st.preemptions > 0, "%s: nothing was preempted", ways[way].name);
    if (ways[way].cache && !ways[way].kv_blocks) /* little memory keeps nothing */
        ck_assert_msg(st.prefix_hits > 0, "%s: no prefix was found", ways[way].name);
    if (!ways[way].cache)
        ck_assert_uint_eq(st.prefix_hits, 0);
    close_model(m);
    for (int i = 0; i < n; i++)
        client_free(&alone[i]);
}
END_TEST

/* An answer that grows over the change says what it would if its text so far had
 * been the prompt: nothing of the rows computed before is left. */
START_TEST(no_trace_of_short_rotary_factors_is_left)
{
    enum { MORE = 40 };
    aim_model_options o = options();
    aim_model *m = open_stretched(&o);
    char *prompt, *greedy;
    problem(0, &prompt, &greedy);
    static client grown, fresh;
    aim_request *r = new_request(m, &grown, prompt);
    int n = r->n_tokens, before = CHANGE + 1 - n;
    ck_assert_int_gt(before, 0);
    int32_t *tokens = aim_array((size_t)(CHANGE + 1), sizeof *tokens);
    memcpy(tokens, r->tokens, (size_t)n * sizeof *tokens);
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->logprobs = 2;
    r->max_tokens = before + MORE;
    submit(m, &grown, r);
    wait_end(&grown);
    const char *line = grown.answers[0].trace.data;
    for (int i = 0; i < before; i++, line = strchr(line, '\n') + 1)
        tokens[n + i] = (int32_t)strtol(line, NULL, 10);

    r = new_request(m, &fresh, "");
    aim_free(r->tokens);
    r->tokens = tokens;
    r->n_tokens = CHANGE + 1;
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->logprobs = 2;
    r->max_tokens = MORE;
    submit(m, &fresh, r);
    wait_end(&fresh);
    ck_assert_msg(strcmp(line, fresh.answers[0].trace.data) == 0, "they differ");
    client_free(&grown);
    client_free(&fresh);
    close_model(m);
}
END_TEST

/* ---- read noise ----------------------------------------------------------------- */

static aim_model *open_chip(aim_chip chip)
{
    aim_model_options o = options();
    o.backend = "analog";
    o.chip = &chip;
    return open_model(&o);
}

/* Tokens of such answers: more than a block. */
enum { ANSWER = TSAN ? AIM_KV_BLOCK + 1 : 40 };

/* The most likely answer to a problem, with the digits of its logprobs. */
static void answer_greedily(const aim_model *m, client *c, int i, uint64_t seed)
{
    char *prompt, *greedy;
    problem(i, &prompt, &greedy);
    aim_request *r = new_request(m, c, prompt);
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->logprobs = 1;
    r->max_tokens = ANSWER;
    r->seed = seed;
    submit(m, c, r);
    wait_end(c);
}

/* Blocks are shared among requests whose rows are the same: with read noise those of
 * one seed. The largest seed and -1 differ in one bit. */
START_TEST(seeds_and_what_they_share)
{
    static const uint64_t seeds[] = {5, 5, 6, UINT64_MAX, INT64_MAX};
    enum { N = sizeof seeds / sizeof seeds[0] };
    static client c[N];
    bool noisy = _i;
    aim_model *m = open_chip(noisy ? noisy_chip() : plain_chip());
    for (int i = 0; i < N; i++)
        answer_greedily(m, &c[i], 0, seeds[i]);
    for (int i = 1; i < N; i++) {
        bool same = strcmp(c[0].answers[0].trace.data, c[i].answers[0].trace.data) == 0;
        ck_assert_int_eq(same, !noisy || seeds[i] == seeds[0]);
        ck_assert_int_eq(c[i].cached > 0, same);
    }
    for (int i = 0; i < N; i++)
        client_free(&c[i]);
    close_model(m);
}
END_TEST

/* A prompt that is another one with its answer: what was generated had the noise of
 * a candidate, so the cache must not have it. */
START_TEST(noise_of_answers_stays_out_of_prompts)
{
    static client first, second, fresh;
    bool noisy = _i;
    aim_chip chip = noisy ? noisy_chip() : plain_chip();
    aim_model *m = open_chip(chip);
    answer_greedily(m, &first, 0, 5);
    for (int round = 0; round < 2; round++) {
        client *c = round ? &fresh : &second;
        char *prompt, *greedy;
        problem(0, &prompt, &greedy);
        aim_request *r = new_request(m, c, prompt);
        int n = r->n_tokens;
        r->tokens = aim_rearray(r->tokens, (size_t)(n + ANSWER), sizeof *r->tokens);
        const char *line = first.answers[0].trace.data;
        for (int i = 0; i < ANSWER; i++, line = strchr(line, '\n') + 1)
            r->tokens[r->n_tokens++] = (int32_t)strtol(line, NULL, 10);
        r->seed = 5;
        r->logprobs = 1;
        r->max_tokens = 10;
        submit(m, c, r);
        wait_end(c);
        if (round == 0) {
            int most = noisy ? n : n + ANSWER - 1;
            ck_assert_int_eq(c->cached, most / AIM_KV_BLOCK * AIM_KV_BLOCK);
            close_model(m);
            m = open_chip(chip);
        }
    }
    same_answers(&second, &fresh, 0);
    client_free(&first);
    client_free(&second);
    client_free(&fresh);
    close_model(m);
}
END_TEST

/* The line of a token in a trace, counted from 0, without the line's end. */
static const char *token_line(const client *c, int candidate, int token, size_t *len)
{
    const char *line = c->answers[candidate].trace.data;
    for (int i = 0; i < token; i++)
        line = strchr(line, '\n') + 1;
    *len = strcspn(line, "\n");
    return line;
}

static bool same_token(const client *c, int token)
{
    size_t n, m;
    const char *first = token_line(c, 0, token, &n), *second = token_line(c, 1, token, &m);
    return n == m && memcmp(first, second, n) == 0;
}

/* Two greedy candidates of one prompt: its rows are read with the request's noise and
 * shared, so their first tokens are alike to the last bit of the logprob. What follows
 * is read with noise of each candidate's own. */
START_TEST(candidates_have_noise_of_their_own)
{
    enum { TOKENS = 8 };
    static client c;
    bool noisy = _i;
    char *prompt, *greedy;
    aim_model *m = open_chip(noisy ? noisy_chip() : plain_chip());
    problem(0, &prompt, &greedy);
    aim_request *r = new_request(m, &c, prompt);
    r->n = 2;
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->logprobs = 1;
    r->max_tokens = TOKENS;
    r->seed = 5;
    submit(m, &c, r);
    wait_end(&c);
    ck_assert(same_token(&c, 0));
    for (int token = 1; token < TOKENS; token++)
        ck_assert_int_eq(same_token(&c, token), !noisy);
    client_free(&c);
    close_model(m);
}
END_TEST

/* The salt of a block can tell seeds apart or rotary factors, not both: with read noise
 * nothing is shared of prompts beyond the change. */
START_TEST(long_rotary_factors_and_noise_share_nothing)
{
    static const struct {
        const char *backend;
        aim_chip (*chip)(void);
        bool long_prompt, shared;
    } cases[] = {
        {"int8", NULL, true, true},          {"analog", plain_chip, true, true},
        {"int4", NULL, true, true},          {"analog", noisy_chip, false, true},
        {"analog", noisy_chip, true, false},
    };
    static client c;
    char *prompt, *greedy, text[1024] = "";
    problem(23, &prompt, &greedy);
    aim_chip chip = cases[_i].chip ? cases[_i].chip() : (aim_chip){0};
    aim_model_options o = options();
    o.backend = cases[_i].backend;
    o.chip = cases[_i].chip ? &chip : NULL;
    aim_model *m = open_stretched(&o);
    for (int times = cases[_i].long_prompt ? 4 : 1; times > 0; times--)
        strncat(text, prompt, sizeof text - strlen(text) - 1);
    for (int round = 0; round < 2; round++) {
        aim_request *r = new_request(m, &c, text);
        ck_assert_int_ge(r->n_tokens, AIM_KV_BLOCK + 1);
        ck_assert_int_eq(r->n_tokens > CHANGE, cases[_i].long_prompt);
        r->max_tokens = 1;
        r->seed = 5;
        submit(m, &c, r);
        wait_end(&c);
        ck_assert_int_eq(c.cached > 0, round == 1 && cases[_i].shared);
        client_free(&c);
    }
    close_model(m);
}
END_TEST

START_TEST(a_backend_on_tiles_needs_a_chip)
{
    aim_model_options o = options();
    aim_memory_plan plan;
    o.backend = "analog";
    for (int i = 0; i < 3; i++) {
        aim_error err = {0};
        if (i == 0)
            ck_assert_ptr_null(aim_model_open(&o, NULL, NULL, NULL, NULL, &err));
        else if (i == 1)
            ck_assert_int_eq(aim_model_plan(&o, &plan, &err), AIM_EINVAL);
        else
            ck_assert_int_eq(aim_model_check(&o, &err), AIM_EINVAL);
        ck_assert_int_eq(err.code, AIM_EINVAL);
        ck_assert_str_eq(err.param, "profile");
    }
}
END_TEST

START_TEST(candidates_are_a_prefix_of_more_candidates)
{
    aim_model_options o = options();
    aim_model *m = _i ? open_chip(noisy_chip()) : open_model(&o);
    static client few, many;
    char *prompt, *greedy;
    problem(3, &prompt, &greedy);
    for (int n = 2; n <= 8; n += 6) {
        client *c = n == 2 ? &few : &many;
        aim_request *r = new_request(m, c, prompt);
        r->n = n;
        r->seed = 5;
        r->sampling.temperature = 1.5;
        submit(m, c, r);
    }
    wait_end(&few);
    wait_end(&many);
    same_answers(&few, &many, 0);
    int equal = 0;
    for (int j = 1; j < 8; j++)
        equal += strcmp(many.answers[0].trace.data, many.answers[j].trace.data) == 0;
    ck_assert_int_lt(equal, 7); /* candidates are different samples */
    ck_assert_int_eq(many.starts, 1);
    ck_assert_int_eq(many.prompts, 1);
    client_free(&few);
    client_free(&many);
    close_model(m);
}
END_TEST

/* A row for each token but the last of a candidate; logits of the prompt's last row
 * serve all candidates. */
START_TEST(rows_are_counted)
{
    enum { N = 3, TOKENS = 20 };
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    static client c;
    aim_request *r = new_request(m, &c, "ten");
    uint64_t prompt = (uint64_t)r->n_tokens;
    r->n = N;
    r->sampling.ignore_eos = true;
    r->max_tokens = TOKENS;
    submit(m, &c, r);
    wait_end(&c);
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    ck_assert_uint_eq(st.rows, prompt + N * (TOKENS - 1));
    ck_assert_uint_eq(st.head_rows, 1 + N * (TOKENS - 1));
    client_free(&c);
    close_model(m);
}
END_TEST

START_TEST(stops)
{
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    char *prompt, *greedy;
    problem(0, &prompt, &greedy);
    static client whole, cut, with, by_id, longer;
    aim_request *r = new_request(m, &whole, prompt);
    r->sampling.temperature = 0;
    submit(m, &whole, r);
    wait_end(&whole);
    char *text = whole.answers[0].text.data, *at = strstr(text, "\nStep 2");
    ck_assert(at != NULL);

    for (int include = 0; include < 2; include++) {
        client *c = include ? &with : &cut;
        r = new_request(m, c, prompt);
        r->sampling.temperature = 0;
        r->stop = aim_malloc(sizeof *r->stop);
        r->stop[0] = aim_strdup("\nStep 2");
        r->n_stop = 1;
        r->include_stop = include;
        submit(m, c, r);
        wait_end(c);
        size_t len = (size_t)(at - text) + (include ? strlen("\nStep 2") : 0);
        ck_assert_uint_eq(c->answers[0].text.len, len);
        ck_assert_int_eq(memcmp(c->answers[0].text.data, text, len), 0);
        ck_assert_int_eq(c->answers[0].finish, AIM_FINISH_STOP);
        ck_assert_int_eq(c->answers[0].stop_string, 0);
    }

    int32_t newline = aim_tokenizer_find(m->tokenizer, "\n");
    ck_assert_int_ge(newline, 0);
    r = new_request(m, &by_id, prompt);
    r->sampling.temperature = 0;
    r->sampling.stop_ids = aim_malloc(sizeof(int32_t));
    r->sampling.stop_ids[0] = newline;
    r->sampling.n_stop_ids = 1;
    submit(m, &by_id, r);
    wait_end(&by_id);
    ck_assert_int_eq(by_id.answers[0].stop_id, newline);
    ck_assert_ptr_null(strchr(by_id.answers[0].text.data, '\n'));

    r = new_request(m, &longer, prompt);
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->max_tokens = whole.answers[0].tokens + 9;
    submit(m, &longer, r);
    wait_end(&longer);
    ck_assert_int_eq(longer.answers[0].finish, AIM_FINISH_LENGTH);
    ck_assert_int_eq(longer.answers[0].tokens, whole.answers[0].tokens + 9);
    client_free(&whole);
    client_free(&cut);
    client_free(&with);
    client_free(&by_id);
    client_free(&longer);
    close_model(m);
}
END_TEST

START_TEST(scoring_without_generation)
{
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    static client c;
    char *prompt, *greedy;
    problem(1, &prompt, &greedy);
    aim_request *r = new_request(m, &c, prompt);
    int n_tokens = r->n_tokens;
    r->max_tokens = 0;
    r->prompt_logprobs = 0;
    submit(m, &c, r);
    wait_end(&c);
    ck_assert_int_eq(c.answers[0].finish, AIM_FINISH_LENGTH);
    ck_assert_int_eq(c.answers[0].tokens, 0);
    int lines = 0;
    for (size_t i = 0; i < c.prompt_trace.len; i++)
        lines += c.prompt_trace.data[i] == '\n';
    ck_assert_int_eq(lines, n_tokens - 1);
    client_free(&c);
    close_model(m);
}
END_TEST

START_TEST(cancelling)
{
    enum { N = 16 };
    aim_model_options o = options();
    o.engine.max_sequences = 4; /* most of the requests are still queued */
    aim_model *m = open_model(&o);
    static client c[N];
    for (int i = 0; i < N; i++) {
        char *prompt, *greedy;
        problem(i, &prompt, &greedy);
        aim_request *r = new_request(m, &c[i], prompt);
        r->n = 1 + i % 3;
        r->sampling.ignore_eos = true;
        r->max_tokens = 300;
        c[i].cancel_after = i % 2 ? 3 : 0;
        submit(m, &c[i], r);
    }
    for (int i = 0; i < N; i += 2)
        aim_engine_cancel(m->engine, &c[i]);
    for (int i = 0; i < N; i++) {
        wait_end(&c[i]);
        for (int j = 0; j < c[i].n; j++) {
            ck_assert_int_eq(c[i].answers[j].finish, AIM_FINISH_ABORT);
            ck_assert_int_lt(c[i].answers[j].tokens, 250);
        }
        client_free(&c[i]);
    }
    close_model(m);
}
END_TEST

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

START_TEST(pausing)
{
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    static client c, plain;
    char *prompt, *greedy;
    problem(2, &prompt, &greedy);
    for (int i = 0; i < 2; i++) {
        aim_request *r = new_request(m, i ? &plain : &c, prompt);
        r->sampling.ignore_eos = true;
        r->max_tokens = 400;
        r->seed = 3;
        c.pause_after = 5;
        submit(m, i ? &plain : &c, r);
        if (i == 0) {
            while (tokens_of(&c) < 5)
                sleep_ms(1);
            sleep_ms(100); /* the step under way ends */
            int before = tokens_of(&c);
            sleep_ms(100);
            ck_assert_int_eq(tokens_of(&c), before);
            ck_assert_int_lt(before, 400);
        }
    }
    wait_end(&plain); /* others go on */
    aim_engine_pause(m->engine, &c, false);
    wait_end(&c);
    same_answers(&c, &plain, 0);
    client_free(&c);
    client_free(&plain);
    close_model(m);
}
END_TEST

/* A paused answer holds half of the cache; others need more than the rest. */
START_TEST(slow_readers_block_nobody)
{
    aim_model_options o = options();
    o.engine.kv_blocks = 40;
    aim_model *m = open_model(&o);
    static client slow, plain, big, small;
    char *prompt, *greedy;
    problem(2, &prompt, &greedy);
    for (int i = 0; i < 2; i++) {
        aim_request *r = new_request(m, i ? &plain : &slow, prompt);
        r->sampling.ignore_eos = true;
        r->max_tokens = 400;
        r->seed = 3;
        slow.pause_after = 120;
        submit(m, i ? &plain : &slow, r);
        while (i == 0 && tokens_of(&slow) < 120)
            sleep_ms(1);
    }
    aim_request *r = new_request(m, &big, prompt);
    r->n = 2;
    r->sampling.ignore_eos = true;
    r->max_tokens = 250;
    submit(m, &big, r);
    submit(m, &small, mixed_request(m, &small, 1));
    wait_end(&plain);
    wait_end(&big);
    wait_end(&small);
    ck_assert_int_lt(slow.answers[0].tokens, 400);
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    ck_assert_uint_gt(st.preemptions, 0);
    ck_assert_int_eq(st.paused, 1);
    aim_engine_pause(m->engine, &slow, false);
    wait_end(&slow);
    same_answers(&slow, &plain, 0);
    client_free(&slow);
    client_free(&plain);
    client_free(&big);
    client_free(&small);
    close_model(m);
}
END_TEST

START_TEST(refusals)
{
    aim_model_options o = options();
    o.engine.max_queue = 2;
    o.engine.max_sequences = 2;
    aim_model *m = open_model(&o);
    static client c[8];
    struct {
        int n, max_tokens, bad_token;
        enum aim_code code;
    } bad[] = {{3, 10, 0, AIM_EINVAL},
               {1, 512, 0, AIM_ECONTEXT},
               {1, INT32_MAX, 0, AIM_ECONTEXT},
               {1, 10, 512, AIM_EINVAL},
               {1, 10, -1, AIM_EINVAL}};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        aim_error err = {0};
        aim_request *r = new_request(m, &c[0], "1 + 1");
        r->n = bad[i].n;
        r->max_tokens = bad[i].max_tokens;
        if (bad[i].bad_token)
            r->tokens[0] = bad[i].bad_token;
        ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, &err), (int)bad[i].code);
        ck_assert(err.text[0] != '\0');
    }
    int refused = 0;
    for (int i = 0; i < 8; i++) {
        aim_error err = {0};
        aim_request *r = new_request(m, &c[i], "one two three");
        r->sampling.ignore_eos = true;
        r->max_tokens = 300;
        c[i].n = 1;
        if (aim_engine_submit(m->engine, &r, 1, &err) != AIM_OK) {
            ck_assert_int_eq(err.code, AIM_EBUSY);
            c[i].n = 0;
            refused++;
        }
    }
    ck_assert_int_ge(refused, 3);
    for (int i = 0; i < 8; i++) {
        aim_engine_cancel(m->engine, &c[i]);
        wait_end(&c[i]);
        client_free(&c[i]);
    }
    close_model(m);
}
END_TEST

/* As many as are taken, and not one more, whatever limits them. */
START_TEST(most_candidates_that_fit)
{
    static const struct {
        int sequences, n_tokens, n_answered, max_tokens, most;
    } cases[] = {{64, 40, 0, 100, 5}, {3, 40, 0, 100, 3},   {64, 40, 0, 300, 1},
                 {64, 40, 0, 450, 1}, {64, 70, 40, 100, 7}, {64, 32, 0, 80, 7}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        aim_model_options o = options();
        o.engine.kv_blocks = 40;
        o.engine.max_sequences = cases[i].sequences;
        aim_model *m = open_model(&o);
        static client c;
        int most = aim_engine_most_candidates(m->engine, cases[i].n_tokens, cases[i].n_answered,
                                              cases[i].max_tokens);
        ck_assert_int_eq(most, cases[i].most);
        for (int n = most + 1; n >= most; n--) {
            aim_error err = {0};
            aim_request *r = new_request(m, &c, "1");
            r->n = c.n = n;
            r->tokens = aim_rearray(r->tokens, (size_t)cases[i].n_tokens, sizeof *r->tokens);
            for (r->n_tokens = 0; r->n_tokens < cases[i].n_tokens; r->n_tokens++)
                r->tokens[r->n_tokens] = 7;
            r->n_answered = cases[i].n_answered;
            r->max_tokens = cases[i].max_tokens;
            ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, &err),
                             n > most ? AIM_EINVAL : AIM_OK);
        }
        aim_engine_cancel(m->engine, &c);
        wait_end(&c);
        client_free(&c);
        close_model(m);
    }
}
END_TEST

START_TEST(stopping_with_work_under_way)
{
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    static client c;
    aim_request *r = new_request(m, &c, "ten");
    r->n = 4;
    r->sampling.ignore_eos = true;
    r->max_tokens = 400;
    submit(m, &c, r);
    aim_model_close(m);
    ck_assert_int_eq(c.ended, 4); /* nobody is left waiting */
    client_free(&c);
}
END_TEST

START_TEST(a_hang_shows)
{
    aim_model_options o = options();
    aim_model *m = open_model(&o);
    sleep_ms(60);
    ck_assert_uint_lt(aim_engine_stalled_ns(m->engine), 50000000); /* idle is not stalled */
    aim_engine_hang(m->engine);
    sleep_ms(20);
    aim_engine_stalled_ns(m->engine);
    sleep_ms(100);
    ck_assert_uint_ge(aim_engine_stalled_ns(m->engine), 50000000);
    aim_model_close(m);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("engine");
    TCase *tc = tcase_create("engine");
    tcase_set_timeout(tc, 300);
    tcase_add_test(tc, greedy_equals_reference);
    tcase_add_loop_test(tc, answers_do_not_depend_on_load, 0,
                        N_SUBJECTS * (int)(sizeof ways / sizeof ways[0]));
    tcase_add_test(tc, no_trace_of_short_rotary_factors_is_left);
    tcase_add_loop_test(tc, seeds_and_what_they_share, 0, 2);
    tcase_add_loop_test(tc, noise_of_answers_stays_out_of_prompts, 0, 2);
    tcase_add_loop_test(tc, candidates_have_noise_of_their_own, 0, 2);
    tcase_add_loop_test(tc, long_rotary_factors_and_noise_share_nothing, 0, 5);
    tcase_add_test(tc, a_backend_on_tiles_needs_a_chip);
    tcase_add_loop_test(tc, candidates_are_a_prefix_of_more_candidates, 0, 2);
    tcase_add_test(tc, rows_are_counted);
    tcase_add_test(tc, stops);
    tcase_add_test(tc, scoring_without_generation);
    tcase_add_test(tc, cancelling);
    tcase_add_test(tc, pausing);
    tcase_add_test(tc, slow_readers_block_nobody);
    tcase_add_test(tc, refusals);
    tcase_add_test(tc, most_candidates_that_fit);
    tcase_add_test(tc, stopping_with_work_under_way);
    tcase_add_test(tc, a_hang_shows);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
