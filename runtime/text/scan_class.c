/* SPDX-License-Identifier: Apache-2.0 */
/* scan_class.c - scanners of the pre-tokenizers that cut where the class of
 * the characters changes. */
#include "text/scan.h"

#include "text/char_class.h"

size_t aim__scan_numbers(const unsigned char *s, size_t pos, size_t end)
{
    size_t n;
    bool number = aim__class_at(s + pos, &n) == AIM__NUMBER;
    do
        pos += n;
    while (pos < end && (aim__class_at(s + pos, &n) == AIM__NUMBER) == number);
    return pos;
}

size_t aim__scan_digits(const unsigned char *s, size_t pos, size_t end)
{
    size_t n;
    return aim__class_at(s + pos, &n) == AIM__NUMBER ? pos + n : aim__scan_numbers(s, pos, end);
}

size_t aim__scan_white_space(const unsigned char *s, size_t pos, size_t end)
{
    size_t n;
    bool space = aim__is_space(aim__class_at(s + pos, &n));
    do
        pos += n;
    while (pos < end && aim__is_space(aim__class_at(s + pos, &n)) == space);
    return pos;
}

/* What the words of Whitespace tell apart. */
enum kind { SPACE, WORD, SYMBOL };

static enum kind kind_at(const unsigned char *s, size_t *n)
{
    enum aim__class c = aim__class_at(s, n);
    if (aim__is_space(c))
        return SPACE;
    return c == AIM__LETTER || aim__is_word(aim__utf8_get(s, n)) ? WORD : SYMBOL;
}

size_t aim__scan_words(const unsigned char *s, size_t pos, size_t end)
{
    size_t n;
    enum kind kind = kind_at(s + pos, &n);
    do
        pos += n;
    while (pos < end && kind_at(s + pos, &n) == kind);
    return pos;
}
