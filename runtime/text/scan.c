/* SPDX-License-Identifier: Apache-2.0 */
#include "text/scan.h"

#include "text/char_class.h"

#include <string.h>

#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define WORDS "|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define REST "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The end of the run of characters of class c that starts at pos. */
static size_t skip(const unsigned char *s, size_t pos, size_t end, enum aim__class c)
{
    size_t n;
    while (pos < end && aim__class_at(s + pos, &n) == c)
        pos += n;
    return pos;
}

static unsigned char lower(unsigned char c)
{
    return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

/* 's|'t|'re|'ve|'m|'ll|'d at the apostrophe s[pos]; pos if there is none. */
static size_t contraction(const unsigned char *s, size_t pos, size_t end, bool fold)
{
    size_t left = end - pos;
    unsigned char a = left > 1 ? s[pos + 1] : 0, b = left > 2 ? s[pos + 2] : 0;
    if (fold) {
        /* The long s, U+017F, is the one other character that folds to a
         * letter of these. */
        if (a == 0xC5 && b == 0xBF)
            return pos + 3;
        a = lower(a);
        b = lower(b);
    }
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return pos + 2;
    if (((a == 'r' || a == 'v') && b == 'e') || (a == 'l' && b == 'l'))
        return pos + 3;
    return pos;
}

/* \s+(?!\S)|\s+ : a run of white space, but for its last character if
 * something follows. With newlines (\s*[\r\n]+ goes first) a run that has any
 * ends after its last one. */
static size_t scan_space(const unsigned char *s, size_t pos, size_t end, bool newlines)
{
    size_t at = pos, last = pos, after_newline = pos, n;
    while (at < end) {
        enum aim__class c = aim__class_at(s + at, &n);
        if (!aim__is_space(c))
            break;
        last = at;
        at += n;
        if (c == AIM__NEWLINE)
            after_newline = at;
    }
    if (newlines && after_newline > pos)
        return after_newline;
    return at < end && last > pos ? last : at;
}

size_t aim__scan_gpt2(const unsigned char *s, size_t pos, size_t end)
{
    size_t n, stop = s[pos] == '\'' ? contraction(s, pos, end, false) : pos;
    if (stop > pos)
        return stop;
    size_t from = s[pos] == ' ' ? pos + 1 : pos;
    if (from < end) {
        enum aim__class c = aim__class_at(s + from, &n);
        if (!aim__is_space(c))
            return skip(s, from + n, end, c);
    }
    return scan_space(s, pos, end, false);
}

/* \p{N}{1,most} */
static size_t scan_digits(const unsigned char *s, size_t pos, size_t end, int most)
{
    size_t n;
    while (most-- > 0 && pos < end && aim__class_at(s + pos, &n) == AIM__NUMBER)
        pos += n;
    return pos;
}

static inline size_t scan_cl100k(const unsigned char *s, size_t pos, size_t end, int digits)
{
    size_t n, m, stop = s[pos] == '\'' ? contraction(s, pos, end, true) : pos;
    if (stop > pos)
        return stop;
    enum aim__class c = aim__class_at(s + pos, &n);
    if (c == AIM__LETTER)
        return skip(s, pos + n, end, AIM__LETTER);
    if (c == AIM__NUMBER)
        return scan_digits(s, pos, end, digits);
    size_t next = pos + n;
    if (c != AIM__NEWLINE && next < end && aim__class_at(s + next, &m) == AIM__LETTER)
        return skip(s, next + m, end, AIM__LETTER);
    size_t from = s[pos] == ' ' ? next : pos;
    stop = skip(s, from, end, AIM__OTHER);
    if (stop > from)
        return skip(s, stop, end, AIM__NEWLINE);
    return scan_space(s, pos, end, true);
}

static size_t scan_three_digits(const unsigned char *s, size_t pos, size_t end)
{
    return scan_cl100k(s, pos, end, 3);
}

static size_t scan_one_digit(const unsigned char *s, size_t pos, size_t end)
{
    return scan_cl100k(s, pos, end, 1);
}

/* ---- o200k ---------------------------------------------------------------- */

/* [\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}] and [\p{Ll}\p{Lm}\p{Lo}\p{M}] */
static bool is_upper(enum aim__letter l)
{
    return l == AIM__UPPER || l == AIM__UNCASED;
}

static bool is_lower(enum aim__letter l)
{
    return l == AIM__LOWER || l == AIM__UNCASED;
}

/* The end of the run of letters that are as asked, from pos. */
static size_t skip_letters(const unsigned char *s, size_t pos, size_t end,
                           bool (*is_one)(enum aim__letter l))
{
    size_t n;
    while (pos < end && is_one(aim__letter_at(s + pos, &n)))
        pos += n;
    return pos;
}

/* [upper]*[lower]+ at pos; pos if there is none. Where no lower-case letter
 * ends the run of [upper], the expression gives back what follows the last
 * letter without case. */
static size_t ends_lower(const unsigned char *s, size_t pos, size_t end)
{
    size_t n, stop = skip_letters(s, pos, end, is_upper);
    if (stop < end && aim__letter_at(s + stop, &n) == AIM__LOWER)
        return skip_letters(s, stop, end, is_lower);
    while (stop > pos) {
        size_t last = aim__utf8_before(s, stop);
        if (aim__letter_at(s + last, &n) == AIM__UNCASED)
            break;
        stop = last;
    }
    return stop;
}

/* [upper]+[lower]* at pos; pos if there is none. */
static size_t starts_upper(const unsigned char *s, size_t pos, size_t end)
{
    size_t stop = skip_letters(s, pos, end, is_upper);
    return stop > pos ? skip_letters(s, stop, end, is_lower) : pos;
}

/* A word in one of the two forms, with or without a character before it; pos if
 * there is none. */
static size_t cased_word(const unsigned char *s, size_t pos, size_t end)
{
    size_t n, from = pos, stop;
    enum aim__class c = aim__class_at(s + pos, &n);
    if (c != AIM__NEWLINE && c != AIM__LETTER && c != AIM__NUMBER)
        from = pos + n;
    if ((stop = ends_lower(s, from, end)) > from || (stop = ends_lower(s, pos, end)) > pos ||
        (stop = starts_upper(s, from, end)) > from)
        return stop;
    return starts_upper(s, pos, end);
}

static size_t scan_o200k(const unsigned char *s, size_t pos, size_t end)
{
    size_t n, stop = cased_word(s, pos, end);
    if (stop > pos)
        return stop < end && s[stop] == '\'' ? contraction(s, stop, end, true) : stop;
    if (aim__class_at(s + pos, &n) == AIM__NUMBER)
        return scan_digits(s, pos, end, 3);
    size_t from = s[pos] == ' ' ? pos + 1 : pos;
    stop = skip(s, from, end, AIM__OTHER);
    if (stop == from)
        return scan_space(s, pos, end, true);
    while (stop < end && (s[stop] == '\r' || s[stop] == '\n' || s[stop] == '/'))
        stop++;
    return stop;
}

const struct aim__known_pattern aim__known_patterns[] = {
    {"gpt2", "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+",
     aim__scan_gpt2},
    {"llama3", CONTRACTIONS WORDS "|\\p{N}{1,3}" REST, scan_three_digits},
    {"cl100k",
     "'(?i:[sdmt]|ll|ve|re)|[^\\r\\n\\p{L}\\p{N}]?+\\p{L}+|\\p{N}{1,3}| "
     "?[^\\s\\p{L}\\p{N}]++[\\r\\n]*|\\s*[\\r\\n]|\\s+(?!\\S)|\\s+",
     scan_three_digits},
    {"qwen2", CONTRACTIONS WORDS "|\\p{N}" REST, scan_one_digit},
    {"o200k",
     "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTRACTIONS "?|[^\\r\\n\\p{L}\\p{N}]?" UPPER
     "+" LOWER "*" CONTRACTIONS
     "?|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
     scan_o200k},
    {NULL, NULL, NULL},
};

aim__scan_fn *aim__scan_for(const char *pattern)
{
    const struct aim__known_pattern *p = aim__known_patterns;
    while (p->name && strcmp(p->pattern, pattern) != 0)
        p++;
    return p->scan;
}
