/* SPDX-License-Identifier: Apache-2.0 */
/* The way of a batch through the tiles of a layer: every row behind the DACs, then
 * the panels of all parts, cut into tasks, through their tiles one after the other.
 * Sums are exact and a channel's readings are added in tile order, so neither
 * the cut nor the other rows can change a result. */
#include "model/analog_linear.h"

#include "analog/converter.h"
#include "analog/read_noise.h"
#include "model/backend_impl.h"

#include <string.h>

/* ---- the DACs ----------------------------------------------------------------------- */

static int8_t *codes_of(const aim__tile_call *call, int inputs, int row)
{
    const aim__tile_inputs *in = &call->l->inputs[inputs];
    return call->codes + (size_t)call->rows * in->codes_before + (size_t)row * (size_t)in->padded;
}

/* x: the row's, of all tiles. */
static void convert_inputs(const aim__tile_call *call, const float *x, int inputs, int row)
{
    const aim_tile_settings *settings = &call->l->profile->tile;
    const aim__tile_inputs *in = &call->l->inputs[inputs];
    float range = in->range, step = in->step;
    x += in->span.first;
    if (range <= 0) {
        range = call->kernels->max_abs(x, in->span.width);
        step = aim_converter_step(settings->inp_res, range);
    }
    size_t at = (size_t)inputs * (size_t)call->rows + (size_t)row;
    call->step[at] = call->kernels->dac_row(x, in->span.width, in->padded, range, step,
                                            codes_of(call, inputs, row));
    call->range[at] = range;
    call->factor[at] = range * (float)settings->out_bound;
}

/* ---- scratch ------------------------------------------------------------------------ */

/* What a call of so many rows takes. */
struct room {
    size_t codes, rows, noise; /* bytes */
};

static struct room room_for(size_t row_codes, int n_inputs, int n_panels, bool noisy, int rows)
{
    return (struct room){
        .codes = (size_t)rows * row_codes,
        .rows = (size_t)rows * (size_t)n_inputs * sizeof(float),
        .noise = noisy ? (size_t)rows * (size_t)n_panels * AIM_PANEL * sizeof(float) : 0,
    };
}

/* With ranges that are all different, if they are fixed. */
size_t aim__tile_scratch(const aim_chip *chip, const aim_linear_shape *shape, int max_rows,
                         int threads)
{
    (void)threads;
    const aim_tile_settings *settings = &chip->profile.tile;
    int tiles = aim_tile_count(shape->in, settings->max_input_size), n_panels = 0;
    int drives = settings->input_range == AIM_RANGE_STATIC ? shape->n_parts : 1;
    size_t row_codes = 0;
    for (int t = 0; t < tiles; t++)
        row_codes +=
            aim_packed_row_bytes(aim_tile_span_of(shape->in, settings->max_input_size, t).width);
    for (int i = 0; i < shape->n_parts; i++)
        n_panels += aim__panels(shape->part_out[i]);
    struct room room = room_for((size_t)drives * row_codes, drives * tiles, n_panels,
                                aim_profile_reads_are_noisy(&chip->profile), max_rows);
    return room.codes + 3 * room.rows + room.noise;
}

static void place(aim__tile_call *call, void *scratch)
{
    const aim_linear *l = call->l;
    struct room room =
        room_for(l->row_codes, l->n_inputs, l->n_panels, call->noise != NULL, call->rows);
    unsigned char *at = scratch;
    call->codes = (int8_t *)at;
    call->range = (float *)(void *)(at + room.codes);
    call->step = (float *)(void *)(at + room.codes + room.rows);
    call->factor = (float *)(void *)(at + room.codes + 2 * room.rows);
    call->noise_sums = (float *)(void *)(at + room.codes + 3 * room.rows);
}

aim__tile_call aim__tile_call_of(const aim_linear *l, const aim_compute *c, int rows,
                                 const aim_row_noise *noise, const aim_output *out, void *scratch)
{
    aim__tile_call call = {.l = l, .kernels = c->kernels, .rows = rows, .out = out};
    call.noise = aim_profile_reads_are_noisy(l->profile) ? noise : NULL;
    place(&call, scratch);
    return call;
}

void aim__analog_convert_row(const aim_linear *l, const aim_compute *c, const float *x, int row,
                             int rows, void *scratch)
{
    aim__tile_call call = aim__tile_call_of(l, c, rows, NULL, NULL, scratch);
    for (int i = 0; i < l->n_inputs; i++)
        convert_inputs(&call, x, i, row);
}

/* ---- noise of reads ----------------------------------------------------------------- */

static size_t noise_stride(const aim__tile_call *call)
{
    return (size_t)call->l->n_panels * AIM_PANEL;
}

/* Where the noise of channel 0 of a part stands, of the first row. */
static float *noise_of(const aim__tile_call *call, const aim__tile_part *part)
{
    return call->noise_sums + (size_t)part->first_panel * AIM_PANEL;
}

enum { NOISE_CHUNK = 256 }; /* channels worked on together: whole panels */

/* spread [n] of channels [first, first + n) of a tile, whole panels but for the last. Codes
 * of 8 or 16 bits: those of 4 bits are read without noise. */
static void spread_of(const aim_tile_drive *drive, const aim_packed *w, int first, int n,
                      float *spread)
{
    int planes = aim_packed_planes(w);
    for (int i = 0; i < n; i += AIM_PANEL) {
        int panel = (first + i) / AIM_PANEL;
        const int8_t *high = planes == 2 ? aim_packed_plane(w, panel, 0) : NULL;
        aim_read_noise_spread(drive, aim_packed_plane(w, panel, planes - 1), high,
                              w->scale + first + i, spread + i);
    }
}

/* Noise of one row for the channels [first, end) of a tile; sums points at channel 0. */
static void draw_noise(const aim__tile_call *call, const aim__tile *tile,
                       const aim_tile_drive *drive, int row, int first, int end, float *sums)
{
    const aim_profile *profile = call->l->profile;
    float spread[NOISE_CHUNK], z[NOISE_CHUNK];
    bool by_weights = profile->read_noise == AIM_READ_NOISE_WEIGHTS;
    memset(sums + first, 0, (size_t)(end - first) * sizeof *sums);
    for (int c = first; c < end; c += NOISE_CHUNK) {
        int n = end - c < NOISE_CHUNK ? end - c : NOISE_CHUNK;
        if (by_weights)
            spread_of(drive, &tile->w, c, n, spread);
        aim_read_noise_add(profile, &call->noise[row], drive, c, n, tile->largest + c,
                           by_weights ? spread : NULL, sums + c, z);
    }
}

static aim_tile_drive drive_of(const aim__tile_call *call, const aim__tile_part *part, int tile,
                               int row)
{
    int inputs = part->tile[tile].inputs;
    size_t at = (size_t)inputs * (size_t)call->rows + (size_t)row;
    return (aim_tile_drive){
        .layer = call->l->layer + (int)(part - call->l->part),
        .tile = tile,
        .range = call->range[at],
        .step = call->step[at],
        .codes = codes_of(call, inputs, row),
        .width = call->l->inputs[inputs].span.width,
    };
}

/* The noise of all rows in some panels of a part. */
static void draw_all_noise(const aim__tile_call *call, const aim__tile_part *part, int tile,
                           aim__panel_range panels)
{
    const aim__tile *t = &part->tile[tile];
    int first = panels.first * AIM_PANEL, end = panels.end * AIM_PANEL;
    end = end < t->w.out ? end : t->w.out;
    for (int row = 0; row < call->rows; row++) {
        aim_tile_drive drive = drive_of(call, part, tile, row);
        draw_noise(call, t, &drive, row, first, end,
                   noise_of(call, part) + (size_t)row * noise_stride(call));
    }
}

/* ---- the tiles ------------------------------------------------------------------------ */

aim_adc aim__tile_adc(const aim__tile_call *call, const aim__tile_part *part, int tile)
{
    const aim__tile *t = &part->tile[tile];
    return (aim_adc){
        .kind = call->l->adc,
        .res = call->l->profile->tile.out_res,
        .full_scale = t->full_scale,
        .step = t->step,
        .row_factor = call->factor + (size_t)t->inputs * (size_t)call->rows,
        .largest = t->largest,
        .noise = call->noise ? noise_of(call, part) : NULL,
        .noise_stride = noise_stride(call),
        .gain = t->gain,
    };
}

void aim__tile_multiply(const aim__tile_call *call, const aim__tile_part *part, int tile,
                        aim__panel_range panels, const aim_adc *adc, const aim_output *out)
{
    const aim__tile *t = &part->tile[tile];
    const float *step = call->step + (size_t)t->inputs * (size_t)call->rows;
    if (call->noise)
        draw_all_noise(call, part, tile, panels);
    call->kernels->matmul_tile(&t->w, panels.first, panels.end, codes_of(call, t->inputs, 0),
                               (size_t)t->w.in_padded, step, call->rows, adc, out);
}

/* Where the readings of a tile go: those of the last one with the bias and the residual,
 * behind which nothing is added. */
static aim_output output_of(const aim__tile_call *call, const aim__tile_part *part, int tile)
{
    const aim_output *to = call->out;
    aim_output out = {.y = to->y + part->first_output, .ldy = to->ldy, .first = tile == 0};
    if (tile < part->tiling.tiles - 1)
        return out;
    out.bias = to->bias ? to->bias + part->first_output : NULL;
    out.residual = to->residual ? to->residual + part->first_output : NULL;
    out.ld_residual = to->ld_residual;
    return out;
}

static void multiply(void *arg, int task, int worker)
{
    (void)worker;
    const aim__tile_call *call = arg;
    for (int i = 0; i < call->l->shape.n_parts; i++) {
        const aim__tile_part *part = &call->l->part[i];
        aim__panel_range range = aim__tile_task(call, part, task);
        for (int t = 0; range.first < range.end && t < part->tiling.tiles; t++) {
            aim_adc adc = aim__tile_adc(call, part, t);
            aim_output out = output_of(call, part, t);
            aim__tile_multiply(call, part, t, range, &adc, &out);
        }
    }
}

aim__panel_range aim__tile_task(const aim__tile_call *call, const aim__tile_part *part, int task)
{
    int first = task * call->panels_a_task - part->first_panel, end = first + call->panels_a_task;
    return (aim__panel_range){first > 0 ? first : 0, end < part->n_panels ? end : part->n_panels};
}

void aim__tile_run(aim__tile_call *call, aim_pool *pool, aim_task_fn *fn, void *arg)
{
    const aim_linear *l = call->l;
    int64_t work = (int64_t)call->rows * l->shape.out * l->shape.in;
    call->panels_a_task = aim__panels_a_task(pool, l->n_panels, work);
    aim_pool_run(pool, fn, arg, (l->n_panels + call->panels_a_task - 1) / call->panels_a_task);
}

void aim__analog_multiply(const aim_linear *l, const aim_compute *c, const float *x, int rows,
                          const aim_row_noise *noise, const aim_output *out, void *scratch)
{
    (void)x;
    aim__tile_call call = aim__tile_call_of(l, c, rows, noise, out, scratch);
    aim__tile_run(&call, c->pool, multiply, &call);
}
