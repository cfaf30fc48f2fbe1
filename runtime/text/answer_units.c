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

static bool is_number_word(struct aim__slice word)
{
    struct aim__number_words number = AIM__NUMBER_WORDS;
    return aim__number_words_add(&number, word) || aim__scale_of_word(word) > 0 ||
           aim__slice_is(word, "hundred");
}

/* One letter right behind a digit may as well be a variable. */
static bool is_unit_word(const struct aim__token *t)
{
    return t->kind == AIM__WORD && is_unit(t->text) &&
           (t->spaced || t->plain_text || t->text.len > 1);
}

/* Plain text that says nothing about the value: "\text{ of them}", but not "\text{ or }",
 * "\text{ million}" and "\mathrm{i}". A C or F is that of a temperature. */
static bool is_remark(const struct aim__token *t)
{
    if (!t->plain_text || (t->kind != AIM__WORD && t->kind != AIM__SIGN))
        return false;
    if (t->kind == AIM__SIGN || aim__slice_is(t->text, "C") || aim__slice_is(t->text, "F"))
        return true;
    return t->text.len > 1 && !is_number_word(t->text) && !aim__slice_is(t->text, "and") &&
           !aim__slice_is(t->text, "or");
}

/* Can token i, not the first, be left out? */
static bool may_go(const struct aim__token *t, size_t i)
{
    bool divides = t[i].kind == AIM__WORD && is_unit(t[i].text) && aim__is_sign(&t[i - 1], '/');
    return divides || is_unit_word(&t[i]) || is_remark(&t[i]);
}

/* Where the exponent that ends at hi starts, with a unit before it; hi if none does. */
static size_t before_exponent(const struct aim__token *t, size_t lo, size_t hi)
{
    size_t start = hi - 1;
    if (t[start].kind == AIM__CLOSE && t[start].sign == AIM__GROUP)
        start = t[start].mate;
    if (start >= lo + 2 && aim__is_sign(&t[start - 1], '-') && aim__is_sign(&t[start - 2], '^'))
        start--;
    return start >= lo + 3 && aim__is_sign(&t[start - 1], '^') && may_go(t, start - 2) ? start - 1
                                                                                       : hi;
}

/* Does the range end in something that can have a unit? */
static bool ends_in_value(const struct aim__token *t, size_t lo, size_t hi)
{
    if (hi <= lo)
        return false;
    const struct aim__token *last = &t[hi - 1];
    return last->kind == AIM__NUMBER || last->kind == AIM__CLOSE ||
           (last->kind == AIM__WORD && is_number_word(last->text)) ||
           (last->kind == AIM__COMMAND && !aim__is_relation(last->text));
}

/* Where the range ends without the last of what can be left out; hi if it cannot.
 * may_join: something behind it was. */
static size_t leave_out_one(const struct aim__token *t, size_t lo, size_t hi, bool may_join)
{
    const struct aim__token *last = &t[hi - 1];
    if (last->kind == AIM__CLOSE && last->plain_text && last->mate > lo && t[last->mate].plain_text)
        return last->mate;
    bool joins = may_join && last->kind == AIM__SIGN && strchr("/*.", last->sign) && hi >= lo + 3 &&
                 may_go(t, hi - 2);
    return joins || may_go(t, hi - 1) ? hi - 1 : before_exponent(t, lo, hi);
}

size_t aim__before_units(const struct aim__token *t, size_t lo, size_t hi)
{
    size_t end = hi, next = hi;
    while (end > lo + 1 && (next = leave_out_one(t, lo, end, end < hi)) < end)
        end = next;
    return ends_in_value(t, lo, end) ? end : hi;
}
