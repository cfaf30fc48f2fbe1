/* SPDX-License-Identifier: Apache-2.0 */
/* tile_reference.h - what a linear layer on tiles must compute, by the evaluators of
 * runtime/analog: profiles of every kind, and one layer of three parts. */
#ifndef AIM_TESTS_UNIT_TILE_REFERENCE_H
#define AIM_TESTS_UNIT_TILE_REFERENCE_H

#include "analog/conductances.h"
#include "analog/converter.h"
#include "analog/exact_linear.h"
#include "analog/integer_linear.h"
#include "analog/program.h"
#include "analog/read_noise.h"
#include "base/alloc.h"
#include "base/rng.h"
#include "model/weight_rows.h"
#include "tests/unit/device_constants.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* Three parts; neither they nor their tiles fill panels. */
enum { IN = 210, OUT = 103, ROWS = 6, ZERO_ROW = 3, NAN_ROW = 4, FIRST_LAYER = 8, MAX_TILES = 4 };
static const aim_linear_shape SHAPE = {OUT, IN, 3, {37, 16, 50}};
static const uint64_t WEIGHTS = 11; /* seed */

/* ---- profiles ------------------------------------------------------------------ */

static const struct layer_case {
    const char *name;
    int max_input_size;
    enum aim_input_range range;
    double out_res, out_bound;
    enum aim_adc_bound bound;
    int bits;
    enum aim_programming programming;
    enum aim_drift_compensation compensation;
    enum aim_read_noise noise;
} cases[] = {
    {"dynamic, no ADC, 8 bits", -1, AIM_RANGE_DYNAMIC, 0, 0, AIM_BOUND_PER_TILE, 8,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"dynamic, tiles, 16 bits", 64, AIM_RANGE_DYNAMIC, 254, 6, AIM_BOUND_PER_CHANNEL, 16,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"dynamic, bound per tile", 64, AIM_RANGE_DYNAMIC, 1.0 / 254, 4, AIM_BOUND_PER_TILE, 8,
     AIM_PROGRAMMING_GAUSSIAN, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"static, one tile", -1, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 16,
     AIM_PROGRAMMING_PCM, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"static, tiles, 8 bits", 64, AIM_RANGE_STATIC, 30, 3, AIM_BOUND_PER_TILE, 8,
     AIM_PROGRAMMING_PCM, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"static, limited but not rounded", 64, AIM_RANGE_STATIC, 0, 2, AIM_BOUND_PER_CHANNEL, 16,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"dynamic, limited but not rounded", 64, AIM_RANGE_DYNAMIC, 0, 2, AIM_BOUND_PER_TILE, 16,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"drift", 64, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 16, AIM_PROGRAMMING_DEVICES,
     AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"drift, compensated", 64, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 16,
     AIM_PROGRAMMING_DEVICES, AIM_COMPENSATION_GLOBAL, AIM_READ_NOISE_NONE},
    {"drift, compensated per channel", 64, AIM_RANGE_DYNAMIC, 254, 5, AIM_BOUND_PER_TILE, 8,
     AIM_PROGRAMMING_DEVICES, AIM_COMPENSATION_PER_CHANNEL, AIM_READ_NOISE_NONE},
    {"digital", -1, AIM_RANGE_DYNAMIC, 0, 0, AIM_BOUND_PER_TILE, 4, AIM_PROGRAMMING_EXACT,
     AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"digital, static, tiles", 64, AIM_RANGE_STATIC, 0, 0, AIM_BOUND_PER_TILE, 4,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"digital, static, ADC", 64, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 4,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_NONE},
    {"noise by range", 64, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 16, AIM_PROGRAMMING_PCM,
     AIM_COMPENSATION_NONE, AIM_READ_NOISE_OUTPUT},
    {"noise by inputs", -1, AIM_RANGE_DYNAMIC, 254, 5, AIM_BOUND_PER_TILE, 8, AIM_PROGRAMMING_EXACT,
     AIM_COMPENSATION_NONE, AIM_READ_NOISE_INPUT},
    {"noise by weights, no ADC", 64, AIM_RANGE_DYNAMIC, 0, 0, AIM_BOUND_PER_CHANNEL, 16,
     AIM_PROGRAMMING_EXACT, AIM_COMPENSATION_NONE, AIM_READ_NOISE_WEIGHTS},
    {"noise by weights, 8 bits, drift", 64, AIM_RANGE_STATIC, 254, 5, AIM_BOUND_PER_CHANNEL, 8,
     AIM_PROGRAMMING_DEVICES, AIM_COMPENSATION_PER_CHANNEL, AIM_READ_NOISE_WEIGHTS},
};

static inline aim_chip chip_of(const struct layer_case *c)
{
    return (aim_chip){
        .profile = {.name = "test",
                    .tile = {.max_input_size = c->max_input_size,
                             .input_range = c->range,
                             .inp_res = 254,
                             .out_res = c->out_res,
                             .out_bound = c->out_bound,
                             .adc_bound = c->bound},
                    .conductance_bits = c->bits,
                    .on_tiles = AIM_ON_TILES_ATTENTION,
                    .programming = c->programming,
                    .gaussian_share = 0.05f,
                    .pcm = AFM_PCM,
                    .device = PCM_LIKE,
                    .drift = true,
                    .compensation = c->compensation,
                    .read_noise = c->noise,
                    .read_noise_share = c->noise ? 0.05f : 0.0f},
        .seed = 5,
        .age = 86400,
    };
}

/* Ranges that cut off some inputs. Parts 0 and 2 have the same, but for one tile. */
static inline aim_input_ranges_set *some_ranges(int tiles)
{
    aim_input_ranges_set *set = aim_calloc(1, sizeof *set);
    for (int part = 0; part < SHAPE.n_parts; part++) {
        float *range = aim_input_ranges_add(set, FIRST_LAYER + part, tiles);
        for (int t = 0; t < tiles; t++)
            range[t] = 1.25f + 0.25f * (float)t + (part == 1 ? 0.125f : 0.0f);
        if (part == 2)
            range[tiles - 1] = 2.5f;
    }
    return set;
}

/* ---- inputs ------------------------------------------------------------------------- */

static float inputs[ROWS * IN];

static inline void make_inputs(void)
{
    for (int i = 0; i < ROWS * IN; i++) {
        aim_rng_block block = aim_rng_draw(3, AIM_STREAM_WEIGHTS, (uint64_t)i, 0);
        inputs[i] = ((float)(block.v[0] >> 8) / (float)(1 << 23) - 1.0f) * 2.2f;
    }
    memset(inputs + ZERO_ROW * IN, 0, IN * sizeof *inputs);
    inputs[NAN_ROW * IN + IN - 1] = NAN; /* on the last tile */
}

static const aim_row_noise row_noise[ROWS] = {{1, 0}, {1, 1}, {2, 1}, {1, 7}, {3, 0}, {9, 100}};

/* ---- the reference -------------------------------------------------------------------- */

/* A part with its programmed weights, as the evaluators take it. */
struct part {
    aim_tiled_linear l;
    int layer, first_output;
};

static inline void program_part(struct part *p, const aim_chip *chip, int index)
{
    aim_weight_rows rows = {.rows = OUT, .in = IN, .seed = WEIGHTS};
    aim_layer_program program;
    int out = SHAPE.part_out[index];
    *p = (struct part){.layer = FIRST_LAYER + index};
    for (int i = 0; i < index; i++)
        p->first_output += SHAPE.part_out[i];
    ck_assert_int_eq(aim_layer_program_init(&program, chip, p->layer, out, IN, NULL), AIM_OK);
    ck_assert(!aim_layer_program_needs_survey(&program));
    float *weight = malloc((size_t)out * IN * sizeof *weight);
    float *scratch = malloc(aim_layer_program_scratch(&program) * sizeof *scratch);
    for (int o = 0; o < out; o++) {
        float *row = weight + (size_t)o * IN;
        aim__weight_row(&rows, p->first_output + o, row);
        aim_layer_program_channel(&program, o, row, row, scratch);
    }
    aim_layer_program_end(&program);
    free(scratch);
    p->l = (aim_tiled_linear){.settings = chip->profile.tile,
                              .out = out,
                              .in = IN,
                              .tiles = program.tiles,
                              .weight = weight,
                              .largest = program.largest,
                              .gain = program.gain};
    const aim_layer_ranges *ranges = aim_input_ranges_find(chip->ranges, p->layer);
    p->l.input_range = ranges ? ranges->range : NULL;
    program.largest = program.gain = NULL;
    aim_layer_program_fini(&program);
}

static inline void free_part(struct part *p)
{
    free(p->l.weight);
    aim_free(p->l.largest);
    aim_free(p->l.gain);
}

/* The sums [out] of one row on a layer of one tile without ADC, and sum_j |w_j| x_j^2
 * of each; codes [width] of the inputs. */
static inline void sums_and_spread(const aim_tiled_linear *l, int bits, const float *x, float *sum,
                                   float *spread, int8_t *codes, float *step)
{
    float dac[IN], scratch[3 * IN + 3 * OUT + 64];
    aim_tile_trace trace = {.dac_code = dac};
    float range = l->input_range ? l->input_range[0] : aim_max_abs(x, l->in);
    if (bits) {
        aim_integer_linear *integer = aim_integer_linear_new(l, bits, NULL);
        aim_integer_forward(integer, x, 1, sum, scratch, &trace);
        aim_integer_linear_free(integer);
    } else {
        aim_exact_forward(l, x, 1, sum, scratch, &trace);
    }
    *step = aim_converter_step(l->settings.inp_res, range);
    for (int j = 0; j < l->in; j++) {
        *step = isnan(dac[j]) ? NAN : *step;
        codes[j] = isnan(dac[j]) ? 0 : (int8_t)dac[j];
    }
    for (int o = 0; o < l->out; o++) {
        const float *weight = l->weight + (size_t)o * (size_t)l->in;
        int8_t low[IN], high[IN];
        float weight_step;
        int64_t whole = 0;
        double part = 0;
        aim_conductance_codes(weight, l->in, low, bits == 8 ? NULL : high, &weight_step);
        for (int j = 0; j < l->in; j++) {
            int code = low[j] + (bits == 8 ? 0 : 256 * high[j]);
            float value = dac[j] * *step;
            whole += (int64_t)abs(code) * codes[j] * codes[j];
            part += fabs((double)weight[j]) * (double)value * (double)value;
        }
        spread[o] = bits ? (float)whole * weight_step * (*step * *step) : (float)part;
    }
}

/* One tile as a layer of its own. */
static inline aim_tiled_linear tile_alone(const aim_tiled_linear *l, int tile, float *weight)
{
    aim_tile_span span = aim_tiled_linear_span(l, tile);
    aim_tiled_linear alone = *l;
    for (int o = 0; o < l->out; o++)
        memcpy(weight + (size_t)o * (size_t)span.width, l->weight + (size_t)o * IN + span.first,
               (size_t)span.width * sizeof *weight);
    alone.settings.max_input_size = -1;
    alone.settings.out_bound = alone.settings.out_res = 0;
    alone.in = span.width;
    alone.tiles = 1;
    alone.weight = weight;
    alone.gain = NULL;
    alone.input_range = l->input_range ? l->input_range + tile : NULL;
    return alone;
}

/* y [out] += one tile's readings of a row with noise. bits 0: exact weights. */
static inline void read_noisy_tile(const struct part *p, const aim_profile *profile, int bits,
                                   int tile, const float *x, const aim_row_noise *noise, float *y)
{
    static float weight[OUT * IN];
    float sum[OUT], spread[OUT], z[OUT];
    int8_t codes[IN];
    aim_tiled_linear l = tile_alone(&p->l, tile, weight);
    const float *largest = p->l.largest + (size_t)tile * (size_t)l.out;
    aim_tile_drive drive = {.layer = p->layer, .tile = tile, .codes = codes, .width = l.in};
    drive.range = l.input_range ? l.input_range[0] : aim_max_abs(x, l.in);
    sums_and_spread(&l, bits, x, sum, spread, codes, &drive.step);
    aim_read_noise_add(profile, noise, &drive, 0, l.out, largest, spread, sum, z);
    for (int o = 0; o < l.out; o++) {
        float gain = p->l.gain ? p->l.gain[(size_t)tile * (size_t)l.out + (size_t)o] : 1.0f;
        if (profile->tile.out_bound > 0) {
            float bound = aim_adc_full_scale(drive.range, profile->tile.out_bound, largest[o]);
            float step = aim_converter_step(profile->tile.out_res, bound);
            sum[o] = aim_adc_value(aim_converter_code(sum[o], step), step, bound);
        }
        y[o] += sum[o] * gain;
    }
}

/* y [ROWS, OUT]; bits 0: exact weights. */
static inline void reference(const aim_chip *chip, int bits, const aim_row_noise *noise, float *y)
{
    static float scratch[8 * IN + 8 * OUT], part_y[ROWS * OUT];
    for (int i = 0; i < SHAPE.n_parts; i++) {
        struct part p;
        program_part(&p, chip, i);
        memset(part_y, 0, sizeof part_y);
        if (noise) {
            for (int r = 0; r < ROWS; r++)
                for (int t = 0; t < p.l.tiles; t++)
                    read_noisy_tile(&p, &chip->profile, bits, t,
                                    inputs + r * IN + aim_tiled_linear_span(&p.l, t).first,
                                    &noise[r], part_y + r * p.l.out);
        } else if (bits) {
            aim_integer_linear *integer = aim_integer_linear_new(&p.l, bits, NULL);
            aim_integer_forward(integer, inputs, ROWS, part_y, scratch, NULL);
            aim_integer_linear_free(integer);
        } else {
            aim_exact_forward(&p.l, inputs, ROWS, part_y, scratch, NULL);
        }
        for (int r = 0; r < ROWS; r++)
            memcpy(y + r * OUT + p.first_output, part_y + r * p.l.out, (size_t)p.l.out * sizeof *y);
        free_part(&p);
    }
}

#endif
