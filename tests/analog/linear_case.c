/* SPDX-License-Identifier: Apache-2.0 */
#include "linear_case.h"

#include "analog/converter.h"
#include "base/alloc.h"

#include <string.h>

enum { MAX_READINGS = 1 << 26 };

static const char *const CLIPS[] = {"none", "layer_gaussian", "layer_gaussian_per_channel",
                                    "learnable_per_channel"};
static const char *const QUANTISATIONS[] = {"none", "discretize", "discretize_per_channel"};

size_t linear_case_outputs(const linear_case *c)
{
    return (size_t)c->batch * (size_t)c->source.out;
}

size_t linear_case_readings(const linear_case *c)
{
    return (size_t)c->tiles * linear_case_outputs(c);
}

static int read_choices(vector_source config, aim_tile_settings *s, aim_error *err)
{
    int clip, quantisation;
    if (vector_choice(config, "clip_type", CLIPS, 4, &clip, err) ||
        vector_choice(config, "weight_quant", QUANTISATIONS, 3, &quantisation, err))
        return AIM_EFORMAT;
    s->clip = (enum aim_weight_clip)clip;
    s->adc_bound = aim_adc_bound_of_clip(s->clip);
    s->weight_quantisation = (enum aim_weight_quantisation)quantisation;
    return AIM_OK;
}

static int read_range_kind(vector_source config, aim_tile_settings *s, aim_error *err)
{
    bool enable = false, dynamic = false;
    if (aim_json_bool(config.object, "input_range_enable", true, config.what, &enable, err) ||
        aim_json_bool(config.object, "dynamic", true, config.what, &dynamic, err))
        return AIM_EFORMAT;
    s->input_range = AIM_RANGE_NONE;
    if (enable)
        s->input_range = dynamic ? AIM_RANGE_DYNAMIC : AIM_RANGE_STATIC;
    return AIM_OK;
}

static int read_numbers(vector_source config, aim_tile_settings *s, aim_error *err)
{
    const struct {
        const char *key;
        double *out;
    } numbers[] = {{"inp_res", &s->inp_res},
                   {"out_res", &s->out_res},
                   {"out_bound", &s->out_bound},
                   {"weight_quant_res", &s->weight_res}};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
        if (aim_json_number(config.object, numbers[i].key, -AIM_MAX_STEPS, AIM_MAX_STEPS, true,
                            config.what, numbers[i].out, err))
            return AIM_EFORMAT;
    return AIM_OK;
}

static int read_settings(linear_case *c, aim_error *err)
{
    vector_source config;
    if (vector_child(c->file, "config", &config, err) ||
        vector_tile_width(config, &c->settings.max_input_size, err) ||
        read_choices(config, &c->settings, err) || read_range_kind(config, &c->settings, err) ||
        read_numbers(config, &c->settings, err))
        return AIM_EFORMAT;
    return AIM_OK;
}

static int read_shape(linear_case *c, aim_error *err)
{
    if (vector_size(c->file, "batch", &c->batch, err) ||
        vector_size(c->file, "in", &c->source.in, err) ||
        vector_size(c->file, "out", &c->source.out, err))
        return AIM_EFORMAT;
    c->tiles = aim_tile_count(c->source.in, c->settings.max_input_size);
    if (linear_case_readings(c) > MAX_READINGS)
        return aim_fail(err, AIM_ETOOLARGE, "%s: more than %d readings", c->file.what,
                        MAX_READINGS);
    return vector_check_split(c->file, c->source.in, c->settings.max_input_size, err);
}

static int read_layer(linear_case *c, aim_error *err)
{
    size_t in = (size_t)c->source.in, out = (size_t)c->source.out, tiles = (size_t)c->tiles;
    if (vector_floats(c->file, "x", (size_t)c->batch * in, true, &c->x, err) ||
        vector_floats(c->file, "w", out * in, true, &c->weight, err) ||
        vector_floats(c->file, "bias", out, false, &c->bias, err))
        return (int)err->code;
    if (c->settings.input_range == AIM_RANGE_STATIC) {
        c->source.n_ranges = tiles;
        if (vector_floats(c->file, "input_range", tiles, true, &c->input_range, err))
            return (int)err->code;
    }
    if (c->settings.clip == AIM_CLIP_LEARNABLE) {
        c->source.n_clips = tiles * out;
        if (vector_floats(c->file, "learnable_weight_clip", tiles * out, true, &c->learned_clip,
                          err))
            return (int)err->code;
    }
    c->source.weight = c->weight;
    c->source.bias = c->bias;
    c->source.input_range = c->input_range;
    c->source.learned_clip = c->learned_clip;
    return AIM_OK;
}

/* The files give bounds and steps in the shape they have: one a tile, or one for
 * each row where the range is the row's, and for each channel where the bound is. */
static int spread_tile(const linear_case *c, vector_source per_tile, const char *key, int tile,
                       float *into, aim_error *err)
{
    size_t out = (size_t)c->source.out;
    bool of_rows = c->settings.input_range == AIM_RANGE_DYNAMIC;
    bool of_channels = c->settings.adc_bound == AIM_BOUND_PER_CHANNEL;
    size_t channels = of_channels ? out : 1, rows = of_rows ? (size_t)c->batch : 1;
    const json_t *values = json_array_get(json_object_get(per_tile.object, key), (size_t)tile);
    if (!json_is_array(values) || json_array_size(values) != rows * channels)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: %s[%d] must be an array of %zu numbers",
                              per_tile.what, key, tile, rows * channels);
    for (size_t i = 0; i < linear_case_outputs(c); i++) {
        size_t row = of_rows ? i / out : 0, channel = of_channels ? i % out : 0;
        into[i] = (float)json_number_value(json_array_get(values, row * channels + channel));
    }
    return AIM_OK;
}

/* *out [tiles, batch, out]; stays NULL if the file has none. */
static int read_per_tile(const linear_case *c, vector_source expect, const char *key, float **out,
                         aim_error *err)
{
    const json_t *tiles = json_object_get(expect.object, key);
    if (!tiles || json_is_null(tiles))
        return AIM_OK;
    if (json_array_size(tiles) != (size_t)c->tiles)
        return aim_fail_param(err, AIM_EFORMAT, key, "%s: \"%s\" must be an array of %d arrays",
                              expect.what, key, c->tiles);
    *out = aim_array(linear_case_readings(c), sizeof **out);
    if (!*out)
        return aim_fail_nomem(err, expect.what);
    int code = AIM_OK;
    for (int t = 0; !code && t < c->tiles; t++)
        code = spread_tile(c, expect, key, t, *out + (size_t)t * linear_case_outputs(c), err);
    return code;
}

static int read_trace(linear_case *c, vector_source expect, aim_error *err)
{
    size_t inputs = (size_t)c->batch * (size_t)c->source.in;
    if (vector_floats(expect, "dac_codes", inputs, false, &c->trace.dac_code, err) ||
        vector_floats(expect, "adc_codes", linear_case_readings(c), false, &c->trace.adc_code,
                      err) ||
        read_per_tile(c, expect, "adc_bound", &c->trace.adc_bound, err) ||
        read_per_tile(c, expect, "adc_lsb", &c->trace.adc_step, err))
        return (int)err->code;
    return AIM_OK;
}

/* Without an ADC the sum itself is compared: it is rounded once here, and the
 * simulator tells how far its own order of adding went astray. */
static int read_tolerance(linear_case *c, vector_source expect, aim_error *err)
{
    bool bit_exact = false;
    double astray = -1;
    if (aim_json_bool(expect.object, "bit_exact", true, expect.what, &bit_exact, err) ||
        aim_json_number(expect.object, "atol", 0, 1e30, true, expect.what, &c->within.absolute,
                        err) ||
        aim_json_number(expect.object, "lightning_max_abs_err_vs_f64", 0, 1e30, false, expect.what,
                        &astray, err))
        return AIM_EFORMAT;
    if (bit_exact)
        c->within = (tolerance){0, 0};
    else if (astray >= 0 && c->settings.out_res <= 0)
        c->within = (tolerance){4 * astray, 1e-6};
    return AIM_OK;
}

static int read_ties(linear_case *c, vector_source expect, aim_error *err)
{
    vector_source stats;
    int64_t ties = 0;
    if (vector_child(expect, "stats", &stats, err) ||
        aim_json_int(stats.object, "adc_exact_ties", 0, INT64_MAX, false, stats.what, &ties, err))
        return (int)err->code;
    c->has_ties = ties > 0;
    return AIM_OK;
}

static int read_expected(linear_case *c, aim_error *err)
{
    vector_source expect;
    if (vector_child(c->file, "expect", &expect, err) ||
        vector_floats(expect, "y", linear_case_outputs(c), true, &c->y, err) ||
        read_tolerance(c, expect, err) || read_trace(c, expect, err) || read_ties(c, expect, err))
        return (int)err->code;
    return AIM_OK;
}

int linear_case_read(vector_source file, linear_case *c, aim_error *err)
{
    *c = (linear_case){.file = file};
    if (read_settings(c, err) || read_shape(c, err) || read_layer(c, err) || read_expected(c, err))
        return (int)err->code;
    return AIM_OK;
}

void linear_case_free(linear_case *c)
{
    aim_free(c->x);
    aim_free(c->weight);
    aim_free(c->bias);
    aim_free(c->input_range);
    aim_free(c->learned_clip);
    aim_free(c->y);
    free_trace(&c->trace);
}

void linear_case_limit_codes(const linear_case *c, float *code)
{
    float last = rintf((float)aim_converter_steps(c->settings.out_res) / 2) + 1;
    for (size_t i = 0; i < linear_case_readings(c); i++)
        code[i] = aim_limit(code[i], last);
}

int new_trace(const linear_case *c, aim_tile_trace *trace, aim_error *err)
{
    size_t inputs = (size_t)c->batch * (size_t)c->source.in, readings = linear_case_readings(c);
    *trace = (aim_tile_trace){
        .dac_code = aim_calloc(inputs, sizeof(float)),
        .adc_input = aim_calloc(readings, sizeof(float)),
        .adc_code = aim_calloc(readings, sizeof(float)),
        .adc_bound = aim_calloc(readings, sizeof(float)),
        .adc_step = aim_calloc(readings, sizeof(float)),
    };
    if (trace->dac_code && trace->adc_input && trace->adc_code && trace->adc_bound &&
        trace->adc_step)
        return AIM_OK;
    free_trace(trace);
    return aim_fail_nomem(err, c->file.what);
}

void free_trace(aim_tile_trace *trace)
{
    aim_free(trace->dac_code);
    aim_free(trace->adc_input);
    aim_free(trace->adc_code);
    aim_free(trace->adc_bound);
    aim_free(trace->adc_step);
    *trace = (aim_tile_trace){0};
}
