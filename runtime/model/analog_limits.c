/* SPDX-License-Identifier: Apache-2.0 */
/* Counting what converters cut off, for probes: the sums of a tile are computed
 * without an ADC, and then looked at. */
#include "model/analog_linear.h"

#include "base/alloc.h"
#include "model/converter_counts.h"

#include <stdatomic.h>

struct census {
    aim__tile_call call; /* its output holds the sums of a tile */
    _Atomic uint64_t saturated[AIM_MAX_PARTS];
};

/* x [rows, in] */
static void count_inputs(const aim__tile_call *call, const aim__tile_part *part, const float *x,
                         aim_converter_counts *counts)
{
    const aim_linear *l = call->l;
    for (int t = 0; t < part->tiling.tiles; t++) {
        const aim__tile_inputs *in = &l->inputs[part->tile[t].inputs];
        for (int r = 0; r < call->rows; r++)
            aim__count_inputs(x + (size_t)r * (size_t)l->shape.in + in->span.first, in->span.width,
                              in->range, counts);
        counts->readings += (uint64_t)call->rows * (uint64_t)part->tile[t].w.out;
    }
}

/* Of the sums of a row in channels [first, end). */
static uint64_t count_saturated(const aim__tile_call *call, const aim_adc *adc, int row,
                                const float *sum, int first, int end)
{
    uint64_t n = 0;
    for (int c = first; c < end && adc->kind != AIM_ADC_NONE; c++) {
        float full_scale =
            adc->full_scale ? adc->full_scale[c] : adc->row_factor[row] * adc->largest[c];
        n += aim__is_saturated(&call->l->profile->tile, sum[c], full_scale);
    }
    return n;
}

/* Of some panels of a tile, in all rows. */
static uint64_t count_panels(const aim__tile_call *call, const aim__tile_part *part, int tile,
                             aim__panel_range panels)
{
    aim_adc adc = aim__tile_adc(call, part, tile), open = adc;
    open.kind = AIM_ADC_NONE;
    open.gain = NULL;
    const aim_output sums = {
        .y = call->out->y + part->first_output, .ldy = call->out->ldy, .first = true};
    aim__tile_multiply(call, part, tile, panels, &open, &sums);
    int end = panels.end * AIM_PANEL, out = part->tile[tile].w.out;
    uint64_t n = 0;
    for (int r = 0; r < call->rows; r++)
        n += count_saturated(call, &adc, r, sums.y + (size_t)r * sums.ldy, panels.first * AIM_PANEL,
                             end < out ? end : out);
    return n;
}

static void count_task(void *arg, int task, int worker)
{
    (void)worker;
    struct census *census = arg;
    for (int i = 0; i < census->call.l->shape.n_parts; i++) {
        const aim__tile_part *part = &census->call.l->part[i];
        aim__panel_range panels = aim__tile_task(&census->call, part, task);
        for (int t = 0; panels.first < panels.end && t < part->tiling.tiles; t++)
            atomic_fetch_add(&census->saturated[i], count_panels(&census->call, part, t, panels));
    }
}

static void take_census(const aim_linear *l, const aim_compute *c, const float *x,
                        struct census *census, aim_converter_counts *counts)
{
    aim__tile_run(&census->call, c->pool, count_task, census);
    for (int i = 0; i < l->shape.n_parts; i++) {
        counts[i] = (aim_converter_counts){.saturated = atomic_load(&census->saturated[i])};
        count_inputs(&census->call, &l->part[i], x, &counts[i]);
    }
}

int aim__analog_count_limits(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                             const aim_row_noise *noise, aim_converter_counts *counts,
                             aim_error *err)
{
    size_t y_bytes = (size_t)rows * (size_t)l->shape.out * sizeof(float);
    size_t scratch_bytes = aim__tile_scratch(l->chip, &l->shape, rows, aim_pool_threads(c->pool));
    float *y = aim_big_alloc(y_bytes);
    void *scratch = aim_big_alloc(scratch_bytes);
    int code = y && scratch ? AIM_OK : aim_fail_nomem(err, "counting what converters cut off");
    if (!code) {
        struct census census = {0};
        const aim_output sums = {.y = y, .ldy = (size_t)l->shape.out};
        census.call = aim__tile_call_of(l, c, rows, noise, &sums, scratch);
        for (int r = 0; r < rows; r++)
            aim__analog_convert_row(l, c, x + (size_t)r * (size_t)l->shape.in, r, rows, scratch);
        take_census(l, c, x, &census, counts);
    }
    aim_big_free(y, y_bytes);
    aim_big_free(scratch, scratch_bytes);
    return code;
}
