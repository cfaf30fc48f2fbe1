/* SPDX-License-Identifier: Apache-2.0 */
/* The decoder on the shipped model: against the logits of an independent
 * implementation, and the same bits however the work is cut up. */
#include "base/alloc.h"
#include "base/json.h"
#include "model/weight_rows.h"
#include "tests/unit/decoder_rig.h"
#include "tests/unit/tiny_checkpoint.h"
#include "tests/unit/tsan.h"

#include <check.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- the shipped model ------------------------------------------------------- */

static const char *model_dir(void)
{
    static char path[4096];
    const char *root = getenv("top_srcdir");
    snprintf(path, sizeof path, "%s/models/wordmath-2m", root ? root : ".");
    return path;
}

static void rig_open(struct rig *r, const char *backend, const char *kernels, int threads)
{
    rig_open_dir(r, model_dir(), backend, kernels, threads);
}

/* ---- the reference ----------------------------------------------------------- */

static struct prompt {
    int n;
    int32_t tokens[MAX_TOKENS];
    float logits[512]; /* at the last position */
} prompts[MAX_SEQUENCES];
static int n_prompts;

static void load_prompts(void)
{
    char path[4200];
    snprintf(path, sizeof path, "%s/eval/logits.json", model_dir());
    aim_error err = {0};
    json_t *list = aim_json_load(path, 1 << 20, &err);
    ck_assert_msg(list != NULL, "%s", err.text);
    n_prompts = (int)json_array_size(list);
    ck_assert_int_le(n_prompts, MAX_SEQUENCES);
    for (int i = 0; i < n_prompts; i++) {
        const json_t *item = json_array_get(list, (size_t)i);
        const json_t *tokens = json_object_get(item, "tokens");
        const json_t *logits = json_object_get(item, "last_logits");
        prompts[i].n = (int)json_array_size(tokens);
        ck_assert_int_le(prompts[i].n, MAX_TOKENS);
        ck_assert_uint_eq(json_array_size(logits), COUNT(prompts[i].logits));
        for (int t = 0; t < prompts[i].n; t++)
            prompts[i].tokens[t] = (int32_t)json_integer_value(json_array_get(tokens, (size_t)t));
        for (size_t v = 0; v < COUNT(prompts[i].logits); v++)
            prompts[i].logits[v] = (float)json_number_value(json_array_get(logits, v));
    }
    json_decref(list);
}

/* The reference prints six decimals and adds in another order. */
START_TEST(f32_equals_the_reference)
{
    struct rig r;
    rig_open(&r, "f32", NULL, 2);
    ck_assert_int_gt(n_prompts, 0);
    for (int i = 0; i < n_prompts; i++) {
        struct sequence s;
        set_up(&r, &s, prompts[i].tokens, prompts[i].n);
        step(&r, &s, 1, s.n);
        const float *last = s.logits + (size_t)(s.n - 1) * (size_t)r.config.vocab;
        for (int v = 0; v < r.config.vocab; v++)
            ck_assert_float_eq_tol(last[v], prompts[i].logits[v], 2e-4f);
        tear_down(&r, &s);
    }
    rig_close(&r);
}
END_TEST

/* Quantisation may move the choice only where two tokens are nearly even. */
static const struct rounding {
    const char *backend;
    int agree, bytes; /* per cent of positions; weights of f32 take so many times the bytes */
} roundings[] = {{"int8", 95, 3}, {"int4", 60, 6}};

START_TEST(rounded_weights_mostly_agree_with_f32)
{
    const struct rounding *how = &roundings[_i];
    struct rig f, q;
    rig_open(&f, "f32", NULL, 1);
    rig_open(&q, how->backend, NULL, 1);
    int same = 0, all = 0, vocab = f.config.vocab;
    for (int i = 0; i < n_prompts; i++) {
        struct sequence a, b;
        set_up(&f, &a, prompts[i].tokens, prompts[i].n);
        set_up(&q, &b, prompts[i].tokens, prompts[i].n);
        step(&f, &a, 1, a.n);
        step(&q, &b, 1, b.n);
        for (int t = 0; t < a.n; t++, all++)
            same += argmax(a.logits + t * vocab, vocab) == argmax(b.logits + t * vocab, vocab);
        tear_down(&f, &a);
        tear_down(&q, &b);
    }
    ck_assert_msg(same * 100 >= all * how->agree, "%d of %d positions agree", same, all);
    ck_assert_uint_lt(aim_decoder_weight_bytes(q.decoder),
                      aim_decoder_weight_bytes(f.decoder) / (size_t)how->bytes);
    rig_close(&f);
    rig_close(&q);
}
END_TEST

/* ---- the same bits, however it is run ------------------------------------------ */

static const char *const backend_names[] = {"f32", "int8", "int4"};

/* Logits of every prompt at every position, each prompt alone and whole. */
static void run_alone(struct rig *r, struct sequence *s)
{
    for (int i = 0; i < n_prompts; i++) {
        set_up(r, &s[i], prompts[i].tokens, prompts[i].n);
        step(r, &s[i], 1, s[i].n);
    }
}

static void check_same(const struct rig *r, const struct sequence *want, const struct sequence *got,
                       const char *how)
{
    for (int i = 0; i < n_prompts; i++)
        for (int t = 0; t < want[i].n; t++) {
            size_t at = (size_t)t * (size_t)r->config.vocab;
            ck_assert_msg(memcmp(want[i].logits + at, got[i].logits + at,
                                 (size_t)r->config.vocab * sizeof(float)) == 0,
                          "%s, %s: prompt %d differs at position %d",
                          aim_decoder_backend(r->decoder)->name, how, i, t);
        }
}

static void tear_down_all(struct rig *r, struct sequence *s)
{
    for (int i = 0; i < n_prompts; i++)
        tear_down(r, &s[i]);
}

START_TEST(chunks_do_not_matter)
{
    struct rig r;
    rig_open(&r, backend_names[_i], NULL, 2);
    static const int patterns[][3] = {{1, 1, 1}, {7, 3, 13}, {16, 16, 16}, {31, 1, 2}};
    struct sequence want[MAX_SEQUENCES], got[MAX_SEQUENCES];
    run_alone(&r, want);
    for (size_t p = 0; p < COUNT(patterns); p++) {
        for (int i = 0; i < n_prompts; i++) {
            set_up(&r, &got[i], prompts[i].tokens, prompts[i].n);
            for (int k = 0; got[i].done < got[i].n; k++)
                step(&r, &got[i], 1, patterns[p][k % 3]);
        }
        check_same(&r, want, got, "chunks");
        tear_down_all(&r, got);
    }
    tear_down_all(&r, want);
    rig_close(&r);
}
END_TEST

START_TEST(neighbours_do_not_matter)
{
    struct rig r;
    rig_open(&r, backend_names[_i], NULL, 2);
    static const int patterns[][3] = {{MAX_TOKENS, 1, 1}, {1, 1, 1}, {5, 17, 2}};
    struct sequence want[MAX_SEQUENCES], got[MAX_SEQUENCES];
    run_alone(&r, want);
    for (size_t p = 0; p < COUNT(patterns); p++) {
        for (int i = 0; i < n_prompts; i++)
            set_up(&r, &got[i], prompts[i].tokens, prompts[i].n);
        for (int k = 0; !finished(got, n_prompts); k++)
            step(&r, got, n_prompts, patterns[p][k % 3]);
        check_same(&r, want, got, "packed with others");
        tear_down_all(&r, got);
    }
    tear_down_all(&r, want);
    rig_close(&r);
}
END_TEST

START_TEST(block_placement_does_not_matter)
{
    struct rig r;
    rig_open(&r, backend_names[_i], NULL, 1);
    struct sequence want[MAX_SEQUENCES], got[MAX_SEQUENCES];
    run_alone(&r, want);
    for (int i = 0; i < n_prompts; i++) {
        set_up(&r, &got[i], prompts[i].tokens, prompts[i].n);
        int last = (got[i].n - 1) / AIM_KV_BLOCK;
        for (int a = 0, b = last; a < b; a++, b--) {
            int32_t t = got[i].table[a];
            got[i].table[a] = got[i].table[b];
            got[i].table[b] = t;
        }
        step(&r, &got[i], 1, got[i].n);
    }
    check_same(&r, want, got, "reversed blocks");
    tear_down_all(&r, got);
    tear_down_all(&r, want);
    rig_close(&r);
}
END_TEST

START_TEST(threads_do_not_matter)
{
    struct rig one, more;
    struct sequence want[MAX_SEQUENCES], got[MAX_SEQUENCES];
    rig_open(&one, backend_names[_i], NULL, 1);
    run_alone(&one, want);
    for (int threads = TSAN ? 3 : 2; threads <= 3; threads++) {
        rig_open(&more, backend_names[_i], NULL, threads);
        run_alone(&more, got);
        check_same(&more, want, got, "threads");
        tear_down_all(&more, got);
        rig_close(&more);
    }
    tear_down_all(&one, want);
    rig_close(&one);
}
END_TEST

/* Within one CPU that holds for f32 too: OpenBLAS chooses by the CPU. */
START_TEST(instruction_sets_do_not_matter)
{
    struct rig base, other;
    struct sequence want[MAX_SEQUENCES], got[MAX_SEQUENCES];
    rig_open(&base, backend_names[_i], "portable", 1);
    run_alone(&base, want);
    int n;
    const aim_kernels *const *rows = aim_kernels_all(&n);
    for (int k = 0; k < n; k++) {
        if (!aim_kernels_pick(rows[k]->name, NULL))
            continue; /* this CPU cannot run it */
        rig_open(&other, backend_names[_i], rows[k]->name, 1);
        run_alone(&other, got);
        check_same(&other, want, got, rows[k]->name);
        tear_down_all(&other, got);
        rig_close(&other);
    }
    tear_down_all(&base, want);
    rig_close(&base);
}
END_TEST

/* The logits of a few rows are those rows of all logits, and only they are
 * computed; the heartbeat counts layers. */
START_TEST(logit_rows_and_heartbeat)
{
    struct rig r;
    rig_open(&r, backend_names[_i], NULL, 2);
    struct sequence s;
    set_up(&r, &s, prompts[0].tokens, prompts[0].n);
    step(&r, &s, 1, s.n);
    int32_t position[MAX_TOKENS];
    const int32_t *blocks[MAX_TOKENS];
    for (int i = 0; i < s.n; i++) {
        position[i] = i;
        blocks[i] = s.table;
    }
    const int wanted[] = {0, 5, s.n - 1};
    aim_batch batch = {.n_rows = s.n,
                       .token = s.tokens,
                       .position = position,
                       .blocks = blocks,
                       .n_logits = 3,
                       .logit_rows = wanted};
    _Atomic uint64_t heartbeat = 0;
    size_t vocab = (size_t)r.config.vocab;
    const float *some =
        aim_decoder_forward(r.decoder, r.workspace, r.kv, &r.compute, &batch, &heartbeat);
    for (size_t i = 0; i < 3; i++)
        ck_assert_mem_eq(some + i * vocab, s.logits + (size_t)wanted[i] * vocab,
                         vocab * sizeof *some);
    ck_assert_uint_eq(heartbeat, (uint64_t)r.config.layers);
    batch.n_logits = 0; /* a chunk of a prompt that is not its last */
    aim_decoder_forward(r.decoder, r.workspace, r.kv, &r.compute, &batch, NULL);
    tear_down(&r, &s);
    rig_close(&r);
}
END_TEST

/* ---- loading: a tiny checkpoint, made up ----------------------------------------- */

static const char tiny_config[] =
    "{\"architectures\":[\"LlamaForCausalLM\"],\"hidden_size\":8,\"intermediate_size\":12,"
    "\"num_hidden_layers\":1,\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":6,"
    "\"vocab_size\":10,\"max_position_embeddings\":64,\"tie_word_embeddings\":%s}";

static const struct tiny_tensor tiny[] = {
    {"model.embed_tokens.weight", 10, 8},
    {"model.norm.weight", 8, 0},
    {"model.layers.0.input_layernorm.weight", 8, 0},
    {"model.layers.0.post_attention_layernorm.weight", 8, 0},
    {"model.layers.0.self_attn.q_proj.weight", 24, 8},
    {"model.layers.0.self_attn.k_proj.weight", 12, 8},
    {"model.layers.0.self_attn.v_proj.weight", 12, 8},
    {"model.layers.0.self_attn.o_proj.weight", 8, 24},
    {"model.layers.0.mlp.gate_proj.weight", 12, 8},
    {"model.layers.0.mlp.up_proj.weight", 12, 8},
    {"model.layers.0.mlp.down_proj.weight", 8, 12},
};

static void add(struct file *f, const struct tiny_tensor *t, const char *dtype, float first)
{
    size_t at = f->n;
    add_tensor(f, t, dtype);
    f->data[at] = first;
}

/* What is done to the tiny checkpoint before it is loaded. */
static const struct load_case {
    const char *tied;           /* "true" or "false" */
    int at;                     /* the tensor that is changed, or -1 */
    struct tiny_tensor becomes; /* name NULL: left out */
    const char *dtype;          /* NULL: F32 */
    float first;
    struct tiny_tensor more; /* one tensor more, if it has a name */
    const char *error;       /* NULL: loads */
} load_cases[] = {
    {"true", -1, {0}, NULL, 0, {0}, NULL},
    {"false", -1, {0}, NULL, 0, {"lm_head.weight", 10, 8}, NULL},
    {"true", -1, {0}, NULL, 0, {"lm_head.weight", 10, 8}, NULL},
    {"true", -1, {0}, NULL, 0, {"model.layers.0.self_attn.rotary_emb.inv_freq", 3, 0}, NULL},
    {"false", -1, {0}, NULL, 0, {0}, "\"lm_head.weight\" is missing"},
    {"true",
     -1,
     {0},
     NULL,
     0,
     {"model.layers.0.self_attn.q_proj.bias", 24, 0},
     "\"model.layers.0.self_attn.q_proj.bias\" has no place in a LlamaForCausalLM of 1 layers"},
    {"true", -1, {0}, NULL, 0, {"model.layers.1.input_layernorm.weight", 8, 0}, "has no place"},
    {"true", 0, {0}, NULL, 0, {0}, "\"model.embed_tokens.weight\" is missing"},
    {"true", 1, {0}, NULL, 0, {0}, "\"model.norm.weight\" is missing"},
    {"true", 6, {0}, NULL, 0, {0}, "\"model.layers.0.self_attn.v_proj.weight\" is missing"},
    {"true",
     0,
     {"model.embed_tokens.weight", 11, 8},
     NULL,
     0,
     {0},
     "\"model.embed_tokens.weight\" has shape [11, 8], the configuration needs [10, 8]"},
    {"true",
     5,
     {"model.layers.0.self_attn.k_proj.weight", 24, 8},
     NULL,
     0,
     {0},
     "has shape [24, 8], the configuration needs [12, 8]"},
    {"true",
     7,
     {"model.layers.0.self_attn.o_proj.weight", 24, 8},
     NULL,
     0,
     {0},
     "has shape [24, 8], the configuration needs [8, 24]"},
    {"true",
     2,
     {"model.layers.0.input_layernorm.weight", 8, 1},
     NULL,
     0,
     {0},
     "has shape [8, 1], the configuration needs [8]"},
    {"true", 10, {"model.layers.0.mlp.down_proj.weight", 8, 12}, "I32", 0, {0}, "has dtype I32"},
    {"true",
     4,
     {"model.layers.0.self_attn.q_proj.weight", 24, 8},
     "F32",
     NAN,
     {0},
     "\"model.layers.0.self_attn.q_proj.weight\" holds NaN or infinity in row 0"},
    {"true",
     5,
     {"model.layers.0.self_attn.k_proj.weight", 12, 8},
     "F32",
     INFINITY,
     {0},
     "\"model.layers.0.self_attn.k_proj.weight\" holds NaN"},
    {"true",
     3,
     {"model.layers.0.post_attention_layernorm.weight", 8, 0},
     "F32",
     NAN,
     {0},
     "\"model.layers.0.post_attention_layernorm.weight\" holds NaN"},
    {"true",
     0,
     {"model.embed_tokens.weight", 10, 8},
     "F32",
     NAN,
     {0},
     "\"model.embed_tokens.weight\" holds NaN or infinity in row 0"},
    {"false",
     0,
     {"model.embed_tokens.weight", 10, 8},
     "F32",
     INFINITY,
     {"lm_head.weight", 10, 8},
     "\"model.embed_tokens.weight\" holds NaN or infinity in row 0"},
};

static aim_checkpoint *tiny_checkpoint(const struct load_case *c, struct rig *r)
{
    static struct file f;
    f = (struct file){0};
    for (int i = 0; i < (int)COUNT(tiny); i++) {
        if (i != c->at)
            add(&f, &tiny[i], "F32", 0.25f);
        else if (c->becomes.name)
            add(&f, &c->becomes, c->dtype ? c->dtype : "F32", c->first);
    }
    if (c->more.name)
        add(&f, &c->more, "F32", 0.25f);
    char config[512];
    snprintf(config, sizeof config, tiny_config, c->tied);
    aim_error err = {0};
    int code = aim_hf_config_parse(config, strlen(config), NULL, 0, &r->config, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
    return save_and_open(&f);
}

START_TEST(loading_checks_tensors)
{
    const struct load_case *c = &load_cases[_i];
    for (size_t b = 0; b < COUNT(backend_names); b++) {
        struct rig r;
        aim_error err = {0};
        rig_start(&r, NULL, 1);
        r.checkpoint = tiny_checkpoint(c, &r);
        r.decoder =
            aim_decoder_load(&r.config, r.checkpoint, aim_backend_find(backend_names[b], NULL),
                             NULL, &r.compute, NULL, NULL, &err);
        if (c->error) {
            ck_assert_msg(!r.decoder, "accepted, wanted: %s", c->error);
            ck_assert_msg(strstr(err.text, c->error), "%s", err.text);
        } else {
            ck_assert_msg(r.decoder != NULL, "%s", err.text);
        }
        rig_close(&r);
    }
}
END_TEST

START_TEST(loading_survives_every_failed_allocation)
{
    struct rig r;
    rig_start(&r, NULL, 1);
    r.checkpoint = tiny_checkpoint(&load_cases[0], &r);
    const aim_backend *backend = aim_backend_find(backend_names[_i], NULL);
    int n = -1;
    do {
        aim_error err = {0};
        aim_alloc_fail_after(++n);
        r.decoder =
            aim_decoder_load(&r.config, r.checkpoint, backend, NULL, &r.compute, NULL, NULL, &err);
        if (r.decoder)
            r.workspace = aim_workspace_new(r.decoder, 4, 4, &r.compute, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, r.workspace ? AIM_OK : AIM_ENOMEM);
        if (!r.workspace)
            aim_decoder_free(r.decoder);
    } while (!r.workspace);
    ck_assert_int_gt(n, 20);
    rig_close(&r);
}
END_TEST

static void note_progress(void *arg, double done)
{
    double *last = arg;
    ck_assert_double_ge(done, *last);
    *last = done;
}

START_TEST(progress_ends_at_one)
{
    struct rig r;
    double last = 0;
    rig_start(&r, NULL, 1);
    r.checkpoint = tiny_checkpoint(&load_cases[0], &r);
    r.decoder = aim_decoder_load(&r.config, r.checkpoint, aim_backend_find("int8", NULL), NULL,
                                 &r.compute, note_progress, &last, NULL);
    ck_assert_double_eq(last, 1.0);
    /* (heads + 2 kv_heads) * 6, heads * 6 and 3 * 12 outputs or inputs of 8 */
    ck_assert_uint_eq(aim_decoder_macs(r.decoder, false), 8 * (48 + 24 + 36));
    ck_assert_uint_eq(aim_decoder_macs(r.decoder, true), 8 * (48 + 24 + 36 + 10));
    rig_close(&r);
}
END_TEST

struct reading {
    atomic_int rows;
    int reports;
    size_t weights;
};

static void count_row(void *arg, int row, const float *values, void *scratch)
{
    struct reading *r = arg;
    (void)row, (void)values, (void)scratch;
    atomic_fetch_add(&r->rows, 1);
}

static void count_report(void *arg, size_t n)
{
    struct reading *r = arg;
    r->reports++;
    r->weights += n;
}

/* Neither the rows nor the tasks of a thread divide evenly. */
START_TEST(a_large_layer_reports_as_it_is_read)
{
    struct reading r = {0};
    aim_compute c = {
        .pool = aim_pool_new(2, NULL), .weights_read = count_report, .weights_read_arg = &r};
    aim_weight_rows rows = {NULL, 0, 20007, 520, 1};
    aim_row_store store = {count_row, &r, 0};
    ck_assert_int_eq(aim__weight_rows_load(&rows, &c, &store, NULL), AIM_OK);
    ck_assert_int_eq(atomic_load(&r.rows), rows.rows);
    ck_assert_uint_eq(r.weights, (size_t)rows.rows * (size_t)rows.in);
    ck_assert_int_eq(r.reports, 3);
    aim_pool_free(c.pool);
}
END_TEST

/* ---- random weights ------------------------------------------------------------- */

enum { RANDOM_LOGITS = 30 }; /* three positions of the tiny vocabulary */

static void random_logits(const char *backend, bool tied, uint64_t seed, int threads, float *logits)
{
    struct rig r;
    rig_start(&r, NULL, threads);
    aim_checkpoint_close(tiny_checkpoint(&load_cases[0], &r)); /* for its configuration */
    r.config.tied_embeddings = tied;
    r.decoder = aim_decoder_random(&r.config, aim_backend_find(backend, NULL), NULL, &r.compute,
                                   seed, NULL);
    ck_assert_ptr_nonnull(r.decoder);
    rig_finish(&r);
    const int32_t tokens[3] = {1, 2, 3};
    struct sequence s;
    set_up(&r, &s, tokens, 3);
    step(&r, &s, 1, 3);
    memcpy(logits, s.logits, RANDOM_LOGITS * sizeof *logits);
    tear_down(&r, &s);
    rig_close(&r);
}

START_TEST(random_weights_depend_on_the_seed_alone)
{
    float a[RANDOM_LOGITS], threads[RANDOM_LOGITS], seed[RANDOM_LOGITS], untied[RANDOM_LOGITS];
    random_logits(backend_names[_i], true, 1, 1, a);
    random_logits(backend_names[_i], true, 1, 3, threads);
    random_logits(backend_names[_i], true, 2, 1, seed);
    random_logits(backend_names[_i], false, 1, 1, untied);
    ck_assert_mem_eq(a, threads, sizeof a);
    ck_assert_mem_ne(a, seed, sizeof a);
    ck_assert_mem_ne(a, untied, sizeof a); /* a head of its own */
    for (int i = 0; i < RANDOM_LOGITS; i++)
        ck_assert(isfinite(a[i]));
}
END_TEST

/* Room made for many rows must do for fewer. */
START_TEST(scratch_covers_smaller_batches)
{
    static const int shapes[][2] = {{40, 70}, {192, 192}, {512, 64}, {1, 1}};
    const aim_backend *b = aim_backend_find(backend_names[_i], NULL);
    const aim_chip *chip = aim_backend_chip(b, NULL);
    for (size_t s = 0; s < COUNT(shapes); s++) {
        aim_linear_shape shape = {shapes[s][0], shapes[s][1], 1, {shapes[s][0]}};
        for (int most = 1; most <= 64; most++)
            for (int rows = 1; rows <= most; rows++)
                ck_assert_uint_ge(b->scratch(chip, &shape, most, 2),
                                  b->scratch(chip, &shape, rows, 2));
    }
}
END_TEST

/* Mean and deviation within 5 standard errors. */
START_TEST(random_rows_are_spread_as_promised)
{
    enum { ROWS = 200, IN = 203 };
    aim_weight_rows w = {.rows = ROWS, .in = IN, .seed = 9};
    double sum = 0, squares = 0;
    for (int r = 0; r < ROWS; r++) {
        float row[IN];
        aim__weight_row(&w, r, row);
        for (int k = 0; k < IN; k++) {
            sum += row[k];
            squares += (double)row[k] * row[k];
        }
    }
    double n = (double)ROWS * IN, variance = squares / n;
    ck_assert_double_eq_tol(sum / n, 0, 5 * sqrt(1.0 / IN / n));
    ck_assert_double_eq_tol(variance * IN, 1, 5 * sqrt(0.8 / n)); /* kurtosis of a uniform: 1.8 */
}
END_TEST

/* ---- small parts ------------------------------------------------------------------- */

START_TEST(backends_by_name)
{
    ck_assert_str_eq(aim_backends()[0]->name, "int8"); /* the default */
    ck_assert_str_eq(aim_backend_find("f32", NULL)->name, "f32");
    aim_error err = {0};
    ck_assert_ptr_null(aim_backend_find("int9", &err));
    ck_assert_int_eq(err.code, AIM_EUNSUPPORTED);
    ck_assert_str_eq(err.text,
                     "backend \"int9\" is not one of: int8, int4, f32, analog, analog-exact");
}
END_TEST

/* Nothing more for ThreadSanitizer: their threads meet as those of the other tests do. */
static void add_tests_of_results(TCase *t)
{
    const int n_backends = COUNT(backend_names);
    tcase_add_test(t, f32_equals_the_reference);
    tcase_add_loop_test(t, rounded_weights_mostly_agree_with_f32, 0, 2);
    tcase_add_loop_test(t, chunks_do_not_matter, 0, n_backends);
    tcase_add_loop_test(t, neighbours_do_not_matter, 0, n_backends);
    tcase_add_loop_test(t, block_placement_does_not_matter, 0, n_backends);
    tcase_add_loop_test(t, instruction_sets_do_not_matter, 0, n_backends);
}

static void add_tests_of_loading(TCase *t)
{
    const int n_backends = COUNT(backend_names);
    tcase_add_loop_test(t, loading_checks_tensors, 0, COUNT(load_cases));
    tcase_add_loop_test(t, loading_survives_every_failed_allocation, 0, n_backends);
    tcase_add_test(t, progress_ends_at_one);
    tcase_add_loop_test(t, scratch_covers_smaller_batches, 0, n_backends);
    tcase_add_test(t, random_rows_are_spread_as_promised);
    tcase_add_test(t, backends_by_name);
}

int main(void)
{
    aim_json_init();
    const int n_backends = COUNT(backend_names);
    Suite *s = suite_create("model");
    TCase *t = tcase_create("results");
    tcase_set_timeout(t, 300);
    tcase_add_checked_fixture(t, load_prompts, NULL);
    tcase_add_loop_test(t, threads_do_not_matter, 0, n_backends);
    tcase_add_loop_test(t, logit_rows_and_heartbeat, 0, n_backends);
    if (!TSAN)
        add_tests_of_results(t);
    suite_add_tcase(s, t);
    t = tcase_create("parts");
    tcase_add_test(t, a_large_layer_reports_as_it_is_read);
    tcase_add_loop_test(t, random_weights_depend_on_the_seed_alone, 0, n_backends);
    if (!TSAN)
        add_tests_of_loading(t);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
