/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tile_ranges.h"

#include "analog/converter.h"
#include "analog/tile_split.h"
#include "base/alloc.h"
#include "model/decoder_impl.h"

#include <math.h>
#include <string.h>

/* Of random weights: four standard deviations of inputs behind a norm. */
static const float RANDOM_RANGE = 4.0f;

static int take(aim_tiling *t, enum aim_range_source source, float *ranges, aim_error *err)
{
    if (!ranges)
        return aim_fail_nomem(err, "input ranges");
    t->source = source;
    t->ranges = ranges;
    return AIM_OK;
}

/* What errors call the weights of a part. */
static const char *weights_name(const aim_linear_source *source, int part)
{
    return source->parts ? source->parts[part].weight->name : "random weights";
}

static int copy_calibrated(aim_tiling *t, const aim_linear_source *source, int part,
                           const aim_layer_ranges *ranges, aim_error *err)
{
    const aim_profile *profile = &source->chip->profile;
    if (ranges->tiles != t->tiles)
        return aim_fail(err, AIM_EINVAL,
                        "calibrated ranges of linear layer %d (%s) are for %d tiles, but profile "
                        "%s cuts %d inputs into %d (max_input_size %d)",
                        ranges->layer, weights_name(source, part), ranges->tiles, profile->name,
                        source->shape.in, t->tiles, profile->tile.max_input_size);
    float *copy = aim_array((size_t)t->tiles, sizeof *copy);
    if (copy)
        memcpy(copy, ranges->range, (size_t)t->tiles * sizeof *copy);
    return take(t, AIM_RANGES_CALIBRATED, copy, err);
}

/* The same range n times; NULL when out of memory. */
static float *repeat(float range, int n)
{
    float *ranges = aim_array((size_t)n, sizeof *ranges);
    for (int i = 0; ranges && i < n; i++)
        ranges[i] = range;
    return ranges;
}

static int make_random(aim_tiling *t, aim_error *err)
{
    return take(t, AIM_RANGES_LEARNED, repeat(RANDOM_RANGE, t->tiles), err);
}

/* A range of 0 is what training starts from: this layer never saw any data. */
static int check_positive(const aim_tensor *t, const float *ranges, int tiles, aim_error *err)
{
    for (int i = 0; i < tiles; i++)
        if (!(ranges[i] > 0))
            return aim_fail(err, AIM_EFORMAT, "tensor \"%s\": range %d is %g, must be above 0",
                            t->name, i, (double)ranges[i]);
    return AIM_OK;
}

static int load_learned(aim_tiling *t, const aim_linear_source *source, const aim_tensor *learned,
                        aim_error *err)
{
    const aim_profile *profile = &source->chip->profile;
    int n = learned->shape[0] == 1 ? 1 : t->tiles;
    if (learned->shape[0] != n)
        return aim_fail(err, AIM_EFORMAT,
                        "tensor \"%s\" has %lld ranges, but profile %s cuts %d inputs into %d "
                        "tiles (max_input_size %d)",
                        learned->name, (long long)learned->shape[0], profile->name,
                        source->shape.in, t->tiles, profile->tile.max_input_size);
    float *ranges = aim__load_vector(learned, n, err);
    if (!ranges)
        return err->code;
    if (n < t->tiles) {
        float range = ranges[0];
        aim_free(ranges);
        ranges = repeat(range, t->tiles);
    }
    int code = take(t, AIM_RANGES_LEARNED, ranges, err);
    return code ? code : check_positive(learned, ranges, t->tiles, err);
}

static int find_fixed(aim_tiling *t, const aim_linear_source *source, int part, aim_error *err)
{
    const aim_chip *chip = source->chip;
    const aim_layer_ranges *calibrated = aim_input_ranges_find(chip->ranges, source->layer + part);
    if (calibrated)
        return copy_calibrated(t, source, part, calibrated, err);
    if (!source->parts)
        return make_random(t, err);
    if (source->parts[part].input_range)
        return load_learned(t, source, source->parts[part].input_range, err);
    t->source = AIM_RANGES_DYNAMIC;
    t->fallback = true;
    return AIM_OK;
}

int aim__tiling_init(aim_tiling *t, const aim_linear_source *source, int part, aim_error *err)
{
    const aim_tile_settings *settings = &source->chip->profile.tile;
    *t = (aim_tiling){.tiles = aim_tile_count(source->shape.in, settings->max_input_size)};
    switch (settings->input_range) {
    case AIM_RANGE_STATIC:
        return find_fixed(t, source, part, err);
    case AIM_RANGE_DYNAMIC:
        t->source = AIM_RANGES_DYNAMIC;
        break;
    case AIM_RANGE_NONE:
        break;
    }
    return AIM_OK;
}

/* A step is made from twice the bound of its converter. Without an ADC it is a code
 * times a weight that must not overflow. */
static bool overflows(const aim_tile_settings *s, float range, float largest)
{
    float bound = s->out_bound > 1 ? (float)s->out_bound : 1.0f;
    return isinf(2.0f * range) || isinf(2.0f * aim_adc_full_scale(range, (double)bound, largest));
}

int aim__tiling_check(const aim_tiling *t, const aim_linear_source *source, int part,
                      const float *largest, aim_error *err)
{
    const aim_tile_settings *settings = &source->chip->profile.tile;
    int out = source->shape.part_out[part];
    for (int tile = 0; t->ranges && tile < t->tiles; tile++) {
        float most = aim_max_abs(largest + (size_t)tile * (size_t)out, out);
        if (overflows(settings, t->ranges[tile], most))
            return aim_fail(err, AIM_EINVAL,
                            "input range %d of linear layer %d (%s) is %g: too large for "
                            "converters behind weights up to %g",
                            tile, source->layer + part, weights_name(source, part),
                            (double)t->ranges[tile], (double)most);
    }
    return AIM_OK;
}

void aim__tiling_fini(aim_tiling *t)
{
    aim_free((float *)t->ranges);
    *t = (aim_tiling){0};
}
