/* SPDX-License-Identifier: Apache-2.0 */
/* decimal.h - plain decimal numbers and ages, as people write them: in options, on
 * the command line, in requests. No locale, no exponents, no signs. */
#ifndef AIM_BASE_DECIMAL_H
#define AIM_BASE_DECIMAL_H

#include "base/error.h"

#include <stdbool.h>

/* Digits, and maybe a point with digits behind it: "12", "0.5"; at most 15 digits,
 * so that the result is the double nearest to what is written. *rest is what
 * follows. False, and nothing is set, if text does not begin so. */
bool aim_parse_decimal(const char *text, double *value, const char **rest);

/* The oldest that a chip gets: a thousand years of 365 days, in seconds. */
#define AIM_MAX_AGE 31536e6

/* An age in seconds: a decimal number and one of the units s, m, h, d and y (of 60
 * seconds, 60 minutes, 24 hours and 365 days); without a unit it is seconds: "60",
 * "90s", "30m", "1.5h", "1d", "1y". AIM_EINVAL, without the name of what is read. */
int aim_parse_age(const char *text, double *seconds, aim_error *err);
/* Is it a number from 0 to AIM_MAX_AGE? For ages that come as numbers. AIM_EINVAL. */
int aim_check_age(double seconds, aim_error *err);

#endif
