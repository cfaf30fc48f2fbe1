/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fixmath.h"

#include <math.h>

/* 2^n for n in the normal range. */
static double exp2i(int n)
{
    uint64_t bits = (uint64_t)(n + 1023) << 52;
    double d;
    memcpy(&d, &bits, sizeof d);
    return d;
}

/* ln 2 in two parts: the product of n and the first is exact. */
#define LN2_HI 6.93147180369123816490e-01
#define LN2_LO 1.90821492927058770002e-10

/* x = n ln2 + r, |r| <= ln2 / 2; Taylor to degree 13 leaves less than 1e-17. */
double aim_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709.782712893384)
        return INFINITY;
    if (x < -745.1332191019412)
        return 0;
    double n = rint(x * 1.44269504088896338700e+00);
    double r = (x - n * LN2_HI) - n * LN2_LO;
    static const double c[] = {1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,
                               1.0 / 362880,     1.0 / 40320,     1.0 / 5040,     1.0 / 720,
                               1.0 / 120,        1.0 / 24,        1.0 / 6,        0.5};
    double p = c[0];
    for (int i = 1; i < 12; i++)
        p = p * r + c[i];
    double e = 1.0 + (r + p * r * r);
    int k = (int)n;
    if (k < -1021) /* subnormal result: scale in two steps */
        return e * exp2i(k + 200) * 0x1p-200;
    if (k > 1023)
        return e * exp2i(k - 1) * 2.0;
    return e * exp2i(k);
}

/* x = m 2^e with m in [sqrt(1/2), sqrt(2)); ln m = 2 atanh((m-1)/(m+1)). */
double aim_log(double x)
{
    if (x != x || x < 0)
        return NAN;
    if (x == 0)
        return -INFINITY;
    if (x == INFINITY)
        return x;
    int e;
    double m = frexp(x, &e); /* exact: no libm variant can differ */
    if (m < 0.70710678118654752440) {
        m *= 2;
        e--;
    }
    double s = (m - 1) / (m + 1), z = s * s;
    double p = 1.0 / 25;
    for (int i = 23; i >= 3; i -= 2)
        p = p * z + 1.0 / i;
    double k = e;
    return k * LN2_HI + (k * LN2_LO + (2 * s * z * p + 2 * s));
}

/* Reduce to |r| <= pi/4 by three-part pi/2 (Cody and Waite); good to 2^20. */
static double reduce(double x, int *quadrant)
{
    double n = rint(x * 6.36619772367581382433e-01);
    double r = x - n * 1.57079632673412561417e+00;
    r = r - n * 6.07710050630396597660e-11;
    r = r - n * 2.02226624879595063154e-21;
    *quadrant = (int)((int64_t)n & 3);
    return r;
}

static double sin_poly(double r)
{
    double z = r * r;
    static const double c[] = {
        1.0 / 355687428096000.0, -1.0 / 1307674368000.0, 1.0 / 6227020800.0, -1.0 / 39916800.0,
        1.0 / 362880.0,          -1.0 / 5040.0,          1.0 / 120.0,        -1.0 / 6.0};
    double p = c[0];
    for (int i = 1; i < 8; i++)
        p = p * z + c[i];
    return r + r * z * p;
}

static double cos_poly(double r)
{
    double z = r * r;
    static const double c[] = {
        1.0 / 20922789888000.0, -1.0 / 87178291200.0, 1.0 / 479001600.0, -1.0 / 3628800.0,
        1.0 / 40320.0,          -1.0 / 720.0,         1.0 / 24.0,        -0.5};
    double p = c[0];
    for (int i = 1; i < 8; i++)
        p = p * z + c[i];
    return 1 + z * p;
}

double aim_sin(double x)
{
    int q;
    double r = reduce(x, &q);
    double v = q & 1 ? cos_poly(r) : sin_poly(r);
    return q & 2 ? -v : v;
}

double aim_cos(double x)
{
    int q;
    double r = reduce(x, &q);
    double v = q & 1 ? sin_poly(r) : cos_poly(r);
    return q == 1 || q == 2 ? -v : v;
}

double aim_pow(double base, double exponent)
{
    return aim_exp(exponent * aim_log(base));
}
