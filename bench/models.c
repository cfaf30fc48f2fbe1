/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/models.h"

#include "base/memory.h"
#include "bench/engine_load.h"
#include "bench/report.h"

#include <string.h>

static const struct {
    const char *name, *backend;
    int conductance_bits; /* 0: no chip */
} contestants[CONTESTANTS] = {
    [INT8] = {"int8", "int8", 0},
    [INT4] = {"int4", "int4", 0},
    [ANALOG8] = {"analog8", "analog", 8},
    [ANALOG16] = {"analog16", "analog", 16},
};

/* kv_tokens: room for 64 short answers, or for three of the whole context; the model
 * with the largest cache has room for 16 short ones. Small enough that all contestants of
 * LLAMA_1B are compared where 20 GiB are available. */
static const struct {
    const char *name;
    int max_context, kv_tokens;
} shapes[SHAPES] = {
    [SHIPPED] = {NULL, 512, 64 * 512},
    [LLAMA_1B] = {"llama-3.2-1b", 8192, 24576},
    [PHI3_MINI] = {"phi-3-mini", 128, 1024},
};

enum { MAX_OPEN = 8 };

static struct {
    const char *dir;
    aim_profile profile;
    uint64_t budget; /* bytes for all open models */
    struct open_model {
        aim_model *model;
        enum model_shape shape;
        enum contestant contestant;
        int threads;
        bool in_use;
    } open[MAX_OPEN]; /* the one that was asked for last is the last */
    int n_open;
} models;

const char *contestant_name(enum contestant c)
{
    return contestants[c].name;
}

int contestant_products(enum contestant c)
{
    return contestants[c].conductance_bits == 16 ? 2 : 1;
}

const char *model_shape_name(enum model_shape s)
{
    return shapes[s].name;
}

void models_setup(const char *dir, const char *profile)
{
    aim_error err = {0};
    models.dir = dir;
    /* Half of what is available is left to daemons, and to what else runs. */
    models.budget = aim_memory_read("").available / 2;
    if (aim_profile_load(profile, &models.profile, &err))
        bench_fail(err.text);
}

/* chip is the caller's, because options borrow it. */
static aim_model_options options_for(enum model_shape s, enum contestant c, int threads,
                                     aim_chip *chip)
{
    aim_model_options o = {
        .dir = models.dir, .backend = contestants[c].backend, .random_weights = shapes[s].name};
    *chip = (aim_chip){.profile = models.profile, .seed = 1};
    chip->profile.conductance_bits = contestants[c].conductance_bits;
    if (contestants[c].conductance_bits)
        o.chip = chip;
    aim_engine_config_init(&o.engine);
    o.engine.max_context = shapes[s].max_context;
    o.engine.kv_blocks = aim_kv_blocks_for(shapes[s].kv_tokens);
    o.engine.threads = threads;
    return o;
}

aim_model *models_open(enum model_shape s, enum contestant c, int threads, bool exact,
                       aim_error *err)
{
    aim_chip chip;
    aim_model_options o = options_for(s, c, threads, &chip);
    if (exact)
        chip.profile.programming = AIM_PROGRAMMING_EXACT;
    return engine_load_open(&o, err);
}

/* ---- which are open ---------------------------------------------------------------- */

/* Takes it out of the list. */
static struct open_model remove_at(int i)
{
    struct open_model taken = models.open[i];
    models.n_open--;
    memmove(&models.open[i], &models.open[i + 1],
            (size_t)(models.n_open - i) * sizeof models.open[0]);
    return taken;
}

static size_t open_bytes(void)
{
    size_t bytes = 0;
    for (int i = 0; i < models.n_open; i++)
        bytes += aim_memory_plan_total(&models.open[i].model->memory);
    return bytes;
}

/* Closes what was asked for longest ago until there is room. */
static int make_room(size_t need, aim_error *err)
{
    int i = 0;
    while (models.n_open == MAX_OPEN || open_bytes() + need > models.budget) {
        while (i < models.n_open && models.open[i].in_use)
            i++;
        if (i == models.n_open)
            return aim_fail(err, AIM_ENOMEM, "needs %zu MiB beside those it is compared with",
                            need >> 20);
        aim_model_close(remove_at(i).model);
    }
    return AIM_OK;
}

static aim_model *open_new(enum model_shape s, enum contestant c, int threads, aim_error *err)
{
    aim_chip chip;
    aim_memory_plan plan;
    aim_model_options o = options_for(s, c, threads, &chip);
    if (aim_model_plan(&o, &plan, err) || make_room(aim_memory_plan_total(&plan), err))
        return NULL;
    return engine_load_open(&o, err);
}

static int find_open(enum model_shape s, enum contestant c, int threads)
{
    int i = 0;
    while (i < models.n_open && !(models.open[i].shape == s && models.open[i].contestant == c &&
                                  models.open[i].threads == threads))
        i++;
    return i;
}

aim_model *models_get(enum model_shape s, enum contestant c, int threads, aim_error *err)
{
    int i = find_open(s, c, threads);
    aim_model *m = i < models.n_open ? remove_at(i).model : open_new(s, c, threads, err);
    if (m)
        models.open[models.n_open++] = (struct open_model){m, s, c, threads, true};
    return m;
}

void models_release(void)
{
    for (int i = 0; i < models.n_open; i++)
        models.open[i].in_use = false;
}

void models_close(void)
{
    while (models.n_open > 0)
        aim_model_close(remove_at(0).model);
}
