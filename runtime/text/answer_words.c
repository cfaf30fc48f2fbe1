/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_parts.h"

/* "2.5 million": a number and one word behind it. */
static bool read_scaled(const struct aim__token *t, size_t lo, size_t hi, struct aim__rational *r)
{
    aim__wide scale =
        hi - lo == 2 && t[lo + 1].kind == AIM__WORD ? aim__scale_of_word(t[lo + 1].text) : 0;
    return scale > 0 && t[lo].kind == AIM__NUMBER && aim__numeral_value(t[lo].text, r) &&
           aim__rational_multiply(r, (struct aim__rational){scale, 1});
}

/* Words alone; hyphens and "and" may stand between two of them. */
static bool read_words(const struct aim__token *t, size_t lo, size_t hi, struct aim__rational *r)
{
    struct aim__number_words n = AIM__NUMBER_WORDS;
    for (size_t i = lo; i < hi; i++) {
        bool joins = aim__is_sign(&t[i], '-') || aim__is_word(&t[i], "and");
        if (joins && i > lo && i + 1 < hi && t[i + 1].kind == AIM__WORD)
            continue;
        if (t[i].kind != AIM__WORD || !aim__number_words_add(&n, t[i].text))
            return false;
    }
    return aim__rational_set(r, n.total + n.group, 1);
}

bool aim__number_in_words(const struct aim__token *t, size_t lo, size_t hi, struct aim__rational *r)
{
    bool negative = hi > lo && (aim__is_sign(&t[lo], '-') || aim__is_word(&t[lo], "minus") ||
                                aim__is_word(&t[lo], "negative"));
    lo += negative;
    if (lo >= hi || (!read_words(t, lo, hi, r) && !read_scaled(t, lo, hi, r)))
        return false;
    return !negative || aim__rational_multiply(r, (struct aim__rational){-1, 1});
}
