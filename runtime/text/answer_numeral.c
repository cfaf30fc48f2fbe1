/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_numeral.h"

#include "text/answer_bytes.h"

#include <string.h>
#include <strings.h>

/* The parts of a number: each slice holds digits, the first also separators. */
struct numeral {
    struct aim__slice whole, fraction, exponent;
    bool negative_exponent;
};

static struct aim__slice part(struct aim__slice x, size_t start, size_t end)
{
    return (struct aim__slice){x.s + start, end - start};
}

static struct aim__slice without_zeros_behind(struct aim__slice x)
{
    while (x.len > 0 && x.s[x.len - 1] == '0')
        x.len--;
    return x;
}

static struct aim__slice without_zeros_ahead(struct aim__slice x)
{
    while (x.len > 0 && !(aim__is_digit(x.s[0]) && x.s[0] != '0'))
        x = part(x, 1, x.len);
    return x;
}

static struct numeral take_apart(struct aim__slice x)
{
    struct numeral n = {0};
    size_t e = 0, point = 0;
    while (e < x.len && x.s[e] != 'e' && x.s[e] != 'E')
        e++;
    while (point < e && x.s[point] != '.')
        point++;
    n.whole = without_zeros_ahead(part(x, 0, point));
    n.fraction = part(x, point + (point < e), e);
    n.fraction = without_zeros_behind(n.fraction);
    if (e < x.len) {
        n.negative_exponent = x.s[e + 1] == '-';
        n.exponent = without_zeros_ahead(part(x, e + 1, x.len));
    }
    return n;
}

/* n = n * 10^digits + the digits. */
static bool append_digits(aim__wide *n, struct aim__slice digits)
{
    for (size_t i = 0; i < digits.len; i++)
        if (aim__is_digit(digits.s[i]) && (__builtin_mul_overflow(*n, (aim__wide)10, n) ||
                                           __builtin_add_overflow(*n, digits.s[i] - '0', n)))
            return false;
    return true;
}

/* r = r * 10^exponent. */
static bool scale(struct aim__rational *r, aim__wide exponent)
{
    struct aim__rational power = {10, 1};
    return aim__rational_raise(&power, (struct aim__rational){exponent, 1}) &&
           aim__rational_multiply(r, power);
}

bool aim__numeral_value(struct aim__slice text, struct aim__rational *r)
{
    struct numeral n = take_apart(text);
    aim__wide digits = 0, exponent = 0;
    struct aim__rational value;
    if (!append_digits(&digits, n.whole) || !append_digits(&digits, n.fraction) ||
        !append_digits(&exponent, n.exponent) || !aim__rational_set(&value, digits, 1))
        return false;
    if (n.negative_exponent)
        exponent = -exponent;
    if (digits != 0 && (!scale(&value, -(aim__wide)n.fraction.len) || !scale(&value, exponent)))
        return false;
    *r = value;
    return true;
}

void aim__put_numeral(struct aim__slice text, aim_buf *out)
{
    struct numeral n = take_apart(text);
    if (n.whole.len == 0)
        aim_buf_puts(out, "0");
    for (size_t i = 0; i < n.whole.len; i++)
        if (aim__is_digit(n.whole.s[i]))
            aim_buf_append(out, n.whole.s + i, 1);
    if (n.fraction.len > 0)
        aim_buf_puts(out, ".");
    aim_buf_append(out, n.fraction.s, n.fraction.len);
    if (n.exponent.len > 0)
        aim_buf_puts(out, n.negative_exponent ? "e-" : "e");
    aim_buf_append(out, n.exponent.s, n.exponent.len);
}

/* ---- number words ----------------------------------------------------------------- */

static const char *const below_twenty[] = {
    "zero",     "one",     "two",     "three",     "four",     "five",     "six",
    "seven",    "eight",   "nine",    "ten",       "eleven",   "twelve",   "thirteen",
    "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
};
static const char *const tens[] = {"twenty", "thirty",  "forty",  "fifty",
                                   "sixty",  "seventy", "eighty", "ninety"};
static const char *const scales[] = {"thousand", "million", "billion", "trillion"};

/* Is the word s, in whichever case? */
static bool is_word(struct aim__slice word, const char *s)
{
    return word.len == strlen(s) && strncasecmp(word.s, s, word.len) == 0;
}

static int find(struct aim__slice word, const char *const *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (is_word(word, list[i]))
            return (int)i;
    return -1;
}

#define FIND(word, list) find(word, list, sizeof(list) / sizeof *(list))

aim__wide aim__scale_of_word(struct aim__slice word)
{
    aim__wide value = 1;
    int i = FIND(word, scales);
    for (int k = 0; k <= i; k++)
        value *= 1000;
    return i < 0 ? 0 : value;
}

/* "one" to "nineteen": behind "twenty" a digit, behind "hundred" any of them. */
static bool add_unit(struct aim__number_words *n, int unit)
{
    if (n->room <= unit)
        return false;
    n->group += unit;
    n->room = 0;
    return true;
}

static bool add_ten(struct aim__number_words *n, int ten)
{
    if (n->room < 100)
        return false;
    n->group += ten;
    n->room = 10;
    return true;
}

static bool add_hundred(struct aim__number_words *n)
{
    if (n->group < 1 || n->group > 99)
        return false;
    n->group *= 100;
    n->room = 100;
    return true;
}

static bool add_scale(struct aim__number_words *n, aim__wide scale_of_word)
{
    if (n->group == 0 || (n->scale != 0 && scale_of_word >= n->scale))
        return false;
    *n = (struct aim__number_words){
        .total = n->total + n->group * scale_of_word, .scale = scale_of_word, .room = 1000};
    return true;
}

bool aim__number_words_add(struct aim__number_words *n, struct aim__slice word)
{
    int unit = FIND(word, below_twenty), ten = FIND(word, tens);
    aim__wide scale_of_word = aim__scale_of_word(word);
    if (unit >= 0)
        return add_unit(n, unit);
    if (ten >= 0)
        return add_ten(n, (ten + 2) * 10);
    if (is_word(word, "hundred"))
        return add_hundred(n);
    return scale_of_word > 0 && add_scale(n, scale_of_word);
}
