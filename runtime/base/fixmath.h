/* SPDX-License-Identifier: Apache-2.0 */
/* fixmath.h - exp, log, sin and cos that give the same bits on every CPU.
 *
 * libm picks an implementation by CPU, so its results differ in the last bit
 * between machines. These use fixed polynomials, plain IEEE multiplies and
 * adds (this project is compiled with -ffp-contract=off) and nothing else.
 * Errors are below 2 units in the last place on the stated ranges. */
#ifndef AIM_BASE_FIXMATH_H
#define AIM_BASE_FIXMATH_H

#include "base/float_bits.h"

#include <stdint.h>
#include <string.h>

double aim_exp(double x); /* any x; 0 below -745, infinity above 709.78 */
double aim_log(double x); /* x > 0; -infinity at 0, NaN below */
double aim_sin(double x); /* |x| <= 2^20 */
double aim_cos(double x); /* |x| <= 2^20 */
/* base > 0; relative error below 1e-14 for results between 1e-6 and 1e6. */
double aim_pow(double base, double exponent);

/* exp for float, inline so that loops over arrays vectorise. Relative error
 * below 1e-7 on [-87, 88]; inputs are clamped to [-87.3, 88.3], so results
 * stay normal numbers; NaN stays NaN. Cephes-style: x = n ln2 + r,
 * |r| <= ln2/2, degree-6 polynomial, then the exponent is set by bits. */
static inline float aim_expf(float x)
{
    float c = x > 88.3f ? 88.3f : x;
    c = c < -87.3f ? -87.3f : c;
    /* Adding 1.5 * 2^23 rounds to the nearest integer in the low bits. */
    float shifted = c * 1.44269504088896341f + 12582912.0f;
    int32_t bits;
    memcpy(&bits, &shifted, sizeof bits);
    float n = shifted - 12582912.0f;
    float r = c - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    float p = 1.9875691500e-4f;
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * (r * r) + r;
    p = p + 1.0f;
    int32_t exponent = (int32_t)((uint32_t)(bits - 0x4B400000 + 127) << 23);
    float scale;
    memcpy(&scale, &exponent, sizeof scale);
    return x != x ? x : p * scale;
}

/* Natural logarithm for float, inline as aim_expf; for positive normal numbers
 * alone. Relative error below 1e-7. Cephes-style: x = m 2^e with m in [sqrt(1/2),
 * sqrt(2)), the bits of whose lower end are 0x3f3504f3; degree-8 polynomial. */
static inline float aim_logf(float x)
{
    uint32_t above = aim_float_bits(x) - 0x3f3504f3u;
    float e = (float)((int32_t)above >> 23);
    float m = aim_bits_float((above & 0x007fffffu) + 0x3f3504f3u) - 1.0f;
    float p = 7.0376836292e-2f;
    p = p * m - 1.1514610310e-1f;
    p = p * m + 1.1676998740e-1f;
    p = p * m - 1.2420140846e-1f;
    p = p * m + 1.4249322787e-1f;
    p = p * m - 1.6668057665e-1f;
    p = p * m + 2.0000714765e-1f;
    p = p * m - 2.4999993993e-1f;
    p = p * m + 3.3333331174e-1f;
    p = p * m * (m * m) - e * 2.12194440e-4f - 0.5f * (m * m);
    return m + p + e * 0.693359375f;
}

#endif
