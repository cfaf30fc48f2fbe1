/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/program.h"

#include "analog/converter.h"
#include "analog/device_pairs.h"
#include "base/alloc.h"

#include <math.h>
#include <string.h>

/* A readout of nothing would divide by zero (aihwkit, compensation/drift.py). */
static const float SMALLEST_READOUT = 1e-4f;

static const aim_profile *profile_of(const aim_layer_program *p)
{
    return &p->chip->profile;
}

static bool rounds_to_levels(const aim_profile *profile)
{
    return profile->tile.weight_quantisation != AIM_WEIGHTS_FLOAT;
}

bool aim_layer_program_has_gain(const aim_profile *profile)
{
    return profile->programming == AIM_PROGRAMMING_DEVICES &&
           profile->compensation != AIM_COMPENSATION_NONE;
}

/* ---- room ------------------------------------------------------------------ */

static int check_layer(const aim_layer_program *p, aim_error *err)
{
    enum aim_weight_clip clip = profile_of(p)->tile.clip;
    if (p->layer < 0 || p->layer > UINT16_MAX || p->tiles > UINT16_MAX ||
        p->in > AIM_MAX_DEVICES_A_ROW)
        return aim_fail(err, AIM_EINVAL, "layer %d with %d tiles: a chip has at most %d of each",
                        p->layer, p->tiles, UINT16_MAX);
    if (clip == AIM_CLIP_LEARNABLE)
        return aim_fail_param(err, AIM_EUNSUPPORTED, "clip",
                              "a chip cannot be programmed with learned clips");
    if ((clip == AIM_CLIP_GAUSSIAN && (int64_t)p->out * p->in < 2) ||
        (clip == AIM_CLIP_GAUSSIAN_PER_CHANNEL && p->in < 2))
        return aim_fail_param(err, AIM_EINVAL, "clip",
                              "a single weight has no standard deviation to clip at");
    return AIM_OK;
}

/* Memory for n elements if they are needed, NULL otherwise; *missing if there is none. */
static void *room(bool needed, size_t n, size_t size, bool *missing)
{
    void *p = needed ? aim_array(n, size) : NULL;
    *missing = *missing || (needed && !p);
    return p;
}

static int reserve(aim_layer_program *p, aim_error *err)
{
    const aim_profile *profile = profile_of(p);
    bool levels = rounds_to_levels(profile), readouts = aim_layer_program_has_gain(profile),
         missing = false;
    bool moments = profile->tile.clip == AIM_CLIP_GAUSSIAN;
    size_t out = (size_t)p->out, tiles = (size_t)p->tiles, n;
    if (!aim_mul(tiles, out, &n))
        return aim_fail_nomem(err, "programming a layer");
    p->largest = room(true, n, sizeof *p->largest, &missing);
    p->gain = room(readouts, n, sizeof *p->gain, &missing);
    p->readout_then = room(readouts, n, sizeof *p->readout_then, &missing);
    p->readout_now = room(readouts, n, sizeof *p->readout_now, &missing);
    p->moments = room(moments, out, sizeof *p->moments, &missing);
    p->level_range = room(levels, n, sizeof *p->level_range, &missing);
    p->is_reciprocal = room(levels, tiles, sizeof *p->is_reciprocal, &missing);
    return missing ? aim_fail_nomem(err, "programming a layer") : AIM_OK;
}

size_t aim_layer_program_bytes(const aim_profile *profile, int out, int in)
{
    size_t channels = (size_t)out, tiles = (size_t)aim_tile_count(in, profile->tile.max_input_size);
    size_t arrays = 1, total = 0; /* arrays: of floats [tiles, out] */
    if (aim_layer_program_has_gain(profile))
        arrays += 3;
    if (rounds_to_levels(profile)) {
        arrays += 1;
        total += tiles * sizeof(bool);
    }
    if (profile->tile.clip == AIM_CLIP_GAUSSIAN)
        total += channels * sizeof(aim_weight_moments);
    return total + arrays * tiles * channels * sizeof(float);
}

int aim_layer_program_init(aim_layer_program *p, const aim_chip *chip, int layer, int out, int in,
                           aim_error *err)
{
    *p = (aim_layer_program){.chip = chip, .layer = layer, .out = out, .in = in};
    p->tiles = aim_tile_count(in, chip->profile.tile.max_input_size);
    int code = check_layer(p, err);
    if (code == AIM_OK)
        code = reserve(p, err);
    if (code != AIM_OK)
        aim_layer_program_fini(p);
    return code;
}

void aim_layer_program_fini(aim_layer_program *p)
{
    aim_free(p->largest);
    aim_free(p->gain);
    aim_free(p->readout_then);
    aim_free(p->readout_now);
    aim_free(p->moments);
    aim_free(p->level_range);
    aim_free(p->is_reciprocal);
    *p = (aim_layer_program){0};
}

static size_t place(const aim_layer_program *p, int tile, int channel)
{
    return (size_t)tile * (size_t)p->out + (size_t)channel;
}

/* ---- what needs the whole layer -------------------------------------------- */

/* values [tiles, out]: give all channels of a tile the largest. */
static void spread_largest(const aim_layer_program *p, float *values)
{
    for (int t = 0; t < p->tiles; t++) {
        float *tile = values + place(p, t, 0), largest = aim_max_abs(tile, p->out);
        for (int o = 0; o < p->out; o++)
            tile[o] = largest;
    }
}

bool aim_layer_program_needs_survey(const aim_layer_program *p)
{
    return p->moments || p->level_range;
}

/* The largest magnitude that the clipping of a single channel leaves. */
static float channel_clip(const aim_layer_program *p, const float *weight)
{
    const aim_profile *profile = profile_of(p);
    if (profile->tile.clip != AIM_CLIP_GAUSSIAN_PER_CHANNEL)
        return INFINITY;
    aim_weight_moments m = aim_weight_moments_of(weight, p->in);
    return aim_clip_bound(&m, profile->clip_sigma);
}

void aim_layer_program_survey(aim_layer_program *p, int channel, const float *weight)
{
    if (p->moments)
        p->moments[channel] = aim_weight_moments_of(weight, p->in);
    if (!p->level_range)
        return;
    float clip = channel_clip(p, weight);
    for (int t = 0; t < p->tiles; t++) {
        aim_tile_span span = aim_layer_program_span(p, t);
        float largest = aim_max_abs(weight + span.first, span.width);
        p->level_range[place(p, t, channel)] = aim_limit(largest, clip);
    }
}

/* Channels are added in their order, whoever surveyed them. */
static float layer_clip(const aim_layer_program *p)
{
    aim_weight_moments all = {0};
    for (int o = 0; o < p->out; o++)
        aim_weight_moments_add(&all, &p->moments[o]);
    return aim_clip_bound(&all, profile_of(p)->clip_sigma);
}

static void set_level_ranges(aim_layer_program *p)
{
    const aim_tile_settings *s = &profile_of(p)->tile;
    for (int t = 0; p->moments && t < p->tiles; t++)
        aim_clip_weights(p->level_range + place(p, t, 0), p->out, p->clip);
    if (s->weight_quantisation == AIM_WEIGHTS_DISCRETIZE)
        spread_largest(p, p->level_range);
    for (int t = 0; t < p->tiles; t++)
        p->is_reciprocal[t] =
            aim_discretize_is_reciprocal(p->level_range + place(p, t, 0), p->out, s->weight_res);
}

void aim_layer_program_survey_end(aim_layer_program *p)
{
    if (p->moments)
        p->clip = layer_clip(p);
    if (p->level_range)
        set_level_ranges(p);
}

/* ---- one channel ----------------------------------------------------------- */

/* One channel of one tile. */
struct tile_channel {
    aim_device_row row;
    size_t place;  /* in [tiles, out] */
    float *weight; /* [width] from what is asked for to what is read */
    int width;
    float *scratch; /* [width] */
};

size_t aim_layer_program_scratch(const aim_layer_program *p)
{
    return (size_t)aim_layer_program_span(p, 0).width;
}

static void clip(const aim_layer_program *p, float *weight)
{
    float bound = p->moments ? p->clip : channel_clip(p, weight);
    if (bound < INFINITY)
        aim_clip_weights(weight, p->in, bound);
}

/* The largest weight right after programming. */
static float program_devices(aim_layer_program *p, const struct tile_channel *c)
{
    const aim_profile *profile = profile_of(p);
    aim_device_pairs pairs = {&profile->device, profile->g_min};
    aim_pair_readout readout;
    if (profile->drift)
        aim_device_pairs_age(&pairs, &c->row, p->chip->age, c->weight, c->width, &readout);
    else
        aim_device_pairs_program(&pairs, &c->row, c->weight, c->width, &readout);
    if (p->gain) {
        p->readout_then[c->place] = (float)readout.then;
        p->readout_now[c->place] = (float)readout.now;
    }
    return readout.largest;
}

static void program_noise(const aim_profile *profile, const struct tile_channel *c)
{
    if (profile->programming == AIM_PROGRAMMING_EXACT)
        return;
    aim_normals(&c->row, AIM_STREAM_PROGRAMMING, c->width, c->scratch);
    if (profile->programming == AIM_PROGRAMMING_PCM)
        aim_pcm_noise_add(&profile->pcm, c->scratch, c->weight, c->width);
    else
        aim_additive_noise_add(profile->gaussian_share, c->scratch, c->weight, c->width);
}

static void program_tile(aim_layer_program *p, int tile, const struct tile_channel *c)
{
    const aim_profile *profile = profile_of(p);
    bool of_target = profile->adc_weights == AIM_ADC_OF_TARGET;
    float *largest = &p->largest[c->place];
    if (of_target)
        *largest = aim_max_abs(c->weight, c->width);
    if (p->level_range)
        aim_discretize_channel(c->weight, c->width, p->level_range[c->place],
                               profile->tile.weight_res, p->is_reciprocal[tile]);
    if (profile->programming == AIM_PROGRAMMING_DEVICES) {
        float held = program_devices(p, c);
        *largest = of_target ? *largest : held;
        return;
    }
    program_noise(profile, c);
    if (!of_target)
        *largest = aim_max_abs(c->weight, c->width);
}

void aim_layer_program_channel(aim_layer_program *p, int channel, const float *weight, float *now,
                               float *scratch)
{
    if (now != weight)
        memcpy(now, weight, (size_t)p->in * sizeof *now);
    clip(p, now);
    for (int t = 0; t < p->tiles; t++) {
        aim_tile_span span = aim_layer_program_span(p, t);
        struct tile_channel c = {
            .row = {.seed = p->chip->seed,
                    .layer = (uint16_t)p->layer,
                    .tile = (uint16_t)t,
                    .channel = (uint32_t)channel},
            .place = place(p, t, channel),
            .weight = now + span.first,
            .width = span.width,
            .scratch = scratch,
        };
        program_tile(p, t, &c);
    }
}

/* ---- what is left ---------------------------------------------------------- */

static float compensation(double then, double now)
{
    return (float)(fmax(then, (double)SMALLEST_READOUT) / fmax(now, (double)SMALLEST_READOUT));
}

static double mean(const float *v, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += (double)v[i];
    return sum / n;
}

static void set_tile_gains(aim_layer_program *p, int tile)
{
    const float *then = p->readout_then + place(p, tile, 0);
    const float *now = p->readout_now + place(p, tile, 0);
    float *gain = p->gain + place(p, tile, 0);
    bool global = profile_of(p)->compensation == AIM_COMPENSATION_GLOBAL;
    float of_all = compensation(mean(then, p->out), mean(now, p->out));
    for (int o = 0; o < p->out; o++)
        gain[o] = global ? of_all : compensation((double)then[o], (double)now[o]);
}

void aim_layer_program_end(aim_layer_program *p)
{
    if (profile_of(p)->tile.adc_bound == AIM_BOUND_PER_TILE)
        spread_largest(p, p->largest);
    for (int t = 0; p->gain && t < p->tiles; t++)
        set_tile_gains(p, t);
}
