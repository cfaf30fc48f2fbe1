/* SPDX-License-Identifier: Apache-2.0 */
/* answer_rational.h - exact fractions of 128-bit integers, in lowest terms. Every
 * operation answers false where the result does not fit or does not exist; *r is then
 * as it was. */
#ifndef AIM_TEXT_ANSWER_RATIONAL_H
#define AIM_TEXT_ANSWER_RATIONAL_H

#include "base/buf.h"

#include <stdbool.h>

__extension__ typedef __int128 aim__wide;

struct aim__rational {
    aim__wide num, den; /* den > 0, no common divisor */
};

#define AIM__ONE ((struct aim__rational){1, 1})

/* r = num / den. */
bool aim__rational_set(struct aim__rational *r, aim__wide num, aim__wide den);
/* r = r + x, r * x, r / x. */
bool aim__rational_add(struct aim__rational *r, struct aim__rational x);
bool aim__rational_multiply(struct aim__rational *r, struct aim__rational x);
bool aim__rational_divide(struct aim__rational *r, struct aim__rational x);
/* r = r^exponent; 0^0 does not exist. */
bool aim__rational_raise(struct aim__rational *r, struct aim__rational exponent);
/* r = the root of r, if that is rational. */
bool aim__rational_root(struct aim__rational *r);

/* Append n in decimal. */
void aim__put_integer(aim__wide n, aim_buf *out);
/* Append "num", or "num/den". */
void aim__put_rational(struct aim__rational r, aim_buf *out);

#endif
