/* SPDX-License-Identifier: Apache-2.0 */
#include "base/decimal.h"

#include <stdint.h>
#include <string.h>

enum { MAX_DIGITS = 15 }; /* 10^15 < 2^53: digits and their divisor are exact */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Append the digits at p to *digits; returns where they end. */
static const char *take_digits(const char *p, uint64_t *digits, int *n)
{
    for (; is_digit(*p) && *n <= MAX_DIGITS; p++, ++*n)
        *digits = *digits * 10 + (uint64_t)(*p - '0');
    return p;
}

bool aim_parse_decimal(const char *text, double *value, const char **rest)
{
    uint64_t digits = 0;
    double divisor = 1;
    int n = 0;
    const char *p = take_digits(text, &digits, &n);
    if (n == 0)
        return false;
    if (*p == '.' && is_digit(p[1])) {
        const char *end = take_digits(p + 1, &digits, &n);
        for (p++; p < end; p++)
            divisor *= 10;
    }
    if (n > MAX_DIGITS)
        return false;
    *value = (double)digits / divisor;
    *rest = p;
    return true;
}

/* Seconds of a unit; 0 if it is none. */
static double unit_seconds(const char *unit)
{
    static const struct {
        const char *unit;
        double seconds;
    } units[] = {{"", 1},     {"s", 1},         {"m", 60},
                 {"h", 3600}, {"d", 24 * 3600}, {"y", 365 * 24 * 3600}};
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (strcmp(unit, units[i].unit) == 0)
            return units[i].seconds;
    return 0;
}

int aim_check_age(double seconds, aim_error *err)
{
    if (!(seconds >= 0 && seconds <= AIM_MAX_AGE))
        return aim_fail(err, AIM_EINVAL, "an age is between 0 seconds and 1000 years, not %g s",
                        seconds);
    return 0;
}

int aim_parse_age(const char *text, double *seconds, aim_error *err)
{
    double value, unit;
    const char *rest;
    if (!aim_parse_decimal(text, &value, &rest) || !(unit = unit_seconds(rest)))
        return aim_fail(err, AIM_EINVAL, "\"%.64s\" is not an age, such as 60, 30m, 1.5h, 1d or 1y",
                        text);
    if (aim_check_age(value * unit, err))
        return AIM_EINVAL;
    *seconds = value * unit;
    return 0;
}
