/* SPDX-License-Identifier: Apache-2.0 */
/* chip_state.c - states of chips in the making, and the memory they need. */
#include "server/chip.h"

#include "base/alloc.h"
#include "base/memory.h"
#include "server/chip_operation.h"
#include "server/daemon.h"
#include "server/open_model.h"

#include <string.h>

/* ---- memory -------------------------------------------------------------- */

/* Of all models, and of all states that are to come. */
static size_t planned_bytes(const aimd_daemon *d)
{
    size_t planned = aimd_models_planned_bytes(&d->models);
    for (const aimd_chip_operation *o = d->chips.operations; o; o = o->next_operation)
        if (!o->first && !o->alike)
            planned = aim_add_saturating(planned, aim_memory_plan_total(&o->coming->plan));
    return planned;
}

static uint64_t less(uint64_t from, uint64_t what)
{
    return from > what ? from - what : 0;
}

/* Of what there was at the start the plans are gone; of what there is now, only what of
 * them is not touched yet: others may have taken memory meanwhile. */
static uint64_t memory_left(const aimd_daemon *d)
{
    uint64_t planned = planned_bytes(d);
    uint64_t of_start = less(d->memory, planned);
    uint64_t now = less(aim_memory_read("").available, less(planned, aim_memory_anonymous()));
    return of_start < now ? of_start : now;
}

static bool can_be_deleted(const aimd_chip *c)
{
    return !c->configured && !c->leaving;
}

/* What would leave more room, beside what the plan says. */
static const char *advice(const aimd_daemon *d)
{
    const aimd_chip *c = d->chips.first;
    while (c && !can_be_deleted(c))
        c = c->next;
    return c ? ", or delete a chip" : "";
}

int aimd_chip_reserve(aimd_daemon *d, aimd_model *coming, aim_error *err)
{
    aim_error cause = {0};
    if (aim_memory_plan_fit(&coming->plan, 1, memory_left(d), &cause))
        return aim_fail(err, AIM_ECONFLICT, "%s%s", cause.text, advice(d));
    return 0;
}

/* ---- states -------------------------------------------------------------- */

const aimd_model_options *aimd_chip_base(const aimd_options *o, const char *id)
{
    for (size_t i = 0; i < o->n_models; i++)
        if (strcmp(o->models[i].id, id) == 0)
            return &o->models[i];
    return NULL;
}

/* Put a copy of value in the place of a string; false when out of memory. */
static bool set_text(char **place, const char *value)
{
    aim_free(*place);
    *place = value ? aim_strdup(value) : NULL;
    return *place;
}

/* BASE@NAME; of a base that is a chip itself what its own name was made from. */
static char *model_id(const char *base_id, const char *name)
{
    aim_buf b = AIM_BUF_INIT;
    aim_buf_append(&b, base_id, aimd_chip_base_length(base_id));
    aim_buf_printf(&b, "@%s", name);
    char *id = aim_buf_steal(&b, NULL);
    aim_buf_free(&b);
    return id;
}

aimd_model *aimd_chip_model_new(aimd_daemon *d, const aimd_model_options *base, const char *base_id,
                                const aimd_chip_request *r, aim_error *err)
{
    aimd_model_options o;
    if (aimd_model_options_copy(&o, base, err))
        return NULL;
    aim_free(o.id);
    o.id = model_id(base_id, r->name);
    aim_free(o.input_ranges);
    o.input_ranges = NULL;
    o.chip_seed = r->seed;
    o.chip_age = r->age;
    o.conductance_bits = r->conductance_bits;
    o.out_bound = r->out_bound;
    aimd_model *m = NULL;
    if (o.id && set_text(&o.backend, r->backend) && set_text(&o.profile, r->profile))
        m = aimd_model_new(d, &o, err);
    else
        aim_fail_nomem(err, "chip");
    aimd_model_options_free(&o);
    return m;
}

aimd_model *aimd_chip_unknown_model(aimd_daemon *d, const char *id)
{
    aimd_model_options o = {.id = model_id("", id)};
    aimd_model *m = o.id ? aimd_model_new(d, &o, NULL) : NULL;
    aim_free(o.id);
    return m;
}

static bool copy_chip(aimd_model *to, const aimd_model *of, bool keep_ranges)
{
    to->chip = aim_malloc(sizeof *to->chip);
    if (!to->chip)
        return false;
    *to->chip = *of->chip;
    to->chip->ranges = NULL;
    if (keep_ranges && of->chip->ranges)
        to->chip->ranges = aim_input_ranges_copy(of->chip->ranges);
    return !keep_ranges || !of->chip->ranges == !to->chip->ranges;
}

/* The cache stays as large as it is: what is served now would not fit a smaller one. */
static int plan_next(aimd_model *m, const aimd_model *of, aim_error *err)
{
    int rc = aimd_model_plan(m, err);
    m->plan.kv_blocks = m->plan.kv_least = of->plan.kv_blocks;
    m->plan.kv_cache = of->plan.kv_cache;
    return rc;
}

aimd_model *aimd_chip_next_state(const aimd_model *of, double age, bool keep_ranges, aim_error *err)
{
    aimd_model *m = aimd_model_new(of->daemon, &of->options, err);
    if (!m)
        return NULL;
    m->created = of->created;
    m->options.chip_age = age;
    if (!copy_chip(m, of, keep_ranges)) {
        aim_fail_nomem(err, "chip");
        aimd_model_discard(m);
        return NULL;
    }
    m->chip->age = age;
    atomic_store(&m->age, age);
    if (plan_next(m, of, err) == 0)
        return m;
    aimd_model_discard(m);
    return NULL;
}

bool aimd_chip_computes_alike(const aimd_model *served, const aimd_model *coming)
{
    const aim_chip *a = served->chip, *b = coming->chip;
    return (a->age == b->age || !aim_profile_ages(&a->profile)) && !a->ranges == !b->ranges;
}
