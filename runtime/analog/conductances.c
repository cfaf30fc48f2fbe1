/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/conductances.h"

#include "analog/converter.h"
#include "analog/noise_loops.h"
#include "base/alloc.h"
#include "tensor/packed.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <string.h>

static int8_t *plane_row(int8_t *plane, const aim_conductances *c, int channel)
{
    return plane ? plane + (size_t)channel * (size_t)c->width : NULL;
}

void aim_conductance_codes(const float *weight, int n, int8_t *low, int8_t *high, float *step)
{
    const aim__noise_loops *loops = aim__noise_loops_pick();
    float largest_code = high ? AIM_CONDUCTANCE_MAX_16 : AIM_CONDUCTANCE_MAX_8;
    float largest = aim_max_abs(weight, n);
    *step = isfinite(largest) ? largest / largest_code : NAN;
    if (*step > 0.0f) {
        loops->codes(weight, *step, largest_code, n, low, high);
        return;
    }
    memset(low, 0, (size_t)n);
    if (high)
        memset(high, 0, (size_t)n);
}

void aim_round_to_4_bits(const float *weight, int n, int8_t *codes, float *step)
{
    float largest = aim_max_abs(weight, n);
    float half_step = largest / (2.0f * AIM_CONDUCTANCE_MAX_4);
    *step = isfinite(largest) ? 2.0f * half_step : NAN;
    if (*step > 0.0f)
        aim__noise_loops_pick()->codes(weight, fmaxf(*step, FLT_MIN), AIM_CONDUCTANCE_MAX_4, n,
                                       codes, NULL);
    else
        memset(codes, 0, (size_t)n);
}

static int reserve(aim_conductances *c, bool two_planes, aim_error *err)
{
    size_t codes;
    if (!aim_mul((size_t)c->out, (size_t)c->width, &codes))
        return aim_fail_nomem(err, "conductances");
    c->low = aim_array(codes, sizeof *c->low);
    c->high = two_planes ? aim_array(codes, sizeof *c->high) : NULL;
    c->step = aim_array((size_t)c->out, sizeof *c->step);
    if (c->low && c->step && (c->high || !two_planes))
        return AIM_OK;
    aim_conductances_fini(c);
    return aim_fail_nomem(err, "conductances");
}

int aim_conductances_init(aim_conductances *c, int bits, const float *weight, int out, int width,
                          size_t stride, aim_error *err)
{
    *c = (aim_conductances){.out = out, .width = width};
    if (bits != 4 && bits != 8 && bits != 16)
        return aim_fail_param(err, AIM_EINVAL, "conductance_bits",
                              "conductance_bits is %d: must be 4, 8 or 16", bits);
    if (out < 1 || width < 1 || width > AIM_K_MAX)
        return aim_fail(err, AIM_EINVAL,
                        "a tile of %d outputs and %d inputs: at most %d inputs fit", out, width,
                        AIM_K_MAX);
    if (reserve(c, bits == 16, err))
        return AIM_ENOMEM;
    for (int o = 0; o < out; o++) {
        const float *channel = weight + (size_t)o * stride;
        int8_t *low = plane_row(c->low, c, o), *high = plane_row(c->high, c, o);
        if (bits == 4)
            aim_round_to_4_bits(channel, width, low, &c->step[o]);
        else
            aim_conductance_codes(channel, width, low, high, &c->step[o]);
    }
    return AIM_OK;
}

void aim_conductances_fini(aim_conductances *c)
{
    aim_free(c->low);
    aim_free(c->high);
    aim_free(c->step);
    *c = (aim_conductances){0};
}

static int32_t plane_sum(const int8_t *code, const int8_t *x, int n)
{
    int32_t sum = 0;
    for (int j = 0; j < n; j++)
        sum += code[j] * x[j];
    return sum;
}

/* One plane stays within 32 bits, two of 519 columns or more do not. */
int64_t aim_conductance_sum(const aim_conductances *c, int channel, const int8_t *x)
{
    int64_t sum = plane_sum(plane_row(c->low, c, channel), x, c->width);
    if (c->high)
        sum += 256 * (int64_t)plane_sum(plane_row(c->high, c, channel), x, c->width);
    return sum;
}
