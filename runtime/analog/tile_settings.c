/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/tile_settings.h"

#include "analog/converter.h"

#include <math.h>
#include <stdbool.h>

static bool is_resolution(double res)
{
    return res <= AIM_MAX_STEPS && res >= 1.0 / AIM_MAX_STEPS;
}

static int check_resolution(const char *name, double res, aim_error *err)
{
    if (res <= 0 || is_resolution(res))
        return AIM_OK;
    return aim_fail_param(err, AIM_EINVAL, name,
                          "%s is %g: must be a number of steps up to %d, "
                          "or a part of the range, or negative for none",
                          name, res, AIM_MAX_STEPS);
}

static int check_bound(const aim_tile_settings *s, aim_error *err)
{
    if (!(s->out_bound <= 1e6))
        return aim_fail_param(err, AIM_EINVAL, "out_bound", "out_bound is %g: must be at most 1e6",
                              s->out_bound);
    if (s->out_res > 0 && s->out_bound <= 0)
        return aim_fail_param(err, AIM_EINVAL, "out_bound",
                              "an ADC (out_res %g) needs an out_bound", s->out_res);
    return AIM_OK;
}

static int check_weights(const aim_tile_settings *s, aim_error *err)
{
    if (s->weight_quantisation != AIM_WEIGHTS_FLOAT && !is_resolution(s->weight_res))
        return aim_fail_param(err, AIM_EINVAL, "weight_res",
                              "weight_res is %g: quantised weights need a number of steps up to %d",
                              s->weight_res, AIM_MAX_STEPS);
    if (s->clip == AIM_CLIP_LEARNABLE && s->adc_bound != AIM_BOUND_PER_CHANNEL)
        return aim_fail_param(err, AIM_EINVAL, "adc_bound",
                              "learned clips set the bound of each channel");
    return AIM_OK;
}

int aim_tile_settings_check(const aim_tile_settings *s, aim_error *err)
{
    if (check_resolution("inp_res", s->inp_res, err) ||
        check_resolution("out_res", s->out_res, err) || check_bound(s, err) ||
        check_weights(s, err))
        return AIM_EINVAL;
    if (s->input_range == AIM_RANGE_NONE && (s->inp_res > 0 || s->out_bound > 0))
        return aim_fail_param(err, AIM_EINVAL, "input_range", "converters need an input range");
    return AIM_OK;
}

int aim_tile_settings_check_integer(const aim_tile_settings *s, aim_error *err)
{
    if (s->inp_res > 0 && (float)aim_converter_steps(s->inp_res) <= AIM_MAX_INTEGER_STEPS)
        return AIM_OK;
    return aim_fail_param(err, AIM_EUNSUPPORTED, "inp_res",
                          "inp_res is %g: integer tiles need a DAC of at most %d steps", s->inp_res,
                          AIM_MAX_INTEGER_STEPS);
}

enum aim_adc_bound aim_adc_bound_of_clip(enum aim_weight_clip clip)
{
    bool per_channel = clip == AIM_CLIP_GAUSSIAN_PER_CHANNEL || clip == AIM_CLIP_LEARNABLE;
    return per_channel ? AIM_BOUND_PER_CHANNEL : AIM_BOUND_PER_TILE;
}
