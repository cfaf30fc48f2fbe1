/* SPDX-License-Identifier: Apache-2.0 */
/* weight_vectors.c - vectors of what happens to weights before they are on a
 * tile, and of the split into tiles. */
#include "tally.h"

#include "analog/conductances.h"
#include "analog/tile_settings.h"
#include "analog/tiled_linear.h"
#include "analog/tile_weights.h"
#include "base/alloc.h"

#include <stdio.h>

typedef int run_case_fn(vector_source from, tally *t, aim_error *err);

static int run_cases(vector_source file, run_case_fn *run, tally *t, aim_error *err)
{
    const json_t *cases, *one;
    size_t i;
    int code = vector_cases(file, &cases, err);
    if (code)
        return code;
    json_array_foreach(cases, i, one)
    {
        char what[256];
        snprintf(what, sizeof what, "%s case %zu", file.what, i);
        code = run((vector_source){one, what}, t, err);
        if (code)
            return code;
        t->cases++;
    }
    return AIM_OK;
}

/* A matrix [out, in] and what it should become. */
struct weight_case {
    int out, in;
    float *weight, *expected;
};

static int read_weights(vector_source from, const char *expected, struct weight_case *c,
                        aim_error *err)
{
    *c = (struct weight_case){0};
    if (vector_size(from, "out", &c->out, err) || vector_size(from, "in", &c->in, err))
        return AIM_EFORMAT;
    size_t n = (size_t)c->out * (size_t)c->in;
    if (vector_floats(from, "w", n, true, &c->weight, err) ||
        vector_floats(from, expected, n, true, &c->expected, err))
        return AIM_EFORMAT;
    return AIM_OK;
}

static void free_weights(struct weight_case *c)
{
    aim_free(c->weight);
    aim_free(c->expected);
}

static void compare_weights(vector_source from, const char *name, const float *got,
                            const struct weight_case *c, double relative, tally *t)
{
    size_t n = (size_t)c->out * (size_t)c->in;
    tally_compare(t, from, name, got, c->expected, n, (tolerance){0, relative});
    t->outputs += (long)n;
}

static const char *const CLIPS[] = {"none", "layer_gaussian", "layer_gaussian_per_channel"};
static const char *const QUANTISATIONS[] = {"none", "discretize", "discretize_per_channel"};

static int clip_case(vector_source from, tally *t, aim_error *err)
{
    struct weight_case c;
    int clip;
    double sigma = 0, relative = 0;
    int code = read_weights(from, "w_clipped", &c, err);
    if (!code)
        code = vector_choice(from, "clip_type", CLIPS, 3, &clip, err);
    if (!code)
        code = aim_json_number(from.object, "sigma", -1e6, 1e6, true, from.what, &sigma, err);
    if (!code)
        code = aim_json_number(from.object, "rtol", 0, 1e-3, true, from.what, &relative, err);
    if (!code && clip != AIM_CLIP_NONE)
        code = aim_clip_gaussian(c.weight, c.out, c.in, clip == AIM_CLIP_GAUSSIAN_PER_CHANNEL,
                                 sigma, err);
    if (!code)
        compare_weights(from, "w_clipped", c.weight, &c, relative, t);
    free_weights(&c);
    return code;
}

/* The rows of a matrix, tile by tile, as the backend int4 holds them. */
static int round_to_4_bits(const struct weight_case *c, int max_input_size, float *rounded,
                           aim_error *err)
{
    int8_t *codes = aim_malloc((size_t)c->in);
    if (!codes)
        return aim_fail_nomem(err, "codes");
    for (int o = 0; o < c->out; o++)
        for (int t = 0; t < aim_tile_count(c->in, max_input_size); t++) {
            aim_tile_span span = aim_tile_span_of(c->in, max_input_size, t);
            size_t first = (size_t)o * (size_t)c->in + (size_t)span.first;
            float step;
            aim_round_to_4_bits(c->weight + first, span.width, codes, &step);
            for (int j = 0; j < span.width; j++)
                rounded[first + (size_t)j] = (float)codes[j] * step;
        }
    aim_free(codes);
    return AIM_OK;
}

static int compare_four_bits(vector_source from, const struct weight_case *c,
                             const aim_tile_settings *s, tally *t, aim_error *err)
{
    size_t n = (size_t)c->out * (size_t)c->in;
    if (!rounds_to_4_bits(s, c->weight, n))
        return AIM_OK;
    float *rounded = aim_array(n, sizeof *rounded);
    int code = rounded ? round_to_4_bits(c, s->max_input_size, rounded, err)
                       : aim_fail_nomem(err, from.what);
    if (!code)
        compare_weights(from, "w_quantized", rounded, c, 0, t);
    aim_free(rounded);
    t->four_bits++;
    return code;
}

/* Through a whole layer, as a model's weights go. */
static int quantise(vector_source from, const struct weight_case *c, const aim_tile_settings *s,
                    tally *t, aim_error *err)
{
    aim_layer_source source = {.out = c->out, .in = c->in, .weight = c->weight};
    aim_tiled_linear *l = aim_tiled_linear_new(s, &source, err);
    if (!l)
        return (int)err->code;
    compare_weights(from, "w_quantized", l->weight, c, 0, t);
    aim_tiled_linear_free(l);
    return AIM_OK;
}

static int quantise_case(vector_source from, tally *t, aim_error *err)
{
    struct weight_case c;
    aim_tile_settings s = {0};
    int quantisation;
    int code = read_weights(from, "w_quantized", &c, err);
    if (!code)
        code = vector_tile_width(from, &s.max_input_size, err);
    if (!code)
        code = vector_check_split(from, c.in, s.max_input_size, err);
    if (!code)
        code = vector_choice(from, "weight_quant", QUANTISATIONS, 3, &quantisation, err);
    if (!code)
        code = aim_json_number(from.object, "weight_quant_res", 0, AIM_MAX_STEPS, true, from.what,
                               &s.weight_res, err);
    if (!code) {
        s.weight_quantisation = (enum aim_weight_quantisation)quantisation;
        code = quantise(from, &c, &s, t, err);
    }
    if (!code)
        code = compare_four_bits(from, &c, &s, t, err);
    free_weights(&c);
    return code;
}

static int split_case(vector_source from, tally *t, aim_error *err)
{
    int in, max_input_size;
    if (vector_size(from, "size", &in, err) || vector_tile_width(from, &max_input_size, err))
        return AIM_EFORMAT;
    aim_error wrong = {0};
    if (vector_check_split(from, in, max_input_size, &wrong)) {
        printf("%s\n", wrong.text);
        t->mismatches++;
    }
    t->outputs += aim_tile_count(in, max_input_size);
    return AIM_OK;
}

int run_clip_weights(vector_source file, tally *t, aim_error *err)
{
    return run_cases(file, clip_case, t, err);
}

int run_quantise_weights(vector_source file, tally *t, aim_error *err)
{
    return run_cases(file, quantise_case, t, err);
}

int run_split_sizes(vector_source file, tally *t, aim_error *err)
{
    return run_cases(file, split_case, t, err);
}
