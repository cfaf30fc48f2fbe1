/* SPDX-License-Identifier: Apache-2.0 */
#include "server/model_table.h"

#include "base/alloc.h"
#include "server/chip_settings.h"
#include "server/daemon.h"
#include "server/open_model.h"

#include <string.h>
#include <time.h>

/* ---- one model ----------------------------------------------------------- */

aimd_model *aimd_model_new(aimd_daemon *d, const aimd_model_options *options, aim_error *err)
{
    aimd_model *m = aim_calloc(1, sizeof *m);
    if (!m || aimd_model_options_copy(&m->options, options, err)) {
        aim_free(m);
        aim_fail_nomem(err, "model");
        return NULL;
    }
    m->daemon = d;
    m->id = m->options.id;
    m->created = (int64_t)time(NULL);
    m->references = 1;
    atomic_init(&m->age, m->options.chip_age);
    return m;
}

bool aimd_model_is_ready(const aimd_model *m)
{
    return atomic_load_explicit(&m->ready, memory_order_acquire);
}

/* A configured model is ready before any request is read. */
int aimd_model_check_ready(const aimd_model *m, aim_error *err)
{
    if (aimd_model_is_ready(m))
        return 0;
    if (atomic_load(&m->failed))
        return aim_fail(err, AIM_ECONFLICT, "The chip of %s could not be programmed: %s", m->id,
                        m->failure.text);
    return aim_fail(err, AIM_EUNAVAILABLE, "The chip of %s is being programmed: %.0f%%", m->id,
                    100 * atomic_load(&m->progress));
}

int aimd_model_make_chip(aimd_model *m, aim_error *err)
{
    aim_chip *chip = aim_malloc(sizeof *chip);
    if (!chip)
        return aim_fail_nomem(err, "chip");
    int rc = aimd_chip_settings(m->daemon->options, &m->options, chip, err);
    if (rc == 0)
        m->chip = chip;
    else
        aim_free(chip);
    return rc;
}

void aimd_model_discard(aimd_model *m)
{
    if (!m)
        return;
    aimd_self_test_free(m->testing);
    if (m->chip)
        aim_input_ranges_free((aim_input_ranges_set *)(uintptr_t)m->chip->ranges);
    aim_free(m->chip);
    aim_reward_free(m->reward);
    aimd_model_options_free(&m->options);
    aim_free(m);
}

/* ---- lists --------------------------------------------------------------- */

static aimd_model **find_link(aimd_model **list, const aimd_model *m)
{
    while (*list && *list != m)
        list = &(*list)->next;
    return list;
}

static void unlink_from(aimd_model **list, aimd_model *m)
{
    aimd_model **link = find_link(list, m);
    if (*link)
        *link = m->next;
    m->next = NULL;
}

static void retire(aimd_model_table *t, aimd_model *m)
{
    m->next = t->retired;
    t->retired = m;
    aimd_model_release(m);
}

void aimd_models_add(aimd_model_table *t, aimd_model *m)
{
    uv_mutex_lock(&t->lock);
    *find_link(&t->served, NULL) = m;
    uv_mutex_unlock(&t->lock);
}

void aimd_models_remove(aimd_model_table *t, aimd_model *m)
{
    uv_mutex_lock(&t->lock);
    unlink_from(&t->served, m);
    uv_mutex_unlock(&t->lock);
    retire(t, m);
}

void aimd_models_replace(aimd_model_table *t, aimd_model *from, aimd_model *to)
{
    uv_mutex_lock(&t->lock);
    to->next = from->next;
    *find_link(&t->served, from) = to;
    uv_mutex_unlock(&t->lock);
    retire(t, from);
}

/* ---- look-ups ------------------------------------------------------------ */

aimd_model *aimd_models_look_up(const aimd_model_table *t, const char *id)
{
    aimd_model *m = t->served;
    while (m && strcmp(m->id, id) != 0)
        m = m->next;
    return m;
}

aimd_model *aimd_models_look_up_first(const aimd_model_table *t, bool reward)
{
    aimd_model *m = t->served;
    while (m && aimd_is_reward(&m->options) != reward)
        m = m->next;
    return m;
}

aimd_model *aimd_models_find(aimd_model_table *t, const char *id)
{
    uv_mutex_lock(&t->lock);
    aimd_model *m = aimd_models_look_up(t, id);
    if (m)
        m->references++;
    uv_mutex_unlock(&t->lock);
    return m;
}

aimd_model *aimd_models_find_first(aimd_model_table *t, bool reward)
{
    uv_mutex_lock(&t->lock);
    aimd_model *m = aimd_models_look_up_first(t, reward);
    if (m)
        m->references++;
    uv_mutex_unlock(&t->lock);
    return m;
}

static int check_reward(const aimd_model *m, const char *id, aim_error *err)
{
    aim_error cause = {0};
    if (!m && !id)
        return aim_fail_param(err, AIM_ENOTFOUND, "reward_model",
                              "There is no reward model. A server has one by --reward-model DIR, "
                              "or by a model section with role = reward.");
    if (!m)
        return aim_fail_param(err, AIM_ENOTFOUND, "reward_model",
                              "The reward model `%.200s` does not exist.", id);
    if (!aimd_is_reward(&m->options) && !atomic_load(&m->failed))
        return aim_fail_param(err, AIM_EINVAL, "reward_model",
                              "The model `%s` is not a reward model: its role is generator.",
                              m->id);
    if (aimd_model_check_ready(m, &cause))
        return aim_fail_param(err, cause.code, "reward_model", "%s", cause.text);
    return 0;
}

aimd_model *aimd_models_find_reward(aimd_model_table *t, const char *id,
                                    const aimd_model *generator, aim_error *err)
{
    if (!id && generator)
        id = generator->options.search.reward_model;
    uv_mutex_lock(&t->lock);
    aimd_model *m = id ? aimd_models_look_up(t, id) : aimd_models_look_up_first(t, true);
    if (check_reward(m, id, err))
        m = NULL;
    else
        m->references++;
    uv_mutex_unlock(&t->lock);
    return m;
}

size_t aimd_models_count(const aimd_model_table *t)
{
    size_t n = 0;
    for (const aimd_model *m = t->served; m; m = m->next)
        n++;
    return n;
}

/* ---- references, and the end of the last --------------------------------- */

static void close_engine(uv_work_t *work)
{
    aimd_model *m = work->data;
    aim_model_close(m->model);
}

static void on_closed(uv_work_t *work, int status)
{
    aimd_model *m = work->data;
    aimd_daemon *d = m->daemon;
    (void)status;
    unlink_from(&d->models.retired, m);
    /* What ran on a deleted chip until now has been counted still. */
    if (!aimd_models_look_up(&d->models, m->id))
        aimd_metrics_remove_model(d->metrics, m->id);
    aimd_log(AIMD_LOG_DEBUG, "closed", AIMD_STR("model", m->id));
    aimd_model_discard(m);
}

/* Nobody has it any more. Joining its engine and giving back its memory take time. */
static void end(aimd_model *m)
{
    aimd_model_table *t = &m->daemon->models;
    if (!m->model) {
        unlink_from(&t->retired, m);
        aimd_model_discard(m);
        return;
    }
    if (!*find_link(&t->retired, m)) { /* it was never served */
        m->next = t->retired;
        t->retired = m;
    }
    m->closing = true;
    m->close_work.data = m;
    uv_queue_work(m->daemon->loop, &m->close_work, close_engine, on_closed);
}

aimd_model *aimd_model_hold(aimd_model *m)
{
    uv_mutex_t *lock = m ? &m->daemon->models.lock : NULL;
    if (!m)
        return NULL;
    uv_mutex_lock(lock);
    m->references++;
    uv_mutex_unlock(lock);
    return m;
}

void aimd_model_release(aimd_model *m)
{
    if (!m)
        return;
    uv_mutex_lock(&m->daemon->models.lock);
    bool last = --m->references == 0;
    uv_mutex_unlock(&m->daemon->models.lock);
    if (last)
        end(m);
}

/* ---- all of them --------------------------------------------------------- */

int aimd_models_init(aimd_model_table *t, aimd_daemon *d, aim_error *err)
{
    if (uv_mutex_init(&t->lock))
        return aim_fail_nomem(err, "models");
    t->daemon = d;
    return 0;
}

static void free_list(aimd_model *m)
{
    for (aimd_model *next; m; m = next) {
        next = m->next;
        aim_model_close(m->model);
        aimd_model_discard(m);
    }
}

void aimd_models_fini(aimd_model_table *t)
{
    if (!t->daemon)
        return;
    free_list(t->served);
    free_list(t->retired);
    uv_mutex_destroy(&t->lock);
}

void aimd_models_each_engine(const aimd_model_table *t, void (*f)(aimd_model *m, void *arg),
                             void *arg)
{
    for (aimd_model *m = t->served; m; m = m->next)
        if (aimd_model_is_ready(m))
            f(m, arg);
    for (aimd_model *m = t->retired; m; m = m->next)
        if (aimd_model_is_ready(m) && !m->closing)
            f(m, arg);
}

size_t aimd_models_planned_bytes(const aimd_model_table *t)
{
    size_t sum = 0;
    for (const aimd_model *m = t->served; m; m = m->next)
        sum = aim_add_saturating(sum, aim_memory_plan_total(&m->plan));
    for (const aimd_model *m = t->retired; m; m = m->next)
        sum = aim_add_saturating(sum, aim_memory_plan_total(&m->plan));
    return sum;
}

static void close_now(aimd_model *m, void *arg)
{
    (void)arg;
    aim_model_close(m->model);
    m->model = NULL;
    atomic_store(&m->ready, false);
}

void aimd_models_close(aimd_model_table *t)
{
    aimd_models_each_engine(t, close_now, NULL);
}
