/* SPDX-License-Identifier: Apache-2.0 */
/* analog: weights programmed on a chip and held as integer conductances on its tiles,
 * inputs and outputs behind converters. analog_forward.c computes. */
#include "analog/conductances.h"
#include "analog/converter.h"
#include "base/alloc.h"
#include "model/analog_linear.h"
#include "model/backend_impl.h"
#include "model/layer_program.h"
#include "model/tile_ranges.h"

/* ---- sizes -------------------------------------------------------------------------- */

static enum aim_adc_kind adc_of(const aim_tile_settings *s)
{
    if (s->out_bound <= 0)
        return AIM_ADC_NONE;
    return s->out_res > 0 ? AIM_ADC_ROUND : AIM_ADC_LIMIT;
}

/* Which numbers are kept for each channel of a tile. */
struct channel_arrays {
    bool full_scale, step, largest, gain;
};

static struct channel_arrays arrays_of(const aim_profile *p, bool fixed_range)
{
    enum aim_adc_kind adc = adc_of(&p->tile);
    return (struct channel_arrays){
        .full_scale = fixed_range && adc != AIM_ADC_NONE,
        .step = fixed_range && adc == AIM_ADC_ROUND,
        .largest = (!fixed_range && adc != AIM_ADC_NONE) || aim_profile_reads_are_noisy(p),
        .gain = aim_layer_program_has_gain(p),
    };
}

/* Floats of them, in whole panels. */
static size_t array_floats(struct channel_arrays a, int channels)
{
    size_t arrays = (size_t)a.full_scale + a.step + a.largest + a.gain;
    return arrays * (size_t)aim__panels(channels) * AIM_PANEL;
}

static int width_of(const aim_profile *p, int in, int tile)
{
    return aim_tile_span_of(in, p->tile.max_input_size, tile).width;
}

/* All tiles of a part. */
static size_t part_bytes(const aim_profile *p, bool fixed_range, int out, int in)
{
    size_t total = 0, floats = array_floats(arrays_of(p, fixed_range), out);
    for (int t = 0; t < aim_tile_count(in, p->tile.max_input_size); t++)
        total +=
            aim_packed_bytes(out, width_of(p, in, t), p->conductance_bits) + floats * sizeof(float);
    return total;
}

size_t aim__analog_load_bytes(const aim_chip *chip, const aim_linear_shape *shape)
{
    const aim_profile *p = &chip->profile;
    bool fixed_range = p->tile.input_range == AIM_RANGE_STATIC;
    size_t total = 0;
    for (int i = 0; i < shape->n_parts; i++)
        total += part_bytes(p, fixed_range, shape->part_out[i], shape->in);
    return total;
}

size_t aim__analog_bytes(const aim_linear *l)
{
    size_t total = 0;
    for (int i = 0; i < l->shape.n_parts; i++)
        total += l->part[i].bytes;
    return total;
}

/* ---- taking room ---------------------------------------------------------------------- */

void aim__analog_free(aim_linear *l)
{
    if (!l)
        return;
    for (int i = 0; i < AIM_MAX_PARTS; i++) {
        aim__tile_part *part = &l->part[i];
        aim_big_free(part->memory, part->bytes);
        aim_free(part->tile);
        aim__tiling_fini(&part->tiling);
    }
    aim_free(l->inputs);
    aim_free(l);
}

/* The next n floats of a piece, if they are wanted. */
static float *next_array(float **piece, bool wanted, size_t n)
{
    float *array = *piece;
    *piece += wanted ? n : 0;
    return wanted ? array : NULL;
}

/* Conductances at `memory`, and behind them the numbers of channels. */
static int place_tile(const aim_linear *l, aim__tile *tile, struct channel_arrays a, int out,
                      int width, unsigned char *memory, aim_error *err)
{
    int bits = l->profile->conductance_bits;
    float *at = (float *)(void *)(memory + aim_packed_bytes(out, width, bits));
    size_t n = (size_t)aim__panels(out) * AIM_PANEL;
    tile->full_scale = next_array(&at, a.full_scale, n);
    tile->step = next_array(&at, a.step, n);
    tile->largest = next_array(&at, a.largest, n);
    tile->gain = next_array(&at, a.gain, n);
    return aim_packed_place(&tile->w, out, width, bits, memory, err);
}

/* The tiles of a part lie together: they are read one after the other. */
static int place_tiles(const aim_linear *l, aim__tile_part *part, int out, aim_error *err)
{
    const aim_profile *p = l->profile;
    struct channel_arrays arrays = arrays_of(p, part->tiling.ranges != NULL);
    unsigned char *at = part->memory;
    int code = AIM_OK;
    for (int t = 0; t < part->tiling.tiles && !code; t++) {
        int width = width_of(p, l->shape.in, t);
        code = place_tile(l, &part->tile[t], arrays, out, width, at, err);
        at += aim_packed_bytes(out, width, p->conductance_bits) +
              array_floats(arrays, out) * sizeof(float);
    }
    return code;
}

static int reserve_part(aim_linear *l, const aim_linear_source *source, int index, aim_error *err)
{
    aim__tile_part *part = &l->part[index];
    int out = l->shape.part_out[index], code = aim__tiling_init(&part->tiling, source, index, err);
    if (code)
        return code;
    part->bytes = part_bytes(l->profile, part->tiling.ranges != NULL, out, l->shape.in);
    part->memory = aim_big_alloc(part->bytes);
    part->tile = aim_calloc((size_t)part->tiling.tiles, sizeof *part->tile);
    if (!part->memory || !part->tile)
        return aim_fail_nomem(err, "tiles");
    return place_tiles(l, part, out, err);
}

/* Inputs of a tile with this range (0: dynamic): those of another part, if that has the
 * same. */
static int find_inputs(aim_linear *l, aim_tile_span span, float range)
{
    int i = 0;
    while (i < l->n_inputs &&
           (l->inputs[i].span.first != span.first || l->inputs[i].range != range))
        i++;
    if (i < l->n_inputs)
        return i;
    aim__tile_inputs *in = &l->inputs[l->n_inputs++];
    *in = (aim__tile_inputs){.span = span,
                             .range = range,
                             .step = aim_converter_step(l->profile->tile.inp_res, range),
                             .padded = (int)aim_packed_row_bytes(span.width),
                             .codes_before = l->row_codes};
    l->row_codes += (size_t)in->padded;
    return i;
}

static int list_inputs(aim_linear *l, aim_error *err)
{
    int tiles = l->part[0].tiling.tiles;
    l->inputs = aim_calloc((size_t)tiles * (size_t)l->shape.n_parts, sizeof *l->inputs);
    if (!l->inputs)
        return aim_fail_nomem(err, "inputs of tiles");
    for (int t = 0; t < tiles; t++)
        for (int i = 0; i < l->shape.n_parts; i++) {
            aim__tile_part *part = &l->part[i];
            aim_tile_span span = aim_tile_span_of(l->shape.in, l->profile->tile.max_input_size, t);
            part->tile[t].inputs =
                find_inputs(l, span, part->tiling.ranges ? part->tiling.ranges[t] : 0.0f);
        }
    return AIM_OK;
}

static int reserve(aim_linear *l, const aim_linear_source *source, aim_error *err)
{
    l->chip = source->chip;
    l->profile = &source->chip->profile;
    l->shape = source->shape;
    l->layer = source->layer;
    l->adc = adc_of(&l->profile->tile);
    int code = aim_tile_settings_check_integer(&l->profile->tile, err);
    int outputs = 0;
    for (int i = 0; i < l->shape.n_parts && !code; i++) {
        aim__tile_part *part = &l->part[i];
        part->first_output = outputs;
        part->first_panel = l->n_panels;
        part->n_panels = aim__panels(l->shape.part_out[i]);
        outputs += l->shape.part_out[i];
        l->n_panels += part->n_panels;
        code = reserve_part(l, source, i, err);
    }
    return code ? code : list_inputs(l, err);
}

/* ---- programming ---------------------------------------------------------------------- */

/* scratch: the planes of the widest tile, one behind the other. */
static void hold_channel(void *arg, int part, int channel, const float *now, void *scratch)
{
    const aim_linear *l = arg;
    for (int t = 0; t < l->part[part].tiling.tiles; t++) {
        aim__tile *tile = &l->part[part].tile[t];
        const float *weight = now + l->inputs[tile->inputs].span.first;
        int8_t *low = scratch, *high = tile->w.bits == 16 ? low + tile->w.in : NULL;
        float step;
        if (tile->w.bits == 4)
            aim_round_to_4_bits(weight, tile->w.in, low, &step);
        else
            aim_conductance_codes(weight, tile->w.in, low, high, &step);
        if (high)
            aim_packed_set_channel(&tile->w, channel, 0, high);
        aim_packed_set_channel(&tile->w, channel, high != NULL, low);
        aim_packed_set_scale(&tile->w, channel, step);
    }
}

/* largest, gain [out]: of the tile's channels, gain or NULL. */
static void set_converters(const aim_linear *l, aim__tile *tile, const float *largest,
                           const float *gain)
{
    const aim_tile_settings *s = &l->profile->tile;
    float range = l->inputs[tile->inputs].range;
    for (int c = 0; c < tile->w.out; c++) {
        float full_scale = aim_adc_full_scale(range, s->out_bound, largest[c]);
        if (tile->full_scale)
            tile->full_scale[c] = full_scale;
        if (tile->step)
            tile->step[c] = aim_converter_step(s->out_res, full_scale);
        if (tile->largest)
            tile->largest[c] = largest[c];
        if (tile->gain)
            tile->gain[c] = gain ? gain[c] : 1.0f;
    }
}

static void set_all_converters(aim_linear *l, const aim__layer_program *programs)
{
    for (int i = 0; i < l->shape.n_parts; i++) {
        const aim_layer_program *p = &programs->part[i];
        for (int t = 0; t < p->tiles; t++) {
            size_t at = (size_t)t * (size_t)p->out;
            set_converters(l, &l->part[i].tile[t], p->largest + at, p->gain ? p->gain + at : NULL);
        }
    }
}

static int program(aim_linear *l, const aim_linear_source *source, const aim_compute *c,
                   aim_error *err)
{
    aim__layer_program programs;
    aim__weight_holder holder = {hold_channel, l, AIM_MAX_PLANES * (size_t)l->inputs[0].span.width};
    int code = aim__layer_program_run(&programs, source, c, &holder, err);
    for (int i = 0; i < l->shape.n_parts && !code; i++)
        code = aim__tiling_check(&l->part[i].tiling, source, i, programs.part[i].largest, err);
    if (!code)
        set_all_converters(l, &programs);
    aim__layer_program_fini(&programs);
    return code;
}

aim_linear *aim__analog_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    aim_linear *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "analog layer");
        return NULL;
    }
    if (reserve(l, source, err) || program(l, source, c, err)) {
        aim__analog_free(l);
        return NULL;
    }
    return l;
}

/* ---- the row of the table --------------------------------------------------------------- */

aim_tiling aim__analog_tiling(const aim_linear *l, int part)
{
    return l->part[part].tiling;
}

const aim_backend aim__backend_analog = {
    .name = "analog",
    .kv_bf16 = true,
    .on_tiles = true,
    .analog = true,
    .load = aim__analog_load,
    .free = aim__analog_free,
    .bytes = aim__analog_bytes,
    .load_bytes = aim__analog_load_bytes,
    .scratch = aim__tile_scratch,
    .convert_row = aim__analog_convert_row,
    .multiply = aim__analog_multiply,
    .tiling = aim__analog_tiling,
    .count_limits = aim__analog_count_limits,
};
