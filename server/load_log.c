/* SPDX-License-Identifier: Apache-2.0 */
#include "server/load_log.h"

#include "base/cpu.h"
#include "base/memory.h"
#include "engine/model_facts.h"

#include <math.h>

#define PROGRESS_STEP 0.1
#define PROGRESS_NS UINT64_C(2000000000)

static const char *yes_no(bool value)
{
    return value ? "yes" : "no";
}

/* The field, or the end of its line: what stands behind it is left out too. */
static aimd_field only_if(bool there, aimd_field field)
{
    if (!there)
        field.kind = AIMD_FIELD_END;
    return field;
}

void aimd_log_plan(const aimd_model *m)
{
    const aim_memory_plan *plan = &m->plan;
    const char *shape = m->options.random_weights;
    aimd_log(AIMD_LOG_INFO, "loading", AIMD_STR("model", m->id), AIMD_STR("dir", m->options.dir),
             AIMD_STR("backend", m->options.backend),
             AIMD_INT("weights_bytes", (int64_t)plan->weights),
             AIMD_INT("kv_cache_bytes", (int64_t)plan->kv_cache),
             AIMD_INT("workspace_bytes", (int64_t)plan->workspace),
             AIMD_INT("needed_bytes", (int64_t)aim_memory_plan_total(plan)),
             AIMD_INT("available_bytes", (int64_t)aim_memory_read("").available),
             only_if(shape, AIMD_STR("random_weights", shape)));
}

void aimd_log_progress(aimd_load_progress *p, const aimd_model *m, double done)
{
    uint64_t now = aim_now_ns();
    if (done >= 1 || done < p->told + PROGRESS_STEP || now - p->told_ns < PROGRESS_NS)
        return;
    *p = (aimd_load_progress){now, done};
    aimd_log(AIMD_LOG_INFO, "load_progress", AIMD_STR("model", m->id),
             AIMD_INT("percent", (int64_t)floor(100 * done)));
}

void aimd_log_loaded(const aimd_model *m)
{
    aim_model_facts f = aim_model_describe(m->model);
    double seconds = m->load_seconds;
    const aim_profile *p = m->chip ? &m->chip->profile : NULL;
    const char *file = m->options.input_ranges;
    aimd_log(
        AIMD_LOG_INFO, "loaded", AIMD_STR("model", m->id), AIMD_NUM("seconds", seconds),
        AIMD_NUM("gb_per_second", (double)f.checkpoint_bytes / 1e9 / seconds),
        AIMD_STR("architecture", f.architecture), AIMD_INT("parameters", (int64_t)f.parameters),
        AIMD_STR("checkpoint", f.checkpoint),
        AIMD_INT("checkpoint_bytes", (int64_t)f.checkpoint_bytes),
        AIMD_STR("tied_head", yes_no(f.tied_head)), AIMD_STR("rope", f.rope),
        AIMD_INT("learned_input_ranges", f.learned_ranges),
        AIMD_STR("chat_template", f.chat_template),
        AIMD_INT("process_anonymous_bytes", (int64_t)aim_memory_anonymous()),
        AIMD_STR("fingerprint", m->fingerprint), only_if(p, AIMD_STR("profile", p ? p->name : "")),
        AIMD_NUM("out_bound", p ? p->tile.out_bound : 0), AIMD_STR("input_ranges", f.input_ranges),
        only_if(file, AIMD_STR("input_ranges_file", file)));
}

static const char *advice_on_ranges(const aimd_model_options *o)
{
    if (aimd_is_analog(o->backend))
        return "calibrate the chip: dynamic ranges stand in";
    if (o->input_ranges)
        return "the file of input_ranges lacks them: dynamic ranges stand in";
    return "name a file of calibrated ranges (input_ranges): dynamic ranges stand in";
}

void aimd_log_ranges(const aimd_model *m)
{
    aim_model_facts f = aim_model_describe(m->model);
    if (f.missing_ranges > 0)
        aimd_log(AIMD_LOG_WARNING, "input_ranges_missing", AIMD_STR("model", m->id),
                 AIMD_INT("layers", f.missing_ranges), AIMD_STR("input_ranges", f.input_ranges),
                 AIMD_STR("advice", advice_on_ranges(&m->options)));
}

void aimd_log_reward(const aimd_model *m)
{
    const aim_reward *r = m->reward;
    if (r)
        aimd_log(AIMD_LOG_INFO, "reward_model", AIMD_STR("model", m->id),
                 AIMD_STR("layout", aim_reward_layout_name(aim_reward_layout_of(r))),
                 AIMD_STR("step_separator", aim_reward_separator(r)));
}
