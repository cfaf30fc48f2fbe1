/* SPDX-License-Identifier: Apache-2.0 */
/* chip_json.c - the chip object of the API. */
#include "server/chip.h"

#include "server/json_out.h"

static void put_text(aim_buf *out, const char *key, const char *value)
{
    aim_buf_printf(out, ",\"%s\":", key);
    aimd_json_cstring(out, value);
}

/* A chip whose profile could not be read has what its options say. */
static void put_settings(aim_buf *out, const aimd_model *m)
{
    const aimd_model_options *o = &m->options;
    const aim_profile *p = m->chip ? &m->chip->profile : NULL;
    put_text(out, "profile", p ? p->name : o->profile);
    aim_buf_printf(out, ",\"seed\":%llu,\"age\":%.15g,\"conductance_bits\":%d,\"out_bound\":%.15g",
                   (unsigned long long)o->chip_seed, atomic_load(&m->age),
                   p ? p->conductance_bits : o->conductance_bits,
                   p ? p->tile.out_bound : o->out_bound);
    put_text(out, "backend", o->backend);
}

/* From which texts ranges were calibrated; null: from none. */
static void put_calibration(aim_buf *out, const aim_chip *c)
{
    const aim_ranges_origin *o = c && c->ranges ? &c->ranges->origin : NULL;
    if (!o || !o->method[0]) {
        aim_buf_puts(out, ",\"calibration\":null");
        return;
    }
    aim_buf_printf(out, ",\"calibration\":{\"method\":\"%s\",\"value\":", o->method);
    if (o->value > 0)
        aim_buf_printf(out, "%.15g", o->value);
    else
        aim_buf_puts(out, "null");
    aim_buf_printf(out, ",\"texts\":%lld,\"tokens\":%lld}", (long long)o->texts,
                   (long long)o->tokens);
}

static void put_memory(aim_buf *out, const aim_memory_plan *p)
{
    aim_buf_printf(out,
                   ",\"memory\":{\"weights_bytes\":%zu,\"kv_cache_bytes\":%zu,"
                   "\"workspace_bytes\":%zu,\"total_bytes\":%zu}",
                   p->weights, p->kv_cache, p->workspace, aim_memory_plan_total(p));
}

void aimd_chip_write(aim_buf *out, const aimd_chip *c)
{
    const aimd_model *m = c->model;
    bool ready = aimd_model_is_ready(m);
    aim_buf_puts(out, "{\"id\":");
    aimd_json_cstring(out, c->id);
    put_text(out, "object", "chip");
    put_text(out, "model", m->id);
    put_text(out, "base_model", c->base_model);
    put_settings(out, m);
    put_text(out, "state", aimd_chip_state_name(c->state));
    aim_buf_printf(out, ",\"progress\":%.4f", aimd_chip_progress(c));
    put_text(out, "error", c->error.code ? c->error.text : NULL);
    put_text(out, "input_ranges", ready ? aim_decoder_range_source(m->model->decoder) : NULL);
    put_calibration(out, m->chip);
    put_memory(out, &m->plan);
    aim_buf_printf(out, ",\"created\":%lld", (long long)c->created);
    put_text(out, "source", c->configured ? "configuration" : "api");
    aim_buf_printf(out, ",\"persistent\":%s}", aimd_chip_is_persistent(c) ? "true" : "false");
}
