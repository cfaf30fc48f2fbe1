/* SPDX-License-Identifier: Apache-2.0 */
#include "server/open_model.h"

#include "base/alloc.h"
#include "base/cpu.h"
#include "server/chip_settings.h"
#include "server/load_log.h"
#include "server/mailbox.h"

#include <string.h>

/* ---- the self-test, on the loading and the engine's threads -------------- */

/* The path of one model's events: to its self-test first, then to the daemon. */
struct self_test {
    aimd_daemon *daemon;
    atomic_bool running;
    uv_mutex_t lock; /* guards the rest */
    uv_cond_t changed;
    bool finished;
    int results; /* tokens or scores */
    aim_error error;
};

static struct self_test *new_test(aimd_daemon *d)
{
    struct self_test *t = aim_calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->daemon = d;
    atomic_init(&t->running, true);
    uv_mutex_init(&t->lock);
    uv_cond_init(&t->changed);
    return t;
}

void aimd_self_test_free(struct self_test *t)
{
    if (!t)
        return;
    uv_mutex_destroy(&t->lock);
    uv_cond_destroy(&t->changed);
    aim_free(t);
}

/* Engine thread. The last event of the only candidate ends the test, so that
 * nothing of it reaches the daemon. */
static void take_test_events(struct self_test *t, aim_event *events)
{
    uv_mutex_lock(&t->lock);
    for (aim_event *e = events, *next; e; e = next) {
        next = e->next;
        t->results += e->kind == AIM_EVENT_TOKEN || e->n_scores > 0;
        if (e->kind != AIM_EVENT_PROMPT && e->finish != AIM_FINISH_NONE) {
            t->finished = true;
            if (e->error)
                t->error = *e->error;
            atomic_store(&t->running, false);
        }
        aim_event_free(e);
    }
    uv_cond_signal(&t->changed);
    uv_mutex_unlock(&t->lock);
}

static void on_engine_events(void *arg, aim_event *events)
{
    struct self_test *t = arg;
    if (atomic_load_explicit(&t->running, memory_order_relaxed))
        take_test_events(t, events);
    else
        aimd_event_sink(t->daemon, events);
}

/* One token of the likeliest, or of a reward model the outputs that it judges by. */
static aim_request *test_request(const aim_reward *reward)
{
    aim_request *r = aim_request_new();
    if (!r)
        return NULL;
    r->tokens = aim_calloc(1, sizeof *r->tokens); /* id 0 exists in every vocabulary */
    r->n_tokens = 1;
    r->n = 1;
    r->max_tokens = reward ? 0 : 1;
    r->sampling.temperature = 0;
    if (reward) {
        r->n_scores = 1;
        r->score_at = aim_calloc(1, sizeof *r->score_at);
        r->n_score_ids = aim_reward_output_ids(reward, r->score_ids);
    }
    if (r->tokens && (!reward || r->score_at))
        return r;
    aim_request_free(r);
    return NULL;
}

/* Does the engine make a token, or a score? Waits for as long as it takes: the service
 * manager's start timeout is the judge of too long. */
static int self_test(const aimd_model *m, aim_error *err)
{
    struct self_test *t = m->testing;
    aim_request *r = test_request(m->reward);
    if (!r)
        return aim_fail_nomem(err, "self-test");
    int rc = aim_engine_submit(m->model->engine, &r, 1, err);
    if (rc)
        return rc;
    uv_mutex_lock(&t->lock);
    while (!t->finished)
        uv_cond_wait(&t->changed, &t->lock);
    uv_mutex_unlock(&t->lock);
    if (t->error.code)
        return aim_fail(err, t->error.code, "self-test: %s", t->error.text);
    if (t->results != 1)
        return aim_fail(err, AIM_EINTERNAL, "self-test: %d tokens or scores instead of one",
                        t->results);
    return 0;
}

/* NULL: as the model's own template says. */
static const char *template_name(const aimd_model_options *m)
{
    return strcmp(m->chat_template, "auto") == 0 ? NULL : m->chat_template;
}

/* ---- reward models ------------------------------------------------------- */

/* A head of rewards makes no tokens. */
static int check_head(const aimd_model_options *m, aim_error *err)
{
    aim_hf_config config;
    if (aimd_is_reward(m) || m->random_weights || aim_hf_config_load(m->dir, &config, NULL))
        return 0; /* why the configuration cannot be read is for the load to tell */
    if (config.head == AIM_HEAD_LANGUAGE)
        return 0;
    return aim_fail_param(err, AIM_EINVAL, "role",
                          "%s has a head of rewards: its role must be reward, as --reward-model "
                          "makes it",
                          config.architecture);
}

/* Can its folder be read as one of a reward model? */
static int check_layout(const aimd_model_options *m, aim_error *err)
{
    aim_hf_config config;
    if (!aimd_is_reward(m))
        return 0;
    if (aim_hf_config_load(m->dir, &config, err))
        return (int)err->code;
    aim_tokenizer *tokenizer = aim_tokenizer_load(m->dir, err);
    if (!tokenizer)
        return (int)err->code;
    const aim_chat_template *chat =
        aim_chat_template_find(tokenizer, template_name(m), &(aim_error){0});
    aim_reward *reward = aim_reward_load(m->dir, &config, tokenizer, chat, err);
    int rc = reward ? 0 : (int)err->code;
    aim_reward_free(reward);
    aim_tokenizer_free(tokenizer);
    return rc;
}

static int load_layout(aimd_model *m, aim_error *err)
{
    const aim_model *loaded = m->model;
    if (!aimd_is_reward(&m->options))
        return 0;
    m->reward =
        aim_reward_load(m->options.dir, &loaded->config, loaded->tokenizer, loaded->chat, err);
    return m->reward ? 0 : (int)err->code;
}

static const char *layout_name(const aimd_model *m)
{
    return m->reward ? aim_reward_layout_name(aim_reward_layout_of(m->reward)) : NULL;
}

/* ---- opening ------------------------------------------------------------- */

static aim_model_options open_options(const aimd_options *o, const aimd_model_options *m,
                                      const aim_chip *chip)
{
    return (aim_model_options){
        .name = m->id,
        .dir = m->dir,
        .backend = m->backend,
        .chat_template = template_name(m),
        .random_weights = m->random_weights,
        .kernels = strcmp(o->kernels, "auto") == 0 ? NULL : o->kernels,
        .engine = m->engine,
        .chip = chip,
    };
}

static int fail_named(aim_error *err, const char *id, const aim_error *cause)
{
    return aim_fail(err, cause->code, "model %s: %s", id, cause->text);
}

int aimd_model_check(const aimd_options *o, const aimd_model_options *m, aim_error *err)
{
    aim_error cause = {0};
    aim_chip chip = {0};
    int rc = m->profile ? aimd_chip_settings(o, m, &chip, &cause) : 0;
    if (rc == 0) {
        aim_model_options options = open_options(o, m, m->profile ? &chip : NULL);
        rc = aim_model_check(&options, &cause);
    }
    if (rc == 0)
        rc = check_head(m, &cause);
    if (rc == 0)
        rc = check_layout(m, &cause);
    aim_input_ranges_free((aim_input_ranges_set *)(uintptr_t)chip.ranges);
    return rc ? fail_named(err, m->id, &cause) : 0;
}

int aimd_model_plan(aimd_model *m, aim_error *err)
{
    aim_error cause = {0};
    aim_model_options o = open_options(m->daemon->options, &m->options, m->chip);
    int rc = aim_model_plan(&o, &m->plan, &cause);
    if (rc == 0)
        rc = check_head(&m->options, &cause);
    return rc ? fail_named(err, m->id, &cause) : 0;
}

struct watch {
    aimd_model *model;
    aimd_load_progress log;
};

static void on_progress(void *arg, double done)
{
    struct watch *w = arg;
    atomic_store_explicit(&w->model->progress, done, memory_order_relaxed);
    aimd_log_progress(&w->log, w->model, done);
}

static int open_and_test(aimd_model *m, const atomic_bool *cancelled, aim_error *err)
{
    aim_model_options o = open_options(m->daemon->options, &m->options, m->chip);
    struct watch watch = {m, {.told_ns = aim_now_ns()}};
    o.plan = &m->plan;
    o.cancelled = cancelled;
    m->testing = new_test(m->daemon);
    if (!m->testing)
        return aim_fail_nomem(err, "self-test");
    m->model = aim_model_open(&o, on_engine_events, m->testing, on_progress, &watch, err);
    int rc = m->model ? load_layout(m, err) : (int)err->code;
    return rc ? rc : self_test(m, err);
}

int aimd_model_open(aimd_model *m, const atomic_bool *cancelled, aim_error *err)
{
    aim_error cause = {0};
    uint64_t start = aim_now_ns();
    aimd_log_plan(m);
    if (open_and_test(m, cancelled, &cause))
        return fail_named(err, m->id, &cause);
    aimd_fingerprint(&m->options, m->model->compute.kernels->name, m->chip, layout_name(m),
                     m->fingerprint);
    m->load_seconds = (double)(aim_now_ns() - start) / 1e9;
    atomic_store(&m->progress, 1);
    aimd_log_loaded(m);
    return 0;
}
