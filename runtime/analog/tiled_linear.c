/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/tiled_linear.h"

#include "analog/tile_weights.h"
#include "base/alloc.h"

#include <math.h>
#include <string.h>

static int check_count(const char *name, size_t count, size_t wanted, aim_error *err)
{
    if (count == wanted)
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, name, "%s has %zu values, the tiles need %zu", name,
                          count, wanted);
}

static int check_values(const char *name, const float *v, size_t n, aim_error *err)
{
    for (size_t i = 0; i < n; i++)
        if (!(v[i] >= 0.0f && isfinite(v[i])))
            return aim_fail_param(err, AIM_EINVAL, name,
                                  "%s: value %zu is %g, must be finite and not negative", name, i,
                                  (double)v[i]);
    return AIM_OK;
}

static int check_shape(const aim_layer_source *source, aim_error *err)
{
    size_t elements;
    if (source->out < 1 || source->in < 1 ||
        !aim_mul((size_t)source->out, (size_t)source->in, &elements))
        return aim_fail(err, AIM_EINVAL,
                        "a layer of %d outputs and %d inputs cannot be put on tiles", source->out,
                        source->in);
    return AIM_OK;
}

static int check_source(const aim_tile_settings *s, const aim_layer_source *source, aim_error *err)
{
    if (aim_tile_settings_check(s, err) || check_shape(source, err))
        return AIM_EINVAL;
    size_t tiles = (size_t)aim_tile_count(source->in, s->max_input_size);
    size_t ranges = s->input_range == AIM_RANGE_STATIC ? tiles : 0;
    size_t clips = s->clip == AIM_CLIP_LEARNABLE ? tiles * (size_t)source->out : 0;
    if (check_count("input_range", source->n_ranges, ranges, err) ||
        check_count("learned_clip", source->n_clips, clips, err) ||
        check_values("input_range", source->input_range, ranges, err) ||
        check_values("learned_clip", source->learned_clip, clips, err))
        return AIM_EINVAL;
    return AIM_OK;
}

/* The largest magnitude a weight of each channel [out] may have on the tile. */
static void weight_limits(const aim_weight_window *w, const float *clip, bool per_channel,
                          float *limit)
{
    if (clip)
        memcpy(limit, clip, (size_t)w->out * sizeof *limit);
    else
        aim_largest_weights(w, per_channel, limit);
}

/* The ADC's bound comes from the weights before they are quantised.
 * limit [out]: scratch. */
static void prepare_tile(aim_tiled_linear *l, int tile, const float *clip, float *limit)
{
    aim_tile_span span = aim_tiled_linear_span(l, tile);
    aim_weight_window w = {l->weight + span.first, l->out, span.width, (size_t)l->in};
    enum aim_weight_quantisation rounding = l->settings.weight_quantisation;
    weight_limits(&w, clip, l->settings.adc_bound == AIM_BOUND_PER_CHANNEL,
                  l->largest + (size_t)tile * (size_t)l->out);
    weight_limits(&w, clip, rounding == AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL, limit);
    if (rounding != AIM_WEIGHTS_FLOAT)
        aim_discretize(&w, limit, l->settings.weight_res);
    else if (clip)
        aim_clip_learned(&w, clip);
}

static int prepare_tiles(aim_tiled_linear *l, const float *clips, aim_error *err)
{
    float *limit = aim_array((size_t)l->out, sizeof *limit);
    if (!limit)
        return aim_fail_nomem(err, "weights on tiles");
    for (int t = 0; t < l->tiles; t++)
        prepare_tile(l, t, clips ? clips + (size_t)t * (size_t)l->out : NULL, limit);
    aim_free(limit);
    return AIM_OK;
}

/* A copy of v [n]; NULL for none of it, or on failure. */
static float *copy_of(const float *v, size_t n)
{
    float *copy = v && n ? aim_array(n, sizeof *copy) : NULL;
    if (copy)
        memcpy(copy, v, n * sizeof *copy);
    return copy;
}

static int fill(aim_tiled_linear *l, const aim_layer_source *source, aim_error *err)
{
    size_t out = (size_t)l->out, tiles = (size_t)l->tiles;
    l->weight = copy_of(source->weight, out * (size_t)l->in);
    l->largest = aim_array(tiles * out, sizeof *l->largest);
    l->bias = copy_of(source->bias, out);
    l->input_range = copy_of(source->input_range, source->n_ranges);
    if (!l->weight || !l->largest || (source->bias && !l->bias) ||
        (source->n_ranges && !l->input_range))
        return aim_fail_nomem(err, "weights on tiles");
    return prepare_tiles(l, source->n_clips ? source->learned_clip : NULL, err);
}

aim_tiled_linear *aim_tiled_linear_new(const aim_tile_settings *settings,
                                       const aim_layer_source *source, aim_error *err)
{
    if (check_source(settings, source, err))
        return NULL;
    aim_tiled_linear *l = aim_calloc(1, sizeof *l);
    if (!l) {
        aim_fail_nomem(err, "weights on tiles");
        return NULL;
    }
    l->settings = *settings;
    l->out = source->out;
    l->in = source->in;
    l->tiles = aim_tile_count(l->in, settings->max_input_size);
    if (fill(l, source, err)) {
        aim_tiled_linear_free(l);
        return NULL;
    }
    return l;
}

void aim_tiled_linear_free(aim_tiled_linear *l)
{
    if (!l)
        return;
    aim_free(l->weight);
    aim_free(l->largest);
    aim_free(l->bias);
    aim_free(l->input_range);
    aim_free(l->gain);
    aim_free(l);
}
