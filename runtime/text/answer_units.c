/* SPDX-License-Identifier: Apache-2.0 */
/* Units behind a value. Following search-and-learn, every unit counts for none: the
 * question says in which unit it wants its answer. */
#include "text/answer_parts.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The words of search-and-learn, most of them from MathQA, with currencies and a few
 * measures beside them, and without what more often is a variable or says something
 * ("a", "ab", "bc", "c", "d", "o", "t", "east", "more"...). Sorted; the plural in s is
 * understood. */
static const char *const units[] = {
    "acre",  "am",         "angle",      "apple",   "are",        "book",       "bps",
    "byte",  "cc",         "celsius",    "cent",    "centimeter", "centimetre", "cm",
    "coin",  "cu",         "cube",       "cubic",   "day",        "deg",        "degree",
    "dm",    "dollar",     "eur",        "euro",    "fahrenheit", "feet",       "foot",
    "ft",    "g",          "gal",        "gallon",  "gbp",        "gm",         "gram",
    "h",     "hectare",    "hour",       "hr",      "hz",         "in",         "inch",
    "item",  "joule",      "kelvin",     "kg",      "kilogram",   "kilometer",  "kilometre",
    "km",    "kmh",        "kmph",       "l",       "lb",         "liter",      "litre",
    "lt",    "m",          "man",        "mark",    "men",        "meter",      "metre",
    "mile",  "milliliter", "millimeter", "min",     "minute",     "ml",         "mm",
    "month", "mph",        "mt",         "mtr",     "newton",     "ohm",        "ounce",
    "oz",    "people",     "per",        "percent", "person",     "pm",         "point",
    "pound", "rad",        "radian",     "rd",      "rs",         "rupee",      "s",
    "sec",   "second",     "soldier",    "sq",      "square",     "st",         "student",
    "th",    "tile",       "time",       "toy",     "unit",       "usd",        "way",
    "week",  "woman",      "women",      "yard",    "yd",         "year",       "yr",
};

static int compare(const void *word, const void *row)
{
    const struct aim__slice *x = word;
    const char *s = *(const char *const *)row;
    int order = strncasecmp(x->s, s, x->len);
    return order ? order : -(int)(strlen(s) > x->len);
}

static bool is_listed(struct aim__slice word)
{
    return bsearch(&word, units, sizeof units / sizeof *units, sizeof *units, compare) != NULL;
}

static bool is_unit(struct aim__slice word)
{
    if (is_listed(word))
        return true;
    word.len -= word.len > 1 && (word.s[word.len - 1] | 0x20) == 's';
    return is_listed(word);
}

/* One letter right behind a digit may as well be a variable. */
static bool is_unit_word(const struct aim__token *t)
{
    return t->kind == AIM__WORD && is_unit(t->text) &&
           (t->spaced || t->plain_text || t->text.len > 1);
}

/* Plain text that says nothing about the value: "\text{ of them}", but not "\text{ or }",
 * "\text{ million}" and "\mathrm{i}". */
static bool is_remark(const struct aim__token *t)
{
    struct aim__number_words number = AIM__NUMBER_WORDS;
    if (!t->plain_text || t->kind == AIM__NUMBER || t->kind == AIM__COMMAND)
        return false;
    if (t->kind != AIM__WORD)
        return true;
    if (aim__slice_is(t->text, "C") || aim__slice_is(t->text, "F"))
        return true; /* of a temperature, behind a degree sign */
    return t->text.len > 1 && !aim__number_words_add(&number, t->text) &&
           aim__scale_of_word(t->text) == 0 && !aim__slice_is(t->text, "and") &&
           !aim__slice_is(t->text, "or");
}

static bool may_go(const struct aim__token *t)
{
    return is_unit_word(t) || is_remark(t);
}

static bool is_sign(const struct aim__token *t, char sign)
{
    return t->kind == AIM__SIGN && t->sign == sign;
}

/* Where the exponent that ends at hi starts, with a unit before it; hi if none does. */
static size_t before_exponent(const struct aim__token *t, size_t lo, size_t hi)
{
    size_t start = hi - 1;
    if (t[start].kind == AIM__CLOSE && t[start].sign == AIM__GROUP)
        start = t[start].mate;
    if (start >= lo + 2 && is_sign(&t[start - 1], '-') && is_sign(&t[start - 2], '^'))
        start--;
    return start >= lo + 2 && is_sign(&t[start - 1], '^') && may_go(&t[start - 2]) ? start - 1 : hi;
}

/* Does the range end in something that can have a unit? */
static bool ends_in_value(const struct aim__token *t, size_t lo, size_t hi)
{
    return hi > lo && (t[hi - 1].kind == AIM__NUMBER || t[hi - 1].kind == AIM__CLOSE ||
                       (t[hi - 1].kind == AIM__COMMAND && !aim__is_relation(t[hi - 1].text)));
}

size_t aim__before_units(const struct aim__token *t, size_t lo, size_t hi)
{
    size_t end = hi;
    while (end > lo) {
        size_t exponent = before_exponent(t, lo, end);
        bool joins = end < hi && end >= lo + 2 && t[end - 1].kind == AIM__SIGN &&
                     strchr("/*.", t[end - 1].sign) && may_go(&t[end - 2]);
        if (exponent < end)
            end = exponent;
        else if (joins || may_go(&t[end - 1]))
            end--;
        else
            break;
    }
    return ends_in_value(t, lo, end) ? end : hi;
}
