/* SPDX-License-Identifier: Apache-2.0 */
/* The plan of a model's memory: equal to what is then taken, and fitted into
 * what there is. */
#include "base/alloc.h"
#include "base/json.h"
#include "engine/memory_plan.h"
#include "engine/served_model.h"
#include "engine/step.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))
#define GIB ((uint64_t)1 << 30)

/* ---- the plan and what is taken ------------------------------------------------ */

/* Shapes of the families, small; large enough for what is counted roughly, such
 * as norms, not to matter. */
static const struct shape {
    const char *what;
    aim_hf_config config;
} shapes[] = {
    {"grouped heads",
     {.hidden = 256,
      .layers = 3,
      .heads = 8,
      .kv_heads = 2,
      .head_dim = 32,
      .ffn = 700,
      .vocab = 1000,
      .max_positions = 512}},
    {"a tied head, wide vocabulary",
     {.hidden = 192,
      .layers = 2,
      .heads = 6,
      .kv_heads = 6,
      .head_dim = 32,
      .ffn = 512,
      .vocab = 20000,
      .max_positions = 128,
      .tied_embeddings = true}},
    {"heads wider than the stream",
     {.hidden = 128,
      .layers = 2,
      .heads = 8,
      .kv_heads = 4,
      .head_dim = 64,
      .ffn = 384,
      .vocab = 600,
      .max_positions = 2048}},
};
static const char *const backends[] = {"int8", "f32", "int4"};

static aim_hf_config complete(const struct shape *s)
{
    aim_hf_config c = s->config;
    c.rms_eps = 1e-5f;
    c.rope.theta = 10000;
    return c;
}

static void ignore_events(void *arg, aim_event *events)
{
    (void)arg;
    for (aim_event *next; events; events = next) {
        next = events->next;
        aim_event_free(events);
    }
}

static void assert_near(const char *what, const char *part, size_t planned, size_t taken)
{
    double share = (double)planned / (double)taken;
    ck_assert_msg(share > 0.99 && share < 1.04, "%s: %s: planned %zu, taken %zu bytes", what, part,
                  planned, taken);
}

START_TEST(what_is_planned_is_taken)
{
    const struct shape *s = &shapes[_i / COUNT(backends)];
    const aim_backend *backend = aim_backend_find(backends[_i % COUNT(backends)], NULL);
    aim_hf_config config = complete(s);
    aim_engine_config engine;
    aim_memory_plan plan;
    aim_error err = {0};
    aim_engine_config_init(&engine);
    engine.threads = 2;
    ck_assert_int_eq(aim_memory_plan_make("m", &config, backend, NULL, &engine, 0, &plan, &err),
                     AIM_OK);

    aim_compute compute = {.kernels = aim_kernels_pick(NULL, NULL), .pool = aim_pool_new(2, NULL)};
    size_t before = aim_big_held();
    aim_decoder *d = aim_decoder_random(&config, backend, NULL, &compute, 1, NULL);
    size_t weights = aim_big_held() - before;
    aim_engine *e = aim_engine_new(&engine, d, NULL, &compute, ignore_events, NULL, &err);
    ck_assert_msg(e != NULL, "%s", err.text);
    size_t all = aim_big_held() - before;
    assert_near(s->what, "weights", plan.weights, weights);
    assert_near(s->what, "cache and workspace", plan.kv_cache + plan.workspace, all - weights);
    aim_engine_stats stats;
    aim_engine_get_stats(e, &stats);
    ck_assert_int_eq(stats.kv_total, plan.kv_blocks);
    aim_engine_free(e);
    aim_decoder_free(d);
    ck_assert_uint_eq(aim_big_held(), before);
    aim_pool_free(compute.pool);
}
END_TEST

/* Floats that a switch of the configuration adds. */
START_TEST(biases_and_norms_of_heads_are_counted)
{
    const aim_backend *b = aim_backend_find("f32", NULL);
    aim_hf_config c = complete(&shapes[0]);
    size_t plain = aim_decoder_load_bytes(&c, b, NULL), layers = (size_t)c.layers;
    c.qkv_bias = true;
    ck_assert_uint_eq(aim_decoder_load_bytes(&c, b, NULL) - plain, layers * (8 + 2 + 2) * 32 * 4);
    c.qkv_bias = false;
    c.mlp_bias = true;
    ck_assert_uint_eq(aim_decoder_load_bytes(&c, b, NULL) - plain, layers * (2 * 700 + 256) * 4);
    c.mlp_bias = false;
    c.qk_norm = true;
    ck_assert_uint_eq(aim_decoder_load_bytes(&c, b, NULL) - plain, layers * 2 * 32 * 4);
}
END_TEST

static size_t endless_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                              int threads)
{
    (void)chip, (void)shape, (void)max_rows, (void)threads;
    return SIZE_MAX;
}

/* Events and texts are taken when sequences start, which the test above does not see. */
START_TEST(sequences_are_counted)
{
    enum { MANY = 4096, TEXT = 100 };
    const aim_backend *b = aim_backend_find("int8", NULL);
    aim_hf_config c = complete(&shapes[0]);
    aim_engine_config engine;
    aim_memory_plan plan;
    aim_engine_config_init(&engine);
    engine.threads = 2;
    engine.kv_blocks = MANY;
    engine.max_sequences = engine.max_batch_tokens = MANY;
    ck_assert_int_eq(aim_memory_plan_make("m", &c, b, NULL, &engine, 0, &plan, NULL), AIM_OK);
    engine.max_context = c.max_positions;
    size_t step = aim__stepper_need(&engine, &c, b, NULL);
    ck_assert_uint_ge(plan.workspace - step,
                      MANY * (sizeof(aim_sequence) + 2 * TEXT + aim__event_pool_need(TEXT, 0)));
    ck_assert_uint_lt(plan.workspace - step, MANY << 13);
}
END_TEST

START_TEST(what_cannot_be_counted_is_not_small)
{
    aim_backend b = *aim_backend_find("int8", NULL);
    aim_hf_config c = complete(&shapes[0]);
    aim_engine_config engine;
    aim_memory_plan plan;
    b.scratch = endless_scratch;
    aim_engine_config_init(&engine);
    ck_assert_int_eq(aim_memory_plan_make("m", &c, &b, NULL, &engine, 0, &plan, NULL), AIM_OK);
    ck_assert_uint_eq(plan.workspace, SIZE_MAX);
}
END_TEST

/* ---- fitting -------------------------------------------------------------------- */

/* The size of Phi-3-mini, whose cache takes 384 KiB a token in bfloat16. */
static aim_memory_plan plan_of(const char *name, const char *backend, aim_engine_config engine)
{
    aim_hf_config c = {.hidden = 3072,
                       .layers = 32,
                       .heads = 32,
                       .kv_heads = 32,
                       .head_dim = 96,
                       .ffn = 8192,
                       .vocab = 32064,
                       .max_positions = 4096};
    aim_memory_plan p;
    aim_error err = {0};
    int code = aim_memory_plan_make(name, &c, aim_backend_find(backend, NULL), NULL, &engine,
                                    1 << 20, &p, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    return p;
}

static aim_engine_config engine_with(size_t kv_bytes)
{
    aim_engine_config c;
    aim_engine_config_init(&c);
    c.threads = 2;
    c.kv_bytes = kv_bytes;
    return c;
}

START_TEST(a_default_cache_is_lowered_to_what_fits)
{
    aim_engine_config engine = engine_with(0);
    aim_memory_plan wish = plan_of("m", "int8", engine);
    wish.kv_blocks = 4096; /* whatever this machine's default is */
    wish.kv_cache = aim_kv_bytes(&wish.kv_shape, wish.kv_blocks);
    size_t least =
        aim_memory_plan_total(&wish) - wish.kv_cache + aim_kv_bytes(&wish.kv_shape, wish.kv_least);
    ck_assert_int_eq(wish.kv_least, 4096 / AIM_KV_BLOCK);
    for (uint64_t available = least; available < 40 * GIB; available += GIB / 3) {
        aim_memory_plan p = wish;
        ck_assert_int_eq(aim_memory_plan_fit(&p, 1, available, NULL), AIM_OK);
        ck_assert_uint_le(aim_memory_plan_total(&p), available);
        ck_assert_int_ge(p.kv_blocks, p.kv_least);
        ck_assert_uint_eq(p.kv_cache, aim_kv_bytes(&p.kv_shape, p.kv_blocks));
        /* No more is given up than needed: a share stays for others. */
        if (p.kv_blocks < wish.kv_blocks)
            ck_assert_uint_ge(aim_memory_plan_total(&p) + aim_kv_block_bytes(&p.kv_shape) +
                                  (1 << 20),
                              p.kv_blocks == p.kv_least ? least : available - available / 16);
    }
    aim_memory_plan p = wish;
    ck_assert_int_eq(aim_memory_plan_fit(&p, 1, 40 * GIB, NULL), AIM_OK);
    ck_assert_int_eq(p.kv_blocks, wish.kv_blocks);
}
END_TEST

START_TEST(what_does_not_fit_is_refused_with_the_figures)
{
    aim_error err = {0};
    aim_memory_plan p = plan_of("phi", "int8", engine_with(3 * GIB)), before = p;
    ck_assert_int_eq(aim_memory_plan_fit(&p, 1, 5 * GIB, &err), AIM_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "model phi needs 6.6 GiB (weights 3.5 GiB, KV cache "
                                           "3.0 GiB, workspace 129."));
    ck_assert_ptr_nonnull(strstr(err.text, "tokenizer 4.0 MiB) but 5.0 GiB are available; lower "
                                           "kv_cache and max_context, or use the backend int4"));
    ck_assert_mem_eq(&p, &before, sizeof p);
    ck_assert_int_eq(aim_memory_plan_fit(&p, 1, 7 * GIB, NULL), AIM_OK);

    /* A default cache counts with one full context. */
    p = plan_of("phi", "f32", engine_with(0));
    err = (aim_error){0};
    ck_assert_int_eq(aim_memory_plan_fit(&p, 1, 100 << 20, &err), AIM_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "KV cache 3.0 GiB"));
    ck_assert_ptr_nonnull(strstr(err.text, "but 100.0 MiB are available"));
    ck_assert_ptr_nonnull(strstr(err.text, "or use the backend int8"));
}
END_TEST

START_TEST(the_advice_is_of_use)
{
    static const struct {
        const char *backend;
        uint64_t kv, available; /* GiB; kv 0: not asked for */
        const char *says;       /* the end of the text */
    } rows[] = {
        {"int4", 0, 3, "are available; lower max_context"},
        {"int8", 3, 5, "are available; lower kv_cache and max_context, or use the backend int4"},
        {"int8", 3, 6, "are available; lower kv_cache, or use the backend int4"},
        {"int4", 3, 1, "are available; that is too much even without a KV cache"},
        {"f32", 0, 2, "that is too much even without a KV cache, or use the backend int8"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        aim_error err = {0};
        aim_memory_plan p = plan_of("m", rows[i].backend, engine_with(rows[i].kv * GIB));
        ck_assert_int_eq(aim_memory_plan_fit(&p, 1, rows[i].available * GIB, &err), AIM_ENOMEM);
        const char *end = err.text + strlen(err.text) - strlen(rows[i].says);
        ck_assert_str_eq(end, rows[i].says);
    }
}
END_TEST

START_TEST(several_models_share)
{
    aim_error err = {0};
    aim_memory_plan two[] = {plan_of("a", "int8", engine_with(0)),
                             plan_of("b", "int8", engine_with(2 * GIB))};
    ck_assert_int_eq(aim_memory_plan_fit(two, 2, 9 * GIB, &err), AIM_ENOMEM);
    ck_assert_ptr_nonnull(
        strstr(err.text, "the 2 models together need 10.7 GiB (a 5.1 GiB, b 5.6 GiB) but 9.0 GiB"));
    for (int i = 0; i < 2; i++) {
        two[i].kv_least = 256;
        two[i].kv_blocks = 2000;
    }
    ck_assert_int_eq(aim_memory_plan_fit(two, 2, 16 * GIB, NULL), AIM_OK);
    ck_assert_uint_le(aim_memory_plan_total(&two[0]) + aim_memory_plan_total(&two[1]), 16 * GIB);
    ck_assert_int_gt(two[0].kv_blocks, 256);
    ck_assert_int_le(abs(two[0].kv_blocks - two[1].kv_blocks), 1);
}
END_TEST

/* ---- a model ---------------------------------------------------------------------- */

static aim_model_options shipped(const char *dir, size_t kv_bytes)
{
    aim_model_options o = {.name = "shipped", .dir = dir, .engine = engine_with(kv_bytes)};
    return o;
}

static char *model_dir(char *room, size_t size)
{
    snprintf(room, size, "%s/models/wordmath-2m", getenv("top_srcdir"));
    return room;
}

/* What was asked for is refused, not cut to what can be counted. */
START_TEST(a_cache_beyond_counting_is_refused)
{
    char dir[512];
    aim_error err = {0};
    aim_memory_plan plan;
    aim_model_options o = shipped(model_dir(dir, sizeof dir), (size_t)1 << 45);
    ck_assert_int_eq(aim_model_plan(&o, &plan, &err), AIM_EINVAL);
    ck_assert_ptr_nonnull(strstr(err.text, "a KV cache of 32768 GiB is too large: at most "));
}
END_TEST

START_TEST(a_model_that_cannot_fit_is_not_loaded)
{
    char dir[512];
    aim_error err = {0};
    aim_model_options o = shipped(model_dir(dir, sizeof dir), (size_t)500 << 30);
    size_t before = aim_big_held();
    ck_assert_ptr_null(aim_model_open(&o, ignore_events, NULL, NULL, NULL, &err));
    ck_assert_int_eq(err.code, AIM_ENOMEM);
    ck_assert_ptr_nonnull(strstr(err.text, "model shipped needs 50"));
    ck_assert_uint_eq(aim_big_held(), before);
}
END_TEST

START_TEST(a_model_keeps_to_its_plan)
{
    char dir[512];
    aim_error err = {0};
    aim_memory_plan plan;
    aim_model_options o = shipped(model_dir(dir, sizeof dir), 0);
    ck_assert_int_eq(aim_model_plan(&o, &plan, &err), AIM_OK);
    size_t least =
        aim_memory_plan_total(&plan) - plan.kv_cache + aim_kv_bytes(&plan.kv_shape, plan.kv_least);
    ck_assert_int_eq(aim_memory_plan_fit(&plan, 1, least + (1 << 20), &err), AIM_OK);
    o.plan = &plan;
    aim_model *m = aim_model_open(&o, ignore_events, NULL, NULL, NULL, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    aim_engine_stats stats;
    aim_engine_get_stats(m->engine, &stats);
    ck_assert_int_eq(stats.kv_total, plan.kv_blocks);
    ck_assert_int_lt(stats.kv_total, 16 * plan.kv_least);
    aim_model_close(m);
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("memory plan");
    TCase *tc = tcase_create("plan");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, what_is_planned_is_taken, 0, COUNT(shapes) * COUNT(backends));
    tcase_add_test(tc, biases_and_norms_of_heads_are_counted);
    tcase_add_test(tc, sequences_are_counted);
    tcase_add_test(tc, what_cannot_be_counted_is_not_small);
    tcase_add_test(tc, a_default_cache_is_lowered_to_what_fits);
    tcase_add_test(tc, what_does_not_fit_is_refused_with_the_figures);
    tcase_add_test(tc, the_advice_is_of_use);
    tcase_add_test(tc, a_cache_beyond_counting_is_refused);
    tcase_add_test(tc, several_models_share);
    tcase_add_test(tc, a_model_that_cannot_fit_is_not_loaded);
    tcase_add_test(tc, a_model_keeps_to_its_plan);
    suite_add_tcase(s, tc);
    SRunner *r = srunner_create(s);
    srunner_run_all(r, CK_NORMAL);
    int failed = srunner_ntests_failed(r);
    srunner_free(r);
    return failed != 0;
}
