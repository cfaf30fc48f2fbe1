/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_rational.h"

/* Powers beyond this fit only where the base is 0, 1 or -1. */
enum { MAX_EXPONENT = 127 };

static aim__wide common_divisor(aim__wide a, aim__wide b)
{
    while (b != 0) {
        aim__wide rest = a % b;
        a = b;
        b = rest;
    }
    return a < 0 ? -a : a;
}

static bool negate(aim__wide *n)
{
    return !__builtin_sub_overflow((aim__wide)0, *n, n);
}

bool aim__rational_set(struct aim__rational *r, aim__wide num, aim__wide den)
{
    /* The least number has no counterpart, which dividing would need. */
    aim__wide test_num = num, test_den = den;
    if (den == 0 || !negate(&test_num) || !negate(&test_den))
        return false;
    aim__wide divisor = common_divisor(num, den);
    if (den < 0)
        divisor = -divisor;
    *r = (struct aim__rational){num / divisor, den / divisor};
    return true;
}

bool aim__rational_add(struct aim__rational *r, struct aim__rational x)
{
    aim__wide a, b, den;
    if (__builtin_mul_overflow(r->num, x.den, &a) || __builtin_mul_overflow(x.num, r->den, &b) ||
        __builtin_add_overflow(a, b, &a) || __builtin_mul_overflow(r->den, x.den, &den))
        return false;
    return aim__rational_set(r, a, den);
}

/* Dividing crosswise first keeps what fits from overflowing on the way. */
bool aim__rational_multiply(struct aim__rational *r, struct aim__rational x)
{
    aim__wide a = common_divisor(r->num, x.den), b = common_divisor(x.num, r->den);
    aim__wide num, den;
    if (__builtin_mul_overflow(r->num / a, x.num / b, &num) ||
        __builtin_mul_overflow(r->den / b, x.den / a, &den))
        return false;
    return aim__rational_set(r, num, den);
}

bool aim__rational_divide(struct aim__rational *r, struct aim__rational x)
{
    struct aim__rational inverse;
    return aim__rational_set(&inverse, x.den, x.num) && aim__rational_multiply(r, inverse);
}

bool aim__rational_raise(struct aim__rational *r, struct aim__rational exponent)
{
    struct aim__rational power = AIM__ONE;
    aim__wide n = exponent.num;
    if (exponent.den != 1 || n > MAX_EXPONENT || n < -MAX_EXPONENT || (n == 0 && r->num == 0))
        return false;
    for (aim__wide i = n < 0 ? -n : n; i > 0; i--)
        if (!aim__rational_multiply(&power, *r))
            return false;
    return n < 0 ? aim__rational_set(r, power.den, power.num)
                 : aim__rational_set(r, power.num, power.den);
}

/* n = its integer root, if it is a square. The digits of the root are tried one bit
 * after another. */
static bool root_of_integer(aim__wide *n)
{
    aim__wide root = 0;
    if (*n < 0)
        return false;
    for (int bit = 62; bit >= 0; bit--) {
        aim__wide larger = root | (aim__wide)1 << bit;
        if (larger * larger <= *n)
            root = larger;
    }
    if (root * root != *n)
        return false;
    *n = root;
    return true;
}

bool aim__rational_root(struct aim__rational *r)
{
    struct aim__rational root = *r;
    if (!root_of_integer(&root.num) || !root_of_integer(&root.den))
        return false;
    *r = root;
    return true;
}

void aim__put_integer(aim__wide n, aim_buf *out)
{
    char digits[48];
    size_t at = sizeof digits;
    bool negative = n < 0;
    do {
        int digit = (int)(n % 10);
        digits[--at] = (char)('0' + (digit < 0 ? -digit : digit));
        n /= 10;
    } while (n != 0);
    if (negative)
        digits[--at] = '-';
    aim_buf_append(out, digits + at, sizeof digits - at);
}

void aim__put_rational(struct aim__rational r, aim_buf *out)
{
    aim__put_integer(r.num, out);
    if (r.den == 1)
        return;
    aim_buf_puts(out, "/");
    aim__put_integer(r.den, out);
}
