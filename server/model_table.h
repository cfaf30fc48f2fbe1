/* SPDX-License-Identifier: Apache-2.0 */
/* model_table.h - the models that requests can name, and those that were taken
 * out of the table while requests still ran on them.
 *
 * Changed on the loop thread alone, while worker threads look models up by name.
 * A model that was taken out finishes what runs on it. Whoever drops the last
 * reference need not wait for its end: a worker thread closes it. */
#ifndef AIMD_MODEL_TABLE_H
#define AIMD_MODEL_TABLE_H

#include "analog/chip.h"
#include "engine/served_model.h"
#include "search/reward.h"
#include "server/fingerprint.h"
#include "server/options.h"

#include <stdatomic.h>
#include <uv.h>

typedef struct aimd_daemon aimd_daemon;

/* A model, or one state of a chip. Once it is ready only progress, age and what is
 * private change. */
typedef struct aimd_model {
    aimd_daemon *daemon;
    aimd_model_options options; /* its own */
    const char *id;             /* what requests name: options.id */
    int64_t created;            /* unix time; of all states of a chip that of the first */
    aim_chip *chip;             /* its own, with its ranges; NULL: a digital backend */
    char fingerprint[AIMD_FINGERPRINT_SIZE]; /* system_fingerprint */
    aim_memory_plan plan;                    /* of memory; all zero before there is one */
    aim_model *model;                        /* to be looked at if ready */
    aim_reward *reward; /* how it reads answers, of the role reward; else NULL */
    _Atomic double age; /* of the chip, in seconds: as it is told, where it does not matter */
    double load_seconds;
    atomic_bool ready;  /* loaded and tested; set on the loop thread */
    atomic_bool failed; /* it never will be, for this reason: */
    aim_error failure;
    _Atomic double progress;   /* of the load, 0..1; any thread */
    struct self_test *testing; /* open_model.c: where its engine's events go */
    /* Private to model_table.c: */
    struct aimd_model *next;
    int references; /* guarded by the table's lock */
    bool closing;
    uv_work_t close_work;
} aimd_model;

typedef struct aimd_model_table {
    aimd_daemon *daemon;
    uv_mutex_t lock; /* guards served against look-ups, and references */
    aimd_model *served, *retired;
} aimd_model_table;

/* A model that nobody can name yet, held by the caller. Any thread. NULL when out
 * of memory. */
aimd_model *aimd_model_new(aimd_daemon *d, const aimd_model_options *options, aim_error *err);
bool aimd_model_is_ready(const aimd_model *m);
/* 0 if it is ready, else why it is not: AIM_ECONFLICT, AIM_EUNAVAILABLE. Any thread. */
int aimd_model_check_ready(const aimd_model *m, aim_error *err);
/* Make the chip that the options of a model on one describe, from its profile. Any
 * thread but where others know m already. Errors as of aimd_chip_settings. */
int aimd_model_make_chip(aimd_model *m, aim_error *err);
/* Free a model that was never opened and that nobody else holds. Any thread; NULL is
 * fine. */
void aimd_model_discard(aimd_model *m);

/* References. Any thread may take one more of what it holds; the loop thread drops
 * them. m NULL is fine. */
aimd_model *aimd_model_hold(aimd_model *m);
void aimd_model_release(aimd_model *m);

int aimd_models_init(aimd_model_table *t, aimd_daemon *d, aim_error *err);
/* Frees all models; their engines must be closed. */
void aimd_models_fini(aimd_model_table *t);

/* Put m behind all others. The caller's reference becomes the table's. */
void aimd_models_add(aimd_model_table *t, aimd_model *m);
/* Take m out; the table's reference is dropped. */
void aimd_models_remove(aimd_model_table *t, aimd_model *m);
/* Both at once: to stands where from stood, and no request finds neither. */
void aimd_models_replace(aimd_model_table *t, aimd_model *from, aimd_model *to);
/* The model of this id, ready or not; NULL if there is none. Any thread; the caller
 * holds it. */
aimd_model *aimd_models_find(aimd_model_table *t, const char *id);
/* The first reward model or the first generator, likewise. */
aimd_model *aimd_models_find_first(aimd_model_table *t, bool reward);
/* The reward model of this id; with id NULL the one that the generator's options name,
 * else the first there is. It is ready, and the caller holds it. Any thread. NULL with
 * AIM_ENOTFOUND, AIM_EINVAL (it is a generator) or as aimd_model_check_ready; param is
 * reward_model. */
aimd_model *aimd_models_find_reward(aimd_model_table *t, const char *id,
                                    const aimd_model *generator, aim_error *err);
/* The same as aimd_models_find and aimd_models_find_first on the loop thread, where what
 * is found stays until the next change. */
aimd_model *aimd_models_look_up(const aimd_model_table *t, const char *id);
aimd_model *aimd_models_look_up_first(const aimd_model_table *t, bool reward);

/* The served models in their order, ready or not. */
static inline aimd_model *aimd_models_first(const aimd_model_table *t)
{
    return t->served;
}
static inline aimd_model *aimd_models_next(const aimd_model *m)
{
    return m->next;
}
size_t aimd_models_count(const aimd_model_table *t);

/* Call f for every model whose engine runs, served or retired. */
void aimd_models_each_engine(const aimd_model_table *t, void (*f)(aimd_model *m, void *arg),
                             void *arg);
/* Planned memory of all models, in bytes: what is reserved need not be touched yet. */
size_t aimd_models_planned_bytes(const aimd_model_table *t);
/* Close every engine now. No request may run. */
void aimd_models_close(aimd_model_table *t);

#endif
