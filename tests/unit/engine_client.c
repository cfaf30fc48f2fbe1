/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_client.h"

#include "base/alloc.h"
#include "base/json.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* ---- clients -------------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int started; /* requests in all */

static void trace_token(answer *a, const aim_event *e)
{
    aim_buf_printf(&a->trace, "%d %a %d", e->token, (double)e->logprob, e->rank);
    for (int i = 0; i < e->n_top; i++)
        aim_buf_printf(&a->trace, " %d:%a", e->top[i].id, (double)e->top[i].logprob);
    aim_buf_printf(&a->trace, " %a\n", (double)e->certainty);
}

static void take_scores(client *c, aim_event *e)
{
    c->scores = e->scores;
    c->n_scores = e->n_scores;
    c->score_width = e->score_width;
    e->scores = NULL;
}

static void trace_prompt(client *c, const aim_event *e)
{
    c->prompts++;
    c->cached = e->cached_tokens;
    for (int i = 1; i < e->n_prompt; i++) {
        aim_buf_printf(&c->prompt_trace, "%a %d", (double)e->prompt_logprob[i], e->prompt_rank[i]);
        for (int t = 0; t < e->n_prompt_top; t++) {
            const aim_token_logprob *top = &e->prompt_top[i * e->n_prompt_top + t];
            aim_buf_printf(&c->prompt_trace, " %d:%a", top->id, (double)top->logprob);
        }
        aim_buf_puts(&c->prompt_trace, "\n");
    }
}

static void on_event(aim_event *e)
{
    client *c = e->user;
    answer *a = &c->answers[e->candidate - c->first_candidate];
    if (e->kind == AIM_EVENT_START) {
        c->starts++;
        c->order = ++started;
        ck_assert_int_eq(c->prompts, 0);
        return;
    }
    if (e->kind == AIM_EVENT_PROMPT) {
        trace_prompt(c, e);
        take_scores(c, e);
        return;
    }
    a->events_after_end += a->finish != AIM_FINISH_NONE;
    if (e->kind == AIM_EVENT_TOKEN) {
        a->tokens++;
        aim_ids_push(&a->ids, e->token);
        aim_buf_append(&a->text, e->text, e->text_len);
        trace_token(a, e);
    }
    if (e->finish != AIM_FINISH_NONE) {
        a->finish = e->finish;
        a->at_separator = e->at_separator;
        aim_buf_clear(&a->held);
        aim_buf_append(&a->held, e->held, e->held_len);
        a->stop_string = e->stop_string;
        a->stop_id = e->stop_id;
        c->ended++;
    }
    if (c->cancel_after && a->tokens == c->cancel_after)
        aim_engine_cancel(c->engine, c);
    if (e->kind == AIM_EVENT_TOKEN && c->pause_after && a->tokens == c->pause_after)
        aim_engine_pause(c->engine, c, true);
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

void wait_end(client *c)
{
    pthread_mutex_lock(&lock);
    while (c->ended < c->n)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
}

int tokens_of(const client *c)
{
    pthread_mutex_lock(&lock);
    int n = c->answers[0].tokens;
    pthread_mutex_unlock(&lock);
    return n;
}

void client_free(client *c)
{
    for (int i = 0; i < MAX_CANDIDATES; i++) {
        ck_assert_int_eq(c->answers[i].events_after_end, 0);
        aim_buf_free(&c->answers[i].text);
        aim_buf_free(&c->answers[i].held);
        aim_buf_free(&c->answers[i].trace);
        aim_ids_free(&c->answers[i].ids);
    }
    aim_free(c->scores);
    aim_buf_free(&c->prompt_trace);
    memset(c, 0, sizeof *c);
}

static void same_text(const aim_buf *a, const aim_buf *b, const char *what, int i)
{
    ck_assert_msg(a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0),
                  "request %d: %s differs:\n%s\n---\n%s", i, what, a->data ? a->data : "",
                  b->data ? b->data : "");
}

void same_answers(const client *a, const client *b, int i)
{
    same_text(&a->prompt_trace, &b->prompt_trace, "prompt logprobs", i);
    for (int j = 0; j < a->n; j++) {
        same_text(&a->answers[j].text, &b->answers[j].text, "text", i);
        same_text(&a->answers[j].trace, &b->answers[j].trace, "tokens", i);
        ck_assert_int_eq(a->answers[j].finish, b->answers[j].finish);
        ck_assert_int_eq(a->answers[j].stop_string, b->answers[j].stop_string);
        ck_assert_int_eq(a->answers[j].stop_id, b->answers[j].stop_id);
    }
}

/* ---- models --------------------------------------------------------------------- */

static const char *model_dir(void)
{
    static char dir[4096];
    const char *top = getenv("top_srcdir");
    snprintf(dir, sizeof dir, "%s/models/wordmath-2m", top ? top : ".");
    return dir;
}

aim_model_options options(void)
{
    aim_model_options o = {.dir = model_dir()};
    aim_engine_config_init(&o.engine);
    o.engine.threads = 2;
    return o;
}

aim_model *open_model(const aim_model_options *o)
{
    aim_error err = {0};
    aim_model *m = aim_model_open(o, sink, NULL, NULL, NULL, &err);
    ck_assert_msg(m != NULL, "%s", err.text);
    return m;
}

static void stretch(aim_hf_config *c)
{
    c->rope.kind = AIM_ROPE_LONGROPE;
    c->rope.original_positions = CHANGE;
    c->rope.attention_factor = 1.1;
    c->rope.n_factors = c->rope.dim / 2;
    for (int i = 0; i < c->rope.n_factors; i++) {
        c->rope.short_factor[i] = 1;
        c->rope.long_factor[i] = 1 + 0.5f * (float)i;
    }
    c->sliding_window = WINDOW;
    for (int i = 1; i < c->layers - 1; i++)
        c->window_layer[i] = 1;
}

aim_model *open_stretched(const aim_model_options *o)
{
    aim_error err = {0};
    aim_model *m = aim_calloc(1, sizeof *m);
    m->dir = aim_strdup(o->dir);
    ck_assert_int_eq(aim_hf_config_load(o->dir, &m->config, &err), AIM_OK);
    stretch(&m->config);
    m->tokenizer = aim_tokenizer_load(o->dir, &err);
    m->compute.kernels = aim_kernels_pick(o->kernels, &err);
    m->compute.pool = aim_pool_new(o->engine.threads, &err);
    ck_assert_msg(m->tokenizer && m->compute.kernels && m->compute.pool, "%s", err.text);
    const aim_backend *backend = aim_backend_find(o->backend ? o->backend : "int8", &err);
    m->decoder = aim_decoder_random(&m->config, backend, o->chip, &m->compute, 7, &err);
    ck_assert_msg(m->decoder != NULL, "%s", err.text);
    m->engine = aim_engine_new(&o->engine, m->decoder, m->tokenizer, &m->compute, sink, NULL, &err);
    ck_assert_msg(m->engine != NULL, "%s", err.text);
    return m;
}

aim_model *open_way(const engine_subject *s, const engine_way *w)
{
    aim_chip chip;
    aim_model_options o = options();
    o.backend = s->backend;
    if (s->chip) {
        chip = s->chip();
        o.chip = &chip;
    }
    o.engine.prefix_cache = w->prefix_cache;
    o.engine.prefill_chunk = o.engine.prefill_beside = w->chunk;
    o.engine.kv_blocks = w->kv_blocks;
    o.engine.max_context = w->max_context;
    return s->open(&o);
}

void close_model(aim_model *m)
{
    aim_engine_stats st;
    aim_engine_get_stats(m->engine, &st);
    ck_assert_int_eq(st.running, 0);
    ck_assert_int_eq(st.waiting, 0);
    ck_assert_int_eq(st.kv_held, 0);
    ck_assert_int_eq(st.kv_available, st.kv_total);
    aim_model_close(m);
}

/* ---- requests ------------------------------------------------------------------- */

void problem(int i, char **prompt, char **greedy)
{
    static json_t *problems[200];
    if (!problems[0]) {
        char path[4200];
        size_t len;
        snprintf(path, sizeof path, "%s/eval/problems.jsonl", model_dir());
        char *text = aim_read_file(path, 1 << 20, &len, NULL);
        ck_assert(text != NULL);
        char *save = NULL, *line = strtok_r(text, "\n", &save);
        for (int k = 0; k < 200 && line; k++, line = strtok_r(NULL, "\n", &save))
            problems[k] = json_loads(line, 0, NULL);
        aim_free(text);
    }
    *prompt = (char *)json_string_value(json_object_get(problems[i], "prompt"));
    *greedy = (char *)json_string_value(json_object_get(problems[i], "greedy"));
}

aim_request *new_request(const aim_model *m, client *c, const char *prompt)
{
    aim_error err = {0};
    aim_request *r = aim_request_new();
    aim_ids ids = {0};
    int code = aim_tokenizer_encode(m->tokenizer, prompt, strlen(prompt),
                                    AIM_PARSE_SPECIAL | AIM_ADD_SPECIAL, NULL, 0, &ids, &err);
    ck_assert_msg(code == 0, "%s", err.text);
    r->tokens = ids.v;
    r->n_tokens = (int)ids.n;
    r->max_tokens = 100;
    r->user = c;
    c->engine = m->engine;
    return r;
}

void submit(const aim_model *m, client *c, aim_request *r)
{
    aim_error err = {0};
    c->n = r->n;
    c->first_candidate = r->first_candidate;
    int code = aim_engine_submit(m->engine, &r, 1, &err);
    ck_assert_msg(code == 0, "%s", err.text);
}
