/* SPDX-License-Identifier: Apache-2.0 */
/* The outputs of tiny reward models of every layout against a reference, on every backend
 * and however the work is cut up. tests/reference/make_reward_fixtures.py makes them. */
#include "base/json.h"
#include "tests/unit/chip_rig.h"
#include "tests/unit/decoder_rig.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>

enum { MAX_CONVERSATIONS = 16, MAX_SCORES = 32, MAX_LABELS = 2 };

/* The reference adds in another order and prints five decimals. */
static const float TOLERANCE = 2e-4f;

/* ---- the reference ---------------------------------------------------------------- */

static const struct model {
    const char *folder;
    enum aim_head_kind head;
    int outputs;
} models[] = {
    {"rlhflow", AIM_HEAD_LANGUAGE, 384},
    {"rlhflow-outcome", AIM_HEAD_LANGUAGE, 384},
    {"math-shepherd", AIM_HEAD_LANGUAGE, 344},
    {"verifier", AIM_HEAD_LANGUAGE, 384},
    {"classifier", AIM_HEAD_LINEAR, 1},
    {"skywork", AIM_HEAD_LINEAR, 1},
    {"qwen-prm", AIM_HEAD_MLP, 2},
    {"qwen-rm", AIM_HEAD_MLP, 1},
};
enum { CLASSIFIER = 4, SKYWORK, QWEN_PRM };

struct conversation {
    int n, n_scores;
    int32_t tokens[MAX_TOKENS], score_at[MAX_SCORES];
    float outputs[MAX_SCORES][MAX_LABELS];
};

/* Conversations that have tokens. width: outputs of a score. */
struct reference {
    int n, n_labels, width;
    int32_t labels[MAX_LABELS];
    struct conversation conversations[MAX_CONVERSATIONS];
};

static const char *data_path(const char *folder, const char *file)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/models/reward_%s/%s", root ? root : ".", folder,
             file);
    return path;
}

static int read_ids(const json_t *list, int32_t *out, int most)
{
    int n = (int)json_array_size(list);
    ck_assert_int_le(n, most);
    for (int i = 0; i < n; i++)
        out[i] = (int32_t)json_integer_value(json_array_get(list, (size_t)i));
    return n;
}

static void read_conversation(const json_t *from, struct conversation *c, int width)
{
    const json_t *outputs = json_object_get(from, "outputs");
    c->n = read_ids(json_object_get(from, "tokens"), c->tokens, MAX_TOKENS);
    c->n_scores = read_ids(json_object_get(from, "score_at"), c->score_at, MAX_SCORES);
    ck_assert_int_eq((int)json_array_size(outputs), c->n_scores);
    for (int i = 0; i < c->n_scores; i++) {
        const json_t *row = json_array_get(outputs, (size_t)i);
        ck_assert_int_eq((int)json_array_size(row), width);
        for (int k = 0; k < width; k++)
            c->outputs[i][k] = (float)json_number_value(json_array_get(row, (size_t)k));
    }
}

static void reference_load(struct reference *ref, const struct model *m)
{
    aim_error err = {0};
    json_t *doc = aim_json_load(data_path(m->folder, "reference.json"), 1 << 20, &err);
    ck_assert_msg(doc != NULL, "%s", err.text);
    *ref = (struct reference){0};
    ref->n_labels = read_ids(json_object_get(doc, "labels"), ref->labels, MAX_LABELS);
    ref->width = ref->n_labels ? ref->n_labels : m->outputs;
    size_t i;
    const json_t *c;
    json_array_foreach(json_object_get(doc, "conversations"), i, c)
    {
        if (json_is_null(json_object_get(c, "tokens")))
            continue;
        ck_assert_int_lt(ref->n, MAX_CONVERSATIONS);
        read_conversation(c, &ref->conversations[ref->n++], ref->width);
    }
    ck_assert_int_ge(ref->n, 12);
    json_decref(doc);
}

/* ---- outputs ------------------------------------------------------------------------ */

struct bench {
    const struct model *model;
    struct rig rig;
    struct reference ref;
};

static void bench_open(struct bench *b, const struct model *m, const char *backend,
                       const aim_chip *chip, const char *kernels, int threads)
{
    b->model = m;
    rig_open_chip(&b->rig, data_path(m->folder, "."), backend, chip, kernels, threads);
    ck_assert_int_eq(b->rig.config.head, m->head);
    ck_assert_int_eq(aim_decoder_outputs(b->rig.decoder), m->outputs);
    reference_load(&b->ref, m);
}

/* Output k of score i: that of a head, or the logit of a label. */
static float output_of(const struct bench *b, const struct sequence *s,
                       const struct conversation *c, int i, int k)
{
    int column = b->ref.n_labels ? b->ref.labels[k] : k;
    return s->logits[(size_t)c->score_at[i] * (size_t)b->model->outputs + (size_t)column];
}

static void check_outputs(const struct bench *b, const struct sequence *s,
                          const struct conversation *c, const char *how)
{
    for (int i = 0; i < c->n_scores; i++)
        for (int k = 0; k < b->ref.width; k++) {
            float got = output_of(b, s, c, i, k), want = c->outputs[i][k];
            ck_assert_msg(fabsf(got - want) <= TOLERANCE,
                          "%s, %s: %d tokens, score %d, output %d: %.5f, wanted %.5f",
                          b->model->folder, how, c->n, i, k, (double)got, (double)want);
        }
}

/* Each conversation alone, whole and in chunks of all lengths. */
START_TEST(outputs_equal_the_reference)
{
    static struct bench b;
    bench_open(&b, &models[_i], "f32", NULL, NULL, 2);
    for (int n = 0; n < 2 * b.ref.n; n++) {
        const struct conversation *c = &b.ref.conversations[n / 2];
        struct sequence s;
        set_up(&b.rig, &s, c->tokens, c->n);
        while (!finished(&s, 1))
            step(&b.rig, &s, 1, n % 2 ? 1 + n : MAX_TOKENS);
        check_outputs(&b, &s, c, "alone");
        tear_down(&b.rig, &s);
    }
    rig_close(&b.rig);
}
END_TEST

/* A few of unequal length in one flat batch, a row of each in turn. */
START_TEST(outputs_equal_the_reference_in_a_batch)
{
    enum { TOGETHER = 4 };
    static struct bench b;
    struct sequence s[TOGETHER];
    bench_open(&b, &models[_i], "f32", NULL, NULL, 2);
    for (int i = 0; i < TOGETHER; i++)
        set_up(&b.rig, &s[i], b.ref.conversations[3 * i].tokens, b.ref.conversations[3 * i].n);
    while (!finished(s, TOGETHER))
        step(&b.rig, s, TOGETHER, 9);
    for (int i = 0; i < TOGETHER; i++) {
        check_outputs(&b, &s[i], &b.ref.conversations[3 * i], "together");
        tear_down(&b.rig, &s[i]);
    }
    rig_close(&b.rig);
}
END_TEST

/* ---- other backends ------------------------------------------------------------------ */

/* Outputs of all scores of all conversations. */
struct scores {
    int n;
    float at[MAX_CONVERSATIONS * MAX_SCORES * MAX_LABELS];
};

static void collect(struct bench *b, struct scores *out)
{
    out->n = 0;
    for (int n = 0; n < b->ref.n; n++) {
        const struct conversation *c = &b->ref.conversations[n];
        struct sequence s;
        set_up(&b->rig, &s, c->tokens, c->n);
        step(&b->rig, &s, 1, MAX_TOKENS);
        for (int i = 0; i < c->n_scores; i++)
            for (int k = 0; k < b->ref.width; k++)
                out->at[out->n++] = output_of(b, &s, c, i, k);
        tear_down(&b->rig, &s);
    }
}

static void collect_on(const struct model *m, const char *backend, const aim_chip *chip,
                       const char *kernels, int threads, struct scores *out)
{
    static struct bench b;
    bench_open(&b, m, backend, chip, kernels, threads);
    collect(&b, out);
    rig_close(&b.rig);
}

/* Root mean square of the difference over that of what is wanted. */
static double relative_error(const struct scores *got, const struct scores *want)
{
    double error = 0, size = 0;
    ck_assert_int_eq(got->n, want->n);
    for (int i = 0; i < got->n; i++) {
        double difference = (double)got->at[i] - (double)want->at[i];
        error += difference * difference;
        size += (double)want->at[i] * (double)want->at[i];
    }
    return sqrt(error / size);
}

/* Rounding to 8 bits costs 0.03 to 0.11 of these outputs, to 4 bits 0.19 to 0.75. */
START_TEST(rounded_weights_are_close)
{
    static const struct {
        const char *backend;
        double error;
    } roundings[] = {{"int8", 0.15}, {"int4", 0.8}};
    static struct scores want, got;
    collect_on(&models[_i], "f32", NULL, NULL, 1, &want);
    for (size_t i = 0; i < COUNT(roundings); i++) {
        collect_on(&models[_i], roundings[i].backend, NULL, NULL, 1, &got);
        double error = relative_error(&got, &want);
        ck_assert_msg(error > 0 && error < roundings[i].error, "%s, %s: relative error %.3f",
                      models[_i].folder, roundings[i].backend, error);
    }
}
END_TEST

static void check_same(const struct scores *a, const struct scores *b)
{
    ck_assert_int_eq(a->n, b->n);
    ck_assert_mem_eq(a->at, b->at, (size_t)a->n * sizeof *a->at);
}

START_TEST(instruction_sets_and_threads_do_not_matter)
{
    static struct scores want, got;
    collect_on(&models[_i], "int8", NULL, NULL, 1, &want);
    collect_on(&models[_i], "int8", NULL, "portable", 1, &got);
    check_same(&got, &want);
    collect_on(&models[_i], "int8", NULL, NULL, 3, &got);
    check_same(&got, &want);
}
END_TEST

/* On a chip that has nothing but lm_head, a model with a head of rewards is digital. */
START_TEST(heads_are_never_on_tiles)
{
    static struct scores digital, got;
    const struct model *m = &models[_i];
    aim_chip chip = noisy_chip();
    chip.profile.on_tiles = AIM_ON_TILES_LM_HEAD;
    collect_on(m, "int8", NULL, NULL, 1, &digital);
    collect_on(m, "analog", &chip, NULL, 1, &got);
    check_same(&got, &digital);

    static struct bench b;
    chip.profile.energy =
        (aim_energy){.rows = 128, .columns = 128, .mvm_joule = 1, .mvm_seconds = 1};
    bench_open(&b, m, "analog", &chip, NULL, 1);
    aim_chip_cost cost = aim_decoder_chip_cost(b.rig.decoder, 1, 1000);
    ck_assert_double_eq(cost.seconds, 0);
    ck_assert_str_eq(aim_decoder_range_source(b.rig.decoder), "none");
    rig_close(&b.rig);
}
END_TEST

/* The blocks of a reward model are on tiles like those of any other; it runs and is not
 * what it would be in digital. */
START_TEST(chips_run_reward_models)
{
    static struct scores digital, got, again;
    const aim_chip chip = plain_chip();
    collect_on(&models[_i], "int8", NULL, NULL, 1, &digital);
    collect_on(&models[_i], "analog", &chip, NULL, 1, &got);
    collect_on(&models[_i], "analog", &chip, NULL, 3, &again);
    double error = relative_error(&got, &digital);
    ck_assert_msg(error > 0 && error < 1, "%s: relative error %.3f", models[_i].folder, error);
    check_same(&got, &again);
}
END_TEST

/* ---- facts ----------------------------------------------------------------------------- */

/* The blocks have 2 layers of 32 hidden units, 4 heads and 2 key and value heads of 8, and
 * 40 feed-forward units. */
START_TEST(sizes_count_the_head)
{
    static const struct {
        int model;
        size_t weights, biases;
    } cases[] = {{CLASSIFIER, 32, 0}, {SKYWORK, 32, 1}, {QWEN_PRM, 32 * 32 + 64, 34}};
    const size_t block = 32 * (32 + 16 + 16) + 32 * 32 + 3 * 32 * 40, norms = 5 * 32;
    for (size_t i = 0; i < COUNT(cases); i++) {
        static struct bench b;
        bench_open(&b, &models[cases[i].model], "f32", NULL, NULL, 1);
        const aim_hf_config *c = &b.rig.config;
        size_t biases = cases[i].biases + (c->qkv_bias ? 2 * 64 : 0);
        size_t all = 2 * block + cases[i].weights;
        ck_assert_uint_eq(aim_decoder_macs(b.rig.decoder, false), 2 * block);
        ck_assert_uint_eq(aim_decoder_macs(b.rig.decoder, true), all);
        ck_assert_uint_eq(aim_decoder_weight_bytes(b.rig.decoder), 4 * all);
        ck_assert_uint_eq(aim_hf_config_parameters(c), all + biases + norms + 384 * 32);
        ck_assert_uint_eq(aim_decoder_load_bytes(c, aim_backend_find("f32", NULL), NULL),
                          4 * (all + biases + norms + (size_t)c->rope.dim));
        ck_assert_uint_eq(
            aim_workspace_bytes(b.rig.workspace),
            aim_workspace_need(c, aim_backend_find("f32", NULL), NULL, MAX_ROWS, MAX_ROWS, 1));
        rig_close(&b.rig);
    }
}
END_TEST

/* A configuration that another checkpoint was made for. */
START_TEST(wrong_heads_are_named)
{
    static const struct {
        enum aim_head_kind head;
        int outputs;
        bool value_head;
        const char *error;
    } cases[] = {
        {AIM_HEAD_LINEAR, 1, false, NULL},
        {AIM_HEAD_LINEAR, 2, false, "\"score.weight\" has shape [1, 32]"},
        {AIM_HEAD_LINEAR, 1, true, "\"v_head.summary.weight\" is missing"},
        {AIM_HEAD_MLP, 1, false, "\"score.0.weight\" is missing"},
        {AIM_HEAD_LANGUAGE, 0, false, "\"lm_head.weight\" is missing"},
    };
    static struct bench b;
    bench_open(&b, &models[CLASSIFIER], "f32", NULL, NULL, 1);
    for (size_t i = 0; i < COUNT(cases); i++) {
        aim_hf_config c = b.rig.config;
        aim_error err = {0};
        c.head = cases[i].head;
        c.head_outputs = cases[i].outputs;
        c.value_head = cases[i].value_head;
        int code =
            aim_decoder_check(&c, b.rig.checkpoint, aim_backend_find("f32", NULL), NULL, &err);
        ck_assert_int_eq(code != AIM_OK, cases[i].error != NULL);
        if (cases[i].error)
            ck_assert_msg(strstr(err.text, cases[i].error), "%s", err.text);
    }
    rig_close(&b.rig);
}
END_TEST

START_TEST(random_heads_run)
{
    static struct bench b;
    bench_open(&b, &models[QWEN_PRM], "int8", NULL, NULL, 1);
    aim_decoder_free(b.rig.decoder);
    aim_error err = {0};
    b.rig.decoder = aim_decoder_random(&b.rig.config, aim_backend_find("int8", NULL), NULL,
                                       &b.rig.compute, 1, &err);
    ck_assert_msg(b.rig.decoder != NULL, "%s", err.text);
    static struct scores scores;
    collect(&b, &scores);
    for (int i = 0; i < scores.n; i++)
        ck_assert(isfinite(scores.at[i]));
    ck_assert(scores.at[0] != scores.at[1]);
    rig_close(&b.rig);
}
END_TEST

/* ---- all of them ------------------------------------------------------------------------ */

/* A folder that nobody runs proves nothing. */
START_TEST(every_folder_is_run)
{
    char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/tests/data/models", root ? root : ".");
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    size_t folders = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        folders += strncmp(entry->d_name, "reward_", strlen("reward_")) == 0;
    closedir(dir);
    ck_assert_uint_eq(folders, COUNT(models));
}
END_TEST

int main(void)
{
    aim_json_init();
    const int n = COUNT(models);
    Suite *s = suite_create("score head");
    TCase *t = tcase_create("reward models");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, outputs_equal_the_reference, 0, n);
    tcase_add_loop_test(t, outputs_equal_the_reference_in_a_batch, 0, n);
    tcase_add_loop_test(t, rounded_weights_are_close, 0, n);
    tcase_add_loop_test(t, instruction_sets_and_threads_do_not_matter, CLASSIFIER, n);
    tcase_add_loop_test(t, heads_are_never_on_tiles, CLASSIFIER, n);
    tcase_add_loop_test(t, chips_run_reward_models, CLASSIFIER, n);
    tcase_add_test(t, sizes_count_the_head);
    tcase_add_test(t, wrong_heads_are_named);
    tcase_add_test(t, random_heads_run);
    tcase_add_test(t, every_folder_is_run);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
