/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rope.h"

#include "base/fixmath.h"

static const double two_pi = 6.283185307179586;

/* Llama 3.1: wavelengths beyond the first training length are divided by factor,
 * those far below it stay, and between them both are mixed. */
static float llama3_frequency(float f, const aim_rope *r)
{
    float factor = (float)r->factor, original = (float)r->original_positions;
    float wavelength = 1.0f / f * (float)two_pi;
    if (wavelength > (float)(r->original_positions / r->low_freq_factor))
        return f / factor;
    if (wavelength < (float)(r->original_positions / r->high_freq_factor))
        return f;
    float mix = (1.0f / wavelength * original - (float)r->low_freq_factor) /
                (float)(r->high_freq_factor - r->low_freq_factor);
    return (1.0f - mix) * f / factor + mix * f;
}

/* Exponent, power and quotient are float32 in the reference. */
void aim__rope_frequencies(float *inv_freq, const aim_rope *r, bool is_long)
{
    const float *divisor = is_long ? r->long_factor : r->short_factor;
    for (int i = 0; i < r->dim / 2; i++) {
        float exponent = (float)(2 * i) / (float)r->dim;
        float power = (float)aim_pow(r->theta, exponent);
        if (r->kind == AIM_ROPE_LONGROPE)
            power *= divisor[i];
        inv_freq[i] = 1.0f / power;
        if (r->kind == AIM_ROPE_LINEAR)
            inv_freq[i] /= (float)r->factor;
        if (r->kind == AIM_ROPE_LLAMA3)
            inv_freq[i] = llama3_frequency(inv_freq[i], r);
    }
}

/* The angle is a float32 product in the reference; at large positions its
 * rounding is what a model was trained with. */
void aim__rope_angles(const aim_rope *r, const float *inv_freq, int position, float *cos,
                      float *sin)
{
    float scale = (float)r->attention_factor;
    for (int i = 0; i < r->dim / 2; i++) {
        float angle = (float)position * inv_freq[i];
        cos[i] = (float)aim_cos(angle) * scale;
        sin[i] = (float)aim_sin(angle) * scale;
    }
}
