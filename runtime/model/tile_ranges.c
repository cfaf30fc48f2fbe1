/* SPDX-License-Identifier: Apache-2.0 */
#include "model/tile_ranges.h"

#include "analog/tile_split.h"
#include "base/alloc.h"
#include "model/decoder_impl.h"

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

static int copy_calibrated(aim_tiling *t, const float *ranges, aim_error *err)
{
    float *copy = aim_array((size_t)t->tiles, sizeof *copy);
    if (copy)
        memcpy(copy, ranges, (size_t)t->tiles * sizeof *copy);
    return take(t, AIM_RANGES_CALIBRATED, copy, err);
}

static int make_random(aim_tiling *t, aim_error *err)
{
    float *ranges = aim_array((size_t)t->tiles, sizeof *ranges);
    for (int i = 0; ranges && i < t->tiles; i++)
        ranges[i] = RANDOM_RANGE;
    return take(t, AIM_RANGES_LEARNED, ranges, err);
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
    if (learned->shape[0] != t->tiles)
        return aim_fail(err, AIM_EFORMAT,
                        "tensor \"%s\" has %lld ranges, but profile %s cuts %d inputs into %d "
                        "tiles (max_input_size %d)",
                        learned->name, (long long)learned->shape[0], profile->name,
                        source->shape.in, t->tiles, profile->tile.max_input_size);
    float *ranges = aim__load_vector(learned, t->tiles, err);
    if (!ranges)
        return err->code;
    int code = take(t, AIM_RANGES_LEARNED, ranges, err);
    return code ? code : check_positive(learned, ranges, t->tiles, err);
}

static int find_fixed(aim_tiling *t, const aim_linear_source *source, int part, aim_error *err)
{
    const aim_chip *chip = source->chip;
    const float *calibrated = aim_input_ranges_find(chip->ranges, source->layer + part, t->tiles);
    if (calibrated)
        return copy_calibrated(t, calibrated, err);
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

void aim__tiling_fini(aim_tiling *t)
{
    aim_free((float *)t->ranges);
    *t = (aim_tiling){0};
}
