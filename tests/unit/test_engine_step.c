/* SPDX-License-Identifier: Apache-2.0 */
/* What happens between two tokens takes no memory from the system; events that readers
 * keep for long come back all the same. */
#include "base/alloc.h"
#include "chip_rig.h"
#include "engine/served_model.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CANDIDATES = 3, TOKENS = 40, PROMPT = 20 };

static char model_dir[4096];

/* ---- a reader ------------------------------------------------------------------- */

static struct {
    pthread_mutex_t lock; /* guards the rest */
    pthread_cond_t changed;
    bool keeps; /* events, for the main thread to free */
    aim_event *kept;
    int tokens, ended;
    /* What the engine asked for, from one list of nothing but tokens to the next. */
    uint64_t before, asked;
    bool plain_before;
    int steps;
} reader = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

/* Does the list hold tokens alone, none of them the last of a candidate? */
static bool is_plain(const aim_event *events)
{
    bool plain = true;
    for (; events; events = events->next)
        plain &= events->kind == AIM_EVENT_TOKEN && events->finish == AIM_FINISH_NONE;
    return plain;
}

static void count_allocations(bool plain)
{
    uint64_t now = aim_alloc_count();
    if (plain && reader.plain_before) {
        reader.asked += now - reader.before;
        reader.steps++;
    }
    reader.plain_before = plain;
    reader.before = now;
}

static void take_event(aim_event *e)
{
    reader.tokens += e->kind == AIM_EVENT_TOKEN;
    reader.ended += e->kind != AIM_EVENT_PROMPT && e->finish != AIM_FINISH_NONE;
    if (reader.keeps) {
        e->next = reader.kept;
        reader.kept = e;
    } else {
        aim_event_free(e);
    }
}

static void sink(void *arg, aim_event *events)
{
    (void)arg;
    pthread_mutex_lock(&reader.lock);
    count_allocations(is_plain(events));
    for (aim_event *next; events; events = next) {
        next = events->next;
        take_event(events);
    }
    pthread_cond_signal(&reader.changed);
    pthread_mutex_unlock(&reader.lock);
}

static void start_reading(bool keeps)
{
    reader.keeps = keeps;
    reader.kept = NULL;
    reader.tokens = reader.ended = reader.steps = 0;
    reader.asked = 0;
    reader.plain_before = false;
}

static void wait_for(int ended)
{
    pthread_mutex_lock(&reader.lock);
    while (reader.ended < ended)
        pthread_cond_wait(&reader.changed, &reader.lock);
    pthread_mutex_unlock(&reader.lock);
}

/* ---- requests ------------------------------------------------------------------- */

static aim_model *open_model(const char *backend, const aim_chip *chip)
{
    aim_error err = {0};
    aim_model_options o = {.dir = model_dir, .backend = backend, .chip = chip};
    aim_engine_config_init(&o.engine);
    o.engine.threads = 2;
    aim_model *m = aim_model_open(&o, sink, NULL, NULL, NULL, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    return m;
}

/* Everything that a token can have with it. The stop string is one that holds text back
 * and never ends, as does the separator. */
static aim_request *demanding_request(int i)
{
    aim_request *r = aim_request_new();
    r->tokens = aim_array(PROMPT, sizeof *r->tokens);
    for (int t = 0; t < PROMPT; t++)
        r->tokens[t] = (7 * t + 31 * i) % 256;
    r->n_tokens = PROMPT;
    r->n = CANDIDATES;
    r->seed = (uint64_t)i;
    r->max_tokens = TOKENS;
    r->logprobs = 5;
    r->sampling.temperature = 1;
    r->sampling.top_p = 0.9;
    r->sampling.top_k = i % 2 ? 20 : 0;
    r->sampling.repetition_penalty = 1.2;
    r->sampling.presence_penalty = 0.5;
    r->sampling.ignore_eos = true;
    r->stop = aim_array(1, sizeof *r->stop);
    r->stop[0] = aim_strdup("the \x01 that nobody writes");
    r->n_stop = 1;
    r->separator = aim_strdup("the \x02 that nobody writes");
    r->self_certainty = true;
    return r;
}

static void run(aim_model *m, int n)
{
    aim_request *requests[8];
    aim_error err = {0};
    for (int i = 0; i < n; i++)
        requests[i] = demanding_request(i);
    ck_assert_msg(aim_engine_submit(m->engine, requests, n, &err) == AIM_OK, "%s", err.text);
    wait_for(n * CANDIDATES);
    ck_assert_int_eq(reader.tokens, n * CANDIDATES * TOKENS);
}

/* ---- tests ------------------------------------------------------------------------ */

static const struct {
    const char *backend;
    aim_chip (*chip)(void);
} backends[] = {{"int8", NULL}, {"int4", NULL}, {"f32", NULL}, {"analog", noisy_chip}};

START_TEST(nothing_is_allocated_between_tokens)
{
    aim_chip chip;
    if (backends[_i].chip)
        chip = backends[_i].chip();
    aim_model *m = open_model(backends[_i].backend, backends[_i].chip ? &chip : NULL);
    start_reading(false);
    run(m, 4);
    ck_assert_int_ge(reader.steps, TOKENS / 2);
    ck_assert_msg(reader.asked == 0, "%s: %d allocations in %d steps", backends[_i].backend,
                  (int)reader.asked, reader.steps);
    aim_model_close(m);
}
END_TEST

/* More events than were made in advance, which outlive the engine besides. */
START_TEST(events_may_be_kept)
{
    aim_model *m = open_model("int8", NULL);
    start_reading(true);
    run(m, 2);
    aim_model_close(m);
    int n = 0;
    for (aim_event *next, *e = reader.kept; e; e = next, n++) {
        next = e->next;
        if (e->kind == AIM_EVENT_TOKEN)
            ck_assert(strlen(e->text) == e->text_len && e->n_top == 5 && e->rank >= 1);
        aim_event_free(e);
    }
    ck_assert_int_gt(n, 2 * CANDIDATES * TOKENS);
}
END_TEST

/* Freed by another thread while the engine takes others out. */
START_TEST(events_come_back_from_another_thread)
{
    aim_model *m = open_model("int8", NULL);
    start_reading(true);
    aim_request *r = demanding_request(1);
    ck_assert_int_eq(aim_engine_submit(m->engine, &r, 1, NULL), AIM_OK);
    for (int ended = 0; ended < CANDIDATES;) {
        pthread_mutex_lock(&reader.lock);
        while (!reader.kept)
            pthread_cond_wait(&reader.changed, &reader.lock);
        aim_event *events = reader.kept;
        reader.kept = NULL;
        ended = reader.ended;
        pthread_mutex_unlock(&reader.lock);
        for (aim_event *next; events; events = next) {
            next = events->next;
            aim_event_free(events);
        }
    }
    ck_assert_int_eq(reader.tokens, CANDIDATES * TOKENS);
    aim_model_close(m);
}
END_TEST

int main(void)
{
    const char *top = getenv("top_srcdir");
    snprintf(model_dir, sizeof model_dir, "%s/models/wordmath-2m", top ? top : ".");
    Suite *s = suite_create("engine_step");
    TCase *tc = tcase_create("engine_step");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, nothing_is_allocated_between_tokens, 0,
                        sizeof backends / sizeof backends[0]);
    tcase_add_test(tc, events_may_be_kept);
    tcase_add_test(tc, events_come_back_from_another_thread);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
