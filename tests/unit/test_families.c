/* SPDX-License-Identifier: Apache-2.0 */
/* Tiny checkpoints of every family, setting and file format against what
 * transformers answers: the logits, and greedy continuations through the engine,
 * however the work is cut up. tests/reference/make_model_fixtures.py makes them. */
#include "base/alloc.h"
#include "base/json.h"
#include "engine/engine.h"
#include "tests/unit/decoder_rig.h"

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

enum { MAX_PROMPTS = 5, NEW_TOKENS = 32, MAX_POSITIONS = 8 };

/* The reference adds in another order and prints five decimals. */
static const float TOLERANCE = 2e-4f;

static const char *const families[] = {
    "llama2",
    "llama3",
    "llama-linear",
    "llama-bias",
    "llama-sharded",
    "llama-torch",
    "llama-torch-sharded",
    "mistral",
    "phi3",
    "phi3-longrope",
    "phi3-su",
    "phi3-factor",
    "phi3-partial",
    "qwen2",
    "qwen2-tied",
    "qwen2-window",
    "qwen3",
    "qwen3-window",
    "analog-llama",
    "analog-phi3",
};

/* ---- the reference --------------------------------------------------------- */

struct prompt {
    int n, n_positions;
    int32_t tokens[MAX_TOKENS], greedy[NEW_TOKENS], positions[MAX_POSITIONS];
    float *logits; /* [n_positions, vocab] */
};

struct reference {
    int n, vocab;
    struct prompt prompts[MAX_PROMPTS];
};

static const char *data_path(const char *folder, const char *file)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/models/%s/%s", root ? root : ".", folder, file);
    return path;
}

static int read_ids(const json_t *list, int32_t *out, int most)
{
    int n = (int)json_array_size(list);
    ck_assert_int_gt(n, 0);
    ck_assert_int_le(n, most);
    for (int i = 0; i < n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
    return n;
}

static void read_prompt(const json_t *from, struct prompt *p, int vocab)
{
    const json_t *rows = json_object_get(from, "logits");
    p->n = read_ids(json_object_get(from, "tokens"), p->tokens, MAX_TOKENS);
    p->n_positions = read_ids(json_object_get(from, "positions"), p->positions, MAX_POSITIONS);
    int n_greedy = read_ids(json_object_get(from, "greedy"), p->greedy, NEW_TOKENS);
    ck_assert_int_eq(n_greedy, NEW_TOKENS);
    ck_assert_uint_eq(json_array_size(rows), (size_t)p->n_positions);
    p->logits = malloc((size_t)p->n_positions * (size_t)vocab * sizeof *p->logits);
    for (int i = 0; i < p->n_positions; i++) {
        const json_t *row = json_array_get(rows, (size_t)i);
        ck_assert_uint_eq(json_array_size(row), (size_t)vocab);
        for (int v = 0; v < vocab; v++)
            p->logits[i * vocab + v] = (float)json_number_value(json_array_get(row, (size_t)v));
    }
}

static void reference_load(struct reference *ref, const char *family, int vocab)
{
    aim_error err = {0};
    json_t *doc = aim_json_load(data_path(family, "reference.json"), 1 << 20, &err);
    ck_assert_msg(doc != NULL, "%s", err.text);
    const json_t *prompts = json_object_get(doc, "prompts");
    *ref = (struct reference){.n = (int)json_array_size(prompts), .vocab = vocab};
    ck_assert(ref->n > 0 && ref->n <= MAX_PROMPTS);
    for (int i = 0; i < ref->n; i++)
        read_prompt(json_array_get(prompts, (size_t)i), &ref->prompts[i], vocab);
    json_decref(doc);
}

static void reference_free(struct reference *ref)
{
    for (int i = 0; i < ref->n; i++)
        free(ref->prompts[i].logits);
}

/* ---- logits ------------------------------------------------------------------ */

struct bench {
    struct rig rig;
    struct reference ref;
    struct sequence sequences[MAX_PROMPTS];
};

static void bench_open(struct bench *b, const char *family, const char *backend)
{
    rig_open_dir(&b->rig, data_path(family, "."), backend, NULL, 2);
    reference_load(&b->ref, family, b->rig.config.vocab);
}

static void bench_close(struct bench *b)
{
    reference_free(&b->ref);
    rig_close(&b->rig);
}

static void begin(struct bench *b)
{
    for (int i = 0; i < b->ref.n; i++)
        set_up(&b->rig, &b->sequences[i], b->ref.prompts[i].tokens, b->ref.prompts[i].n);
}

static void end(struct bench *b)
{
    for (int i = 0; i < b->ref.n; i++)
        tear_down(&b->rig, &b->sequences[i]);
}

static void check_logits(const struct bench *b, const char *family, const char *how)
{
    int vocab = b->ref.vocab;
    for (int i = 0; i < b->ref.n; i++) {
        const struct prompt *p = &b->ref.prompts[i];
        for (int k = 0; k < p->n_positions; k++)
            for (int v = 0; v < vocab; v++) {
                float want = p->logits[k * vocab + v];
                float got = b->sequences[i].logits[p->positions[k] * vocab + v];
                ck_assert_msg(fabsf(got - want) <= TOLERANCE,
                              "%s, %s: prompt of %d, position %d, token %d: %.5f, wanted %.5f",
                              family, how, p->n, p->positions[k], v, got, want);
            }
    }
}

/* Each prompt alone, whole and in chunks. */
START_TEST(logits_equal_the_reference)
{
    static const int chunks[] = {MAX_TOKENS, 1, 3, 7};
    struct bench b;
    bench_open(&b, families[_i], "f32");
    for (size_t c = 0; c < COUNT(chunks); c++) {
        char how[32];
        snprintf(how, sizeof how, "chunks of %d", chunks[c]);
        begin(&b);
        for (int i = 0; i < b.ref.n; i++)
            while (!finished(&b.sequences[i], 1))
                step(&b.rig, &b.sequences[i], 1, chunks[c]);
        check_logits(&b, families[_i], how);
        end(&b);
    }
    bench_close(&b);
}
END_TEST

/* Prompts of unequal length in one flat batch, a row of each in turn. */
START_TEST(logits_equal_the_reference_in_a_batch)
{
    static const int chunks[] = {MAX_TOKENS, 1, 5};
    struct bench b;
    bench_open(&b, families[_i], "f32");
    for (size_t c = 0; c < COUNT(chunks); c++) {
        char how[32];
        snprintf(how, sizeof how, "batches of %d each", chunks[c]);
        begin(&b);
        while (!finished(b.sequences, b.ref.n))
            step(&b.rig, b.sequences, b.ref.n, chunks[c]);
        check_logits(&b, families[_i], how);
        end(&b);
    }
    bench_close(&b);
}
END_TEST

/* Root mean square of the error over that of the logits. */
static double relative_error(const struct bench *b)
{
    double error = 0, size = 0;
    int vocab = b->ref.vocab;
    for (int i = 0; i < b->ref.n; i++) {
        const struct prompt *p = &b->ref.prompts[i];
        for (int k = 0; k < p->n_positions; k++)
            for (int v = 0; v < vocab; v++) {
                double want = p->logits[k * vocab + v];
                double got = b->sequences[i].logits[p->positions[k] * vocab + v];
                error += (got - want) * (got - want);
                size += want * want;
            }
    }
    return sqrt(error / size);
}

static const struct rounding {
    const char *backend;
    double error;
} roundings[] = {{"int8", 0.15}, {"int4", 0.55}};
enum { N_ROUNDINGS = sizeof roundings / sizeof roundings[0] };

/* Rounding to 8 bits costs 0.02 to 0.12 of these logits; no rope scaling, 0.6 and more. */
START_TEST(rounded_weights_are_close)
{
    const struct rounding *how = &roundings[_i % N_ROUNDINGS];
    const char *family = families[_i / N_ROUNDINGS];
    struct bench b;
    bench_open(&b, family, how->backend);
    begin(&b);
    for (int i = 0; i < b.ref.n; i++)
        step(&b.rig, &b.sequences[i], 1, MAX_TOKENS);
    double error = relative_error(&b);
    ck_assert_msg(error < how->error, "%s, %s: relative error %.3f", family, how->backend, error);
    end(&b);
    bench_close(&b);
}
END_TEST

/* ---- through the engine ---------------------------------------------------------- */

struct answer {
    int n, cached;
    int32_t tokens[NEW_TOKENS];
    bool ended;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

static void on_event(const aim_event *e)
{
    struct answer *a = e->user;
    ck_assert_msg(!e->error, "%s", e->error->text);
    if (e->kind == AIM_EVENT_PROMPT)
        a->cached = e->cached_tokens;
    if (e->kind == AIM_EVENT_TOKEN && a->n < NEW_TOKENS)
        a->tokens[a->n++] = e->token;
    if (e->finish != AIM_FINISH_NONE)
        a->ended = true;
}

static void sink(void *arg, aim_event *events)
{
    (void)arg;
    pthread_mutex_lock(&lock);
    for (aim_event *next; events; events = next) {
        next = events->next;
        on_event(events);
        aim_event_free(events);
    }
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
}

static aim_request *greedy_request(const struct prompt *p, struct answer *a)
{
    aim_request *r = aim_request_new();
    r->tokens = aim_calloc((size_t)p->n, sizeof *r->tokens);
    memcpy(r->tokens, p->tokens, (size_t)p->n * sizeof *r->tokens);
    r->n_tokens = p->n;
    r->max_tokens = NEW_TOKENS;
    r->sampling.temperature = 0;
    r->sampling.ignore_eos = true;
    r->user = a;
    return r;
}

static void wait_for(struct answer *a)
{
    pthread_mutex_lock(&lock);
    while (!a->ended)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

/* Ask for the continuation of prompts [from, to) together, check them, and return
 * how many of their tokens were found in the prefix cache. */
static int check_greedy(aim_engine *e, const struct reference *ref, int from, int to,
                        const char *family)
{
    struct answer answers[MAX_PROMPTS] = {{0}};
    aim_request *requests[MAX_PROMPTS];
    aim_error err = {0};
    for (int i = from; i < to; i++)
        requests[i] = greedy_request(&ref->prompts[i], &answers[i]);
    int code = aim_engine_submit(e, requests + from, to - from, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    int cached = 0;
    for (int i = from; i < to; i++) {
        wait_for(&answers[i]);
        cached += answers[i].cached;
        for (int k = 0; k < NEW_TOKENS; k++)
            ck_assert_msg(answers[i].tokens[k] == ref->prompts[i].greedy[k],
                          "%s: prompt of %d, new token %d: %d, wanted %d", family,
                          ref->prompts[i].n, k, answers[i].tokens[k], ref->prompts[i].greedy[k]);
    }
    return cached;
}

static const struct engine_case {
    int prefill_chunk;
    bool together, prefix_cache, small_cache;
} engine_cases[] = {
    {256, false, false, false}, {1, false, false, false}, {3, true, false, false},
    {7, true, true, false},     {256, true, true, false}, {7, false, true, false},
    {256, true, false, true},
};

/* Twice, so that the second time the prompts are in the prefix cache. */
static void run_engine_case(const struct engine_case *c, struct rig *rig,
                            const struct reference *ref, const aim_tokenizer *tokenizer,
                            const char *family)
{
    aim_error err = {0};
    aim_engine_config config;
    aim_engine_config_init(&config);
    config.prefill_chunk = c->prefill_chunk;
    config.prefix_cache = c->prefix_cache;
    if (c->small_cache) /* one context: most prompts must wait or start again */
        config.kv_blocks = aim_kv_blocks_for(rig->config.max_positions);
    aim_engine *e =
        aim_engine_new(&config, rig->decoder, tokenizer, &rig->compute, sink, NULL, &err);
    ck_assert_msg(e != NULL, "%s", err.text);
    for (int round = 0; round < 2; round++) {
        int cached = 0;
        if (c->together)
            cached = check_greedy(e, ref, 0, ref->n, family);
        for (int i = 0; i < ref->n && !c->together; i++)
            cached += check_greedy(e, ref, i, i + 1, family);
        if (round > 0 || !c->prefix_cache)
            ck_assert_msg((cached > 0) == c->prefix_cache, "%s: %d cached tokens", family, cached);
    }
    aim_engine_free(e);
}

START_TEST(greedy_equals_the_reference)
{
    struct bench b;
    aim_error err = {0};
    bench_open(&b, families[_i], "f32");
    aim_tokenizer *tokenizer = aim_tokenizer_load(data_path("tokenizer", "."), &err);
    ck_assert_msg(tokenizer != NULL, "%s", err.text);
    for (size_t c = 0; c < COUNT(engine_cases); c++)
        run_engine_case(&engine_cases[c], &b.rig, &b.ref, tokenizer, families[_i]);
    aim_tokenizer_free(tokenizer);
    bench_close(&b);
}
END_TEST

/* ---- all of them ------------------------------------------------------------------- */

/* The tokenizer goes with all of them; test_score_head.c runs the reward models. */
static bool is_family(const char *folder)
{
    return folder[0] != '.' && strcmp(folder, "tokenizer") != 0 &&
           strncmp(folder, "reward_", strlen("reward_")) != 0;
}

/* A folder that nobody runs proves nothing. */
START_TEST(every_folder_is_run)
{
    DIR *dir = opendir(data_path(".", "."));
    ck_assert_ptr_nonnull(dir);
    size_t folders = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        folders += is_family(entry->d_name);
    closedir(dir);
    ck_assert_uint_eq(folders, COUNT(families));
}
END_TEST

int main(void)
{
    aim_json_init();
    const int n = COUNT(families);
    Suite *s = suite_create("families");
    TCase *t = tcase_create("reference");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, logits_equal_the_reference, 0, n);
    tcase_add_loop_test(t, logits_equal_the_reference_in_a_batch, 0, n);
    tcase_add_loop_test(t, rounded_weights_are_close, 0, N_ROUNDINGS * n);
    tcase_add_loop_test(t, greedy_equals_the_reference, 0, n);
    tcase_add_test(t, every_folder_is_run);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
