/* SPDX-License-Identifier: Apache-2.0 */
#include "text/char_class.h"

#include <utf8proc.h>

const uint8_t aim__ascii_class[128] = {
    ['\t'] = AIM__SPACE,         ['\n'] = AIM__NEWLINE,       ['\v' ... '\f'] = AIM__SPACE,
    ['\r'] = AIM__NEWLINE,       [' '] = AIM__SPACE,          ['0' ... '9'] = AIM__NUMBER,
    ['A' ... 'Z'] = AIM__LETTER, ['a' ... 'z'] = AIM__LETTER,
};

enum aim__class aim__class_beyond_ascii(int32_t cp)
{
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
        return AIM__LETTER;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
        return AIM__NUMBER;
    case UTF8PROC_CATEGORY_ZS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return AIM__SPACE;
    default:
        /* NEXT LINE is white space without being a separator. */
        return cp == 0x85 ? AIM__SPACE : AIM__OTHER;
    }
}

enum aim__letter aim__letter_at(const unsigned char *s, size_t *n)
{
    switch (utf8proc_category(aim__utf8_get(s, n))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LT:
        return AIM__UPPER;
    case UTF8PROC_CATEGORY_LL:
        return AIM__LOWER;
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
        return AIM__UNCASED;
    default:
        return AIM__NO_LETTER;
    }
}

/* Letters in circles and squares are symbols by category, alphabetic by
 * property. */
static bool is_enclosed_letter(int32_t cp)
{
    return (cp >= 0x24B6 && cp <= 0x24E9) || (cp >= 0x1F130 && cp <= 0x1F149) ||
           (cp >= 0x1F150 && cp <= 0x1F169) || (cp >= 0x1F170 && cp <= 0x1F189);
}

bool aim__is_word(int32_t cp)
{
    switch (utf8proc_category(cp)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
        return true;
    default:
        return cp == 0x200C || cp == 0x200D || is_enclosed_letter(cp);
    }
}
