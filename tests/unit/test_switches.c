/* SPDX-License-Identifier: Apache-2.0 */
/* The switches of the decoder on tiny made-up checkpoints: which tensors each one
 * asks for, and the logits by a plain computation in double. */
#include "base/alloc.h"
#include "base/json.h"
#include "tests/unit/decoder_rig.h"
#include "tests/unit/tiny_checkpoint.h"

#include <stdarg.h>

enum {
    HIDDEN = 8,
    FFN = 12,
    LAYERS = 2,
    HEADS = 4,
    KV_HEADS = 2,
    DIM = 6,
    VOCAB = 10,
    QUERY = HEADS * DIM,
    KEY = KV_HEADS * DIM,
    TOKENS = 40,
    MAX_TENSORS = 160,
};

#define CONFIG(architecture, more)                                                                 \
    "{\"architectures\":[\"" architecture                                                          \
    "\"],\"hidden_size\":8,\"intermediate_size\":12,\"num_hidden_layers\":2,"                      \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"head_dim\":6,\"vocab_size\":10,"        \
    "\"max_position_embeddings\":64" more "}"

#define LONGROPE                                                                                   \
    ",\"original_max_position_embeddings\":16,\"rope_scaling\":{\"type\":\"longrope\","            \
    "\"short_factor\":[1,1,1],\"long_factor\":[1.5,3,8]}"

static const char *const configs[] = {
    CONFIG("LlamaForCausalLM", ""),
    CONFIG("LlamaForCausalLM", ",\"attention_bias\":true,\"mlp_bias\":true"),
    CONFIG("MistralForCausalLM", ",\"sliding_window\":5"),
    CONFIG("Phi3ForCausalLM", ",\"sliding_window\":17" LONGROPE),
    CONFIG("Phi3ForCausalLM", ",\"partial_rotary_factor\":0.67"),
    CONFIG("Qwen2ForCausalLM",
           ",\"use_sliding_window\":true,\"sliding_window\":3,\"max_window_layers\":1"),
    CONFIG("Qwen3ForCausalLM", ",\"attention_bias\":true"),
    CONFIG("Qwen3ForCausalLM", ",\"tie_word_embeddings\":true"),
    CONFIG("LlamaForSequenceClassification", ",\"num_labels\":3"),
    CONFIG("Qwen2ForProcessRewardModel", ""),
    CONFIG("Qwen2ForPrmModel", ",\"tie_word_embeddings\":true"),
};
enum { TIED = 7, CLASSIFIER = 8 };

static void parse(const char *text, aim_hf_config *c)
{
    aim_error err = {0};
    int code = aim_hf_config_parse(text, strlen(text), NULL, 0, c, &err);
    ck_assert_msg(code == AIM_OK, "%s", err.text);
}

/* ---- the tensors of a configuration -------------------------------------------- */

/* A file whose tensors can be left out, and found again. */
struct model_file {
    struct file file;
    const char *leave_out; /* NULL: nothing */
    const char *extras;    /* suffixes that linear layers get besides, each [1]; or NULL */
    int n;
    char names[MAX_TENSORS][96];
    size_t starts[MAX_TENSORS];
};

static void __attribute__((format(printf, 4, 5)))
put(struct model_file *m, int rows, int cols, const char *format, ...)
{
    char name[sizeof m->names[0]];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    if (m->leave_out && strcmp(name, m->leave_out) == 0)
        return;
    ck_assert_int_lt(m->n, MAX_TENSORS);
    memcpy(m->names[m->n], name, sizeof name);
    m->starts[m->n++] = m->file.n;
    add_tensor(&m->file, &(struct tiny_tensor){name, rows, cols}, "F32");
}

static void put_linear(struct model_file *m, const char *layer, int out, int in, bool bias)
{
    put(m, out, in, "%s.weight", layer);
    if (bias)
        put(m, out, 0, "%s.bias", layer);
    char suffixes[128], *rest = suffixes;
    snprintf(suffixes, sizeof suffixes, "%s", m->extras ? m->extras : "");
    for (char *s; (s = strsep(&rest, " "));)
        if (*s)
            put(m, 1, 0, "%s.%s", layer, s);
}

static void put_attention(struct model_file *m, const aim_hf_config *c, const char *p)
{
    char name[64];
    if (c->fused_qkv) {
        snprintf(name, sizeof name, "%s.qkv_proj", p);
        put_linear(m, name, QUERY + 2 * KEY, HIDDEN, c->qkv_bias);
    }
    for (int i = 0; i < 3 && !c->fused_qkv; i++) {
        snprintf(name, sizeof name, "%s.%c_proj", p, "qkv"[i]);
        put_linear(m, name, i == 0 ? QUERY : KEY, HIDDEN, c->qkv_bias);
    }
    if (c->qk_norm) {
        put(m, DIM, 0, "%s.q_norm.weight", p);
        put(m, DIM, 0, "%s.k_norm.weight", p);
    }
    snprintf(name, sizeof name, "%s.o_proj", p);
    put_linear(m, name, HIDDEN, QUERY, c->o_bias);
}

static void put_mlp(struct model_file *m, const aim_hf_config *c, const char *p)
{
    static const char *const halves[] = {"gate_proj", "up_proj"};
    char name[64];
    if (c->fused_gate_up) {
        snprintf(name, sizeof name, "%s.gate_up_proj", p);
        put_linear(m, name, 2 * FFN, HIDDEN, c->mlp_bias);
    }
    for (int i = 0; i < 2 && !c->fused_gate_up; i++) {
        snprintf(name, sizeof name, "%s.%s", p, halves[i]);
        put_linear(m, name, FFN, HIDDEN, c->mlp_bias);
    }
    snprintf(name, sizeof name, "%s.down_proj", p);
    put_linear(m, name, HIDDEN, FFN, c->mlp_bias);
}

/* Heads of reward models are never analog. */
static void put_reward_head(struct model_file *m, const aim_hf_config *c)
{
    const char *last = c->value_head ? "v_head.summary" : "score";
    if (c->head == AIM_HEAD_MLP) {
        put(m, HIDDEN, HIDDEN, "score.0.weight");
        put(m, HIDDEN, 0, "score.0.bias");
        last = "score.2";
    }
    put(m, c->head_outputs, HIDDEN, "%s.weight", last);
    if (c->head == AIM_HEAD_MLP || c->value_head)
        put(m, c->head_outputs, 0, "%s.bias", last);
}

static void put_all(struct model_file *m, const aim_hf_config *c)
{
    put(m, VOCAB, HIDDEN, "model.embed_tokens.weight");
    for (int l = 0; l < LAYERS; l++) {
        char p[48];
        put(m, HIDDEN, 0, "model.layers.%d.input_layernorm.weight", l);
        snprintf(p, sizeof p, "model.layers.%d.self_attn", l);
        put_attention(m, c, p);
        put(m, HIDDEN, 0, "model.layers.%d.post_attention_layernorm.weight", l);
        snprintf(p, sizeof p, "model.layers.%d.mlp", l);
        put_mlp(m, c, p);
    }
    put(m, HIDDEN, 0, "model.norm.weight");
    if (c->head != AIM_HEAD_LANGUAGE)
        put_reward_head(m, c);
    else if (!c->tied_embeddings)
        put_linear(m, "lm_head", VOCAB, HIDDEN, false);
}

/* Element 0 of a tensor; zeros if there is none, as for a bias. */
static const float *__attribute__((format(printf, 2, 3)))
find(const struct model_file *m, const char *format, ...)
{
    static const float zeros[64];
    char name[96];
    va_list args;
    va_start(args, format);
    vsnprintf(name, sizeof name, format, args);
    va_end(args);
    for (int i = 0; i < m->n; i++)
        if (strcmp(m->names[i], name) == 0)
            return m->file.data + m->starts[i];
    return zeros;
}

/* ---- the decoder in double ------------------------------------------------------- */

struct plain {
    const aim_hf_config *c;
    const struct model_file *m;
    int n;
    double x[TOKENS][HIDDEN], k[TOKENS][KEY], v[TOKENS][KEY];
};

static void plain_linear(const float *w, const float *bias, int out, int in, const double *x,
                         double *y)
{
    for (int o = 0; o < out; o++) {
        y[o] = bias[o];
        for (int i = 0; i < in; i++)
            y[o] += w[o * in + i] * x[i];
    }
}

static void plain_norm(const float *weight, int n, double eps, const double *x, double *y)
{
    double squares = 0;
    for (int i = 0; i < n; i++)
        squares += x[i] * x[i];
    for (int i = 0; i < n; i++)
        y[i] = x[i] / sqrt(squares / n + eps) * weight[i];
}

static void plain_rotate(const struct plain *p, double *x, int position)
{
    const aim_rope *r = &p->c->rope;
    bool is_long = p->n > r->original_positions;
    for (int i = 0; i < r->dim / 2; i++) {
        double f = pow(r->theta, -2.0 * i / r->dim);
        if (r->n_factors)
            f /= is_long ? r->long_factor[i] : r->short_factor[i];
        double c = cos(position * f) * r->attention_factor, u = x[i];
        double s = sin(position * f) * r->attention_factor, v = x[i + r->dim / 2];
        x[i] = u * c - v * s;
        x[i + r->dim / 2] = v * c + u * s;
    }
}

/* Query, key and value of a row, stacked [QUERY + 2 KEY]. */
static void plain_qkv(const struct plain *p, int layer, const double *h, double *qkv)
{
    if (p->c->fused_qkv) {
        const float *w = find(p->m, "model.layers.%d.self_attn.qkv_proj.weight", layer);
        plain_linear(w, find(p->m, "none"), QUERY + 2 * KEY, HIDDEN, h, qkv);
        return;
    }
    for (int i = 0; i < 3; i++) {
        int out = i == 0 ? QUERY : KEY, at = i == 0 ? 0 : QUERY + (i - 1) * KEY;
        plain_linear(find(p->m, "model.layers.%d.self_attn.%c_proj.weight", layer, "qkv"[i]),
                     find(p->m, "model.layers.%d.self_attn.%c_proj.bias", layer, "qkv"[i]), out,
                     HIDDEN, h, qkv + at);
    }
}

static void plain_heads(const struct plain *p, int layer, char which, double *x, int heads,
                        int position)
{
    const float *norm = find(p->m, "model.layers.%d.self_attn.%c_norm.weight", layer, which);
    for (int h = 0; h < heads; h++) {
        if (p->c->qk_norm)
            plain_norm(norm, DIM, p->c->rms_eps, x + h * DIM, x + h * DIM);
        plain_rotate(p, x + h * DIM, position);
    }
}

static void plain_attend(const struct plain *p, int layer, int position, const double *q,
                         double *out)
{
    int first = p->c->window_layer[layer] ? position + 1 - p->c->sliding_window : 0;
    for (int h = 0; h < HEADS; h++) {
        int kv = h / (HEADS / KV_HEADS) * DIM;
        double sum = 0, total[DIM] = {0};
        for (int t = first > 0 ? first : 0; t <= position; t++) {
            double score = 0;
            for (int i = 0; i < DIM; i++)
                score += q[h * DIM + i] * p->k[t][kv + i];
            double weight = exp(score / sqrt(DIM));
            sum += weight;
            for (int i = 0; i < DIM; i++)
                total[i] += weight * p->v[t][kv + i];
        }
        for (int i = 0; i < DIM; i++)
            out[h * DIM + i] = total[i] / sum;
    }
}

static void plain_mlp(const struct plain *p, int layer, const double *h, double *y)
{
    const struct model_file *m = p->m;
    double gate_up[2 * FFN];
    static const char mlp[] = "model.layers.%d.mlp.%s";
    const float *fused = find(m, mlp, layer, "gate_up_proj.weight");
    const float *gate = p->c->fused_gate_up ? fused : find(m, mlp, layer, "gate_proj.weight");
    const float *up =
        p->c->fused_gate_up ? fused + FFN * HIDDEN : find(m, mlp, layer, "up_proj.weight");
    plain_linear(gate, find(m, mlp, layer, "gate_proj.bias"), FFN, HIDDEN, h, gate_up);
    plain_linear(up, find(m, mlp, layer, "up_proj.bias"), FFN, HIDDEN, h, gate_up + FFN);
    for (int i = 0; i < FFN; i++)
        gate_up[i] *= gate_up[FFN + i] / (1 + exp(-gate_up[i]));
    plain_linear(find(m, mlp, layer, "down_proj.weight"), find(m, mlp, layer, "down_proj.bias"),
                 HIDDEN, FFN, gate_up, y);
}

static void plain_layer(struct plain *p, int layer)
{
    const struct model_file *m = p->m;
    double eps = p->c->rms_eps, h[HIDDEN], qkv[QUERY + 2 * KEY], heads[QUERY], y[HIDDEN];
    for (int t = 0; t < p->n; t++) {
        plain_norm(find(m, "model.layers.%d.input_layernorm.weight", layer), HIDDEN, eps, p->x[t],
                   h);
        plain_qkv(p, layer, h, qkv);
        plain_heads(p, layer, 'q', qkv, HEADS, t);
        plain_heads(p, layer, 'k', qkv + QUERY, KV_HEADS, t);
        memcpy(p->k[t], qkv + QUERY, sizeof p->k[t]);
        memcpy(p->v[t], qkv + QUERY + KEY, sizeof p->v[t]);
        plain_attend(p, layer, t, qkv, heads);
        plain_linear(find(m, "model.layers.%d.self_attn.o_proj.weight", layer),
                     find(m, "model.layers.%d.self_attn.o_proj.bias", layer), HIDDEN, QUERY, heads,
                     y);
        for (int i = 0; i < HIDDEN; i++)
            p->x[t][i] += y[i];
        plain_norm(find(m, "model.layers.%d.post_attention_layernorm.weight", layer), HIDDEN, eps,
                   p->x[t], h);
        plain_mlp(p, layer, h, y);
        for (int i = 0; i < HIDDEN; i++)
            p->x[t][i] += y[i];
    }
}

/* The logits of a hidden state. */
static void plain_head(const struct plain *p, double *h, double *logits)
{
    const struct model_file *m = p->m;
    const float *language =
        find(m, p->c->tied_embeddings ? "model.embed_tokens.weight" : "lm_head.weight");
    if (p->c->head == AIM_HEAD_LANGUAGE) {
        plain_linear(language, find(m, "none"), VOCAB, HIDDEN, h, logits);
        return;
    }
    const char *last = p->c->value_head ? "v_head.summary" : "score";
    if (p->c->head == AIM_HEAD_MLP) {
        double x[HIDDEN];
        plain_linear(find(m, "score.0.weight"), find(m, "score.0.bias"), HIDDEN, HIDDEN, h, x);
        for (int i = 0; i < HIDDEN; i++)
            h[i] = x[i] > 0 ? x[i] : 0;
        last = "score.2";
    }
    plain_linear(find(m, "%s.weight", last), find(m, "%s.bias", last), p->c->head_outputs, HIDDEN,
                 h, logits);
}

static void plain_run(struct plain *p, const int32_t *tokens, double logits[TOKENS][VOCAB])
{
    const float *embedding = find(p->m, "model.embed_tokens.weight");
    for (int t = 0; t < p->n; t++)
        for (int i = 0; i < HIDDEN; i++)
            p->x[t][i] = embedding[tokens[t] * HIDDEN + i];
    for (int l = 0; l < LAYERS; l++)
        plain_layer(p, l);
    for (int t = 0; t < p->n; t++) {
        double h[HIDDEN];
        plain_norm(find(p->m, "model.norm.weight"), HIDDEN, p->c->rms_eps, p->x[t], h);
        plain_head(p, h, logits[t]);
    }
}

/* ---- the decoder under test ---------------------------------------------------------- */

static aim_decoder *load(struct rig *r, struct model_file *m, const char *backend, aim_error *err)
{
    r->checkpoint = save_and_open(&m->file);
    r->decoder = aim_decoder_load(&r->config, r->checkpoint, aim_backend_find(backend, NULL), NULL,
                                  &r->compute, NULL, NULL, err);
    return r->decoder;
}

static struct model_file model_file;

/* A decoder of this configuration, ready to run. */
static void start(struct rig *r, const char *config, const char *backend, const char *extras)
{
    aim_error err = {0};
    rig_start(r, NULL, 1);
    parse(config, &r->config);
    model_file = (struct model_file){.extras = extras};
    put_all(&model_file, &r->config);
    ck_assert_msg(load(r, &model_file, backend, &err) != NULL, "%s", err.text);
    rig_finish(r);
}

static const int32_t *some_tokens(void)
{
    static int32_t tokens[TOKENS];
    for (int i = 0; i < TOKENS; i++)
        tokens[i] = i * i % 7 + i % 3;
    return tokens;
}

/* Logits of n tokens, in chunks. */
static void run(struct rig *r, int n, int chunk, float logits[TOKENS][VOCAB])
{
    struct sequence s;
    set_up(r, &s, some_tokens(), n);
    while (s.done < s.n)
        step(r, &s, 1, chunk);
    size_t outputs = (size_t)aim_decoder_outputs(r->decoder);
    for (int t = 0; t < n; t++)
        memcpy(logits[t], s.logits + (size_t)t * outputs, outputs * sizeof **logits);
    tear_down(r, &s);
}

START_TEST(logits_are_right)
{
    static const int lengths[] = {TOKENS, 16, 17};
    struct rig r;
    start(&r, configs[_i], "f32", NULL);
    for (size_t i = 0; i < COUNT(lengths); i++)
        for (int chunk = 1; chunk <= TOKENS; chunk += 13) {
            static struct plain p;
            float got[TOKENS][VOCAB];
            double want[TOKENS][VOCAB];
            p = (struct plain){.c = &r.config, .m = &model_file, .n = lengths[i]};
            plain_run(&p, some_tokens(), want);
            run(&r, lengths[i], chunk, got);
            for (int t = 0; t < lengths[i]; t++)
                for (int v = 0; v < aim_decoder_outputs(r.decoder); v++)
                    ck_assert_msg(fabs(got[t][v] - want[t][v]) < 2e-5,
                                  "%d tokens in chunks of %d: logit %d of token %d is %g, not %g",
                                  lengths[i], chunk, v, t, (double)got[t][v], want[t][v]);
        }
    rig_close(&r);
}
END_TEST

/* Every tensor is asked for, by name. */
START_TEST(a_missing_tensor_is_named)
{
    struct model_file whole = {0};
    aim_hf_config c;
    parse(configs[_i], &c);
    put_all(&whole, &c);
    for (int i = 0; i < whole.n; i++) {
        struct rig r;
        aim_error err = {0};
        rig_start(&r, NULL, 1);
        r.config = c;
        model_file = (struct model_file){.leave_out = whole.names[i]};
        put_all(&model_file, &c);
        ck_assert_ptr_null(load(&r, &model_file, "int8", &err));
        ck_assert_msg(strstr(err.text, whole.names[i]) && strstr(err.text, "is missing"), "%s: %s",
                      whole.names[i], err.text);
        rig_close(&r);
    }
}
END_TEST

START_TEST(loading_survives_every_failed_allocation)
{
    struct rig r;
    rig_start(&r, NULL, 1);
    parse(configs[_i], &r.config);
    model_file = (struct model_file){.extras = "input_range"};
    put_all(&model_file, &r.config);
    for (size_t i = 0; i < model_file.file.n; i++)
        model_file.file.data[i] = fabsf(model_file.file.data[i]);
    r.checkpoint = save_and_open(&model_file.file);
    for (int n = 0; !r.decoder; n++) {
        aim_error err = {0};
        aim_alloc_fail_after(n);
        r.decoder = aim_decoder_load(&r.config, r.checkpoint, aim_backends()[0], NULL, &r.compute,
                                     NULL, NULL, &err);
        aim_alloc_fail_after(-1);
        ck_assert_int_eq(err.code, r.decoder ? AIM_OK : AIM_ENOMEM);
    }
    rig_close(&r);
}
END_TEST

/* ---- analog checkpoints --------------------------------------------------------------- */

/* Linear layers of these configurations, parts counted apart, lm_head included. */
static const int linear_counts[COUNT(configs)] = {15, 15, 15, 9, 9, 15, 15, 14, 14, 14, 14};

static const char analog[] = "input_range input_range_update_idx x_min x_max";

/* What aihwkit-lightning saves is taken in, and changes nothing in digital. */
START_TEST(input_ranges_are_counted)
{
    struct rig r;
    aim_error err = {0};
    rig_start(&r, NULL, 1);
    parse(configs[_i], &r.config);
    model_file = (struct model_file){.extras = analog};
    put_all(&model_file, &r.config);
    for (int i = 0; i < model_file.n; i++)
        if (strstr(model_file.names[i], ".input_range"))
            model_file.file.data[model_file.starts[i]] = 3;
    ck_assert_msg(load(&r, &model_file, "int8", &err) != NULL, "%s", err.text);
    ck_assert_int_eq(aim_decoder_learned_ranges(r.decoder), linear_counts[_i]);
    rig_close(&r);
    start(&r, configs[_i], "int8", NULL);
    ck_assert_int_eq(aim_decoder_learned_ranges(r.decoder), 0);
    rig_close(&r);
}
END_TEST

static const struct {
    int config;
    const char *name;
    int rows, cols;
    float first;
    const char *error; /* NULL: loads */
} range_cases[] = {
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 0, 2, NULL},
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 0, 0, NULL},
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 0, -1, "holds a range below 0"},
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 0, NAN, "holds NaN or infinity"},
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 0, INFINITY, "holds NaN or infinity"},
    {0, "model.layers.0.mlp.up_proj.input_range", 1, 1, 2, "has shape [1, 1]"},
    {0, "model.layers.0.mlp.up_proj.learnable_weight_clip", 1, 1, 2, "are not supported"},
    {0, "lm_head.learnable_weight_clip", 1, 1, 2, "are not supported"},
    {0, "model.layers.2.mlp.up_proj.input_range", 1, 0, 2, "has no place"},
    {0, "model.layers.0.mlp.x_max", 1, 0, 2, "has no place"},
    {0, "model.layers.0.input_layernorm.input_range", 1, 0, 2, "has no place"},
    {0, "model.layers.0.self_attn.qkv_proj.weight", 48, 8, 1, "has no place"},
    {0, "model.layers.0.self_attn.q_proj.bias", 24, 0, 0, "has no place"},
    {0, "model.layers.0.self_attn.q_norm.weight", 6, 0, 1, "has no place"},
    {0, "lm_head.bias", 10, 0, 0, "has no place"},
    {0, "score.weight", 1, 8, 0, "has no place"},
    {0, "v_head.summary.weight", 1, 8, 0, "has no place"},
    /* Of the language model that a reward model was trained from. */
    {CLASSIFIER, "lm_head.weight", 10, 8, 0, NULL},
    {CLASSIFIER, "lm_head.input_range", 1, 0, 2, NULL},
    {CLASSIFIER, "score.bias", 3, 0, 0, "has no place"},
    {CLASSIFIER, "score.input_range", 1, 0, 2, "has no place"},
    {CLASSIFIER, "score.0.weight", 8, 8, 0, "has no place"},
};

START_TEST(one_tensor_more)
{
    struct rig r;
    aim_error err = {0};
    rig_start(&r, NULL, 1);
    parse(configs[range_cases[_i].config], &r.config);
    model_file = (struct model_file){0};
    put_all(&model_file, &r.config);
    put(&model_file, range_cases[_i].rows, range_cases[_i].cols, "%s", range_cases[_i].name);
    model_file.file.data[model_file.starts[model_file.n - 1]] = range_cases[_i].first;
    load(&r, &model_file, "int8", &err);
    if (range_cases[_i].error) {
        ck_assert_ptr_null(r.decoder);
        ck_assert_msg(strstr(err.text, range_cases[_i].error), "%s", err.text);
        ck_assert_msg(strstr(err.text, range_cases[_i].name), "%s", err.text);
    } else {
        ck_assert_msg(r.decoder != NULL, "%s", err.text);
    }
    rig_close(&r);
}
END_TEST

/* A tied head is the embedding, even where the file has another tensor of its
 * name; but not if that was converted to analog. */
START_TEST(tied_heads)
{
    static const struct {
        bool head, range, own;
    } cases[] = {
        {false, false, false}, {true, false, false}, {false, true, false}, {true, true, true}};
    float want[TOKENS][VOCAB], got[TOKENS][VOCAB];
    const char *config = configs[TIED];
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct rig r;
        aim_error err = {0};
        rig_start(&r, NULL, 1);
        parse(config, &r.config);
        ck_assert(r.config.tied_embeddings);
        model_file = (struct model_file){0};
        put_all(&model_file, &r.config);
        if (cases[i].head)
            put(&model_file, VOCAB, HIDDEN, "lm_head.weight");
        if (cases[i].range) {
            put(&model_file, 1, 0, "lm_head.input_range");
            model_file.file.data[model_file.file.n - 1] = 2;
        }
        ck_assert_msg(load(&r, &model_file, "f32", &err) != NULL, "%s", err.text);
        rig_finish(&r);
        ck_assert_int_eq(aim_decoder_learned_ranges(r.decoder), cases[i].range);
        run(&r, TOKENS, TOKENS, i == 0 ? want : got);
        if (i > 0)
            ck_assert_int_eq(memcmp(want, got, sizeof want) != 0, cases[i].own);
        rig_close(&r);
    }
}
END_TEST

int main(void)
{
    aim_json_init();
    Suite *s = suite_create("switches");
    TCase *t = tcase_create("switches");
    tcase_set_timeout(t, 120);
    tcase_add_loop_test(t, logits_are_right, 0, COUNT(configs));
    tcase_add_loop_test(t, a_missing_tensor_is_named, 0, COUNT(configs));
    tcase_add_loop_test(t, loading_survives_every_failed_allocation, 0, COUNT(configs));
    tcase_add_loop_test(t, input_ranges_are_counted, 0, COUNT(configs));
    tcase_add_loop_test(t, one_tensor_more, 0, COUNT(range_cases));
    tcase_add_test(t, tied_heads);
    suite_add_tcase(s, t);
    SRunner *runner = srunner_create(s);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
