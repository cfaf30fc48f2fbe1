/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - hand-written, linear scanners for the published pre-tokenizer
 * patterns, each of which cuts text exactly as its regular expression does, and
 * for the pre-tokenizers that cut by classes of characters. */
#ifndef AIM_TEXT_SCAN_H
#define AIM_TEXT_SCAN_H

#include <stddef.h>

/* End of the word that starts at s[pos]; the text ends at s[end], pos < end.
 * The text is well-formed UTF-8. */
typedef size_t aim__scan_fn(const unsigned char *s, size_t pos, size_t end);

size_t aim__scan_gpt2(const unsigned char *s, size_t pos, size_t end);

/* Runs of numbers (\p{N}), and what lies between them. */
size_t aim__scan_numbers(const unsigned char *s, size_t pos, size_t end);
/* Single numbers, and what lies between them. */
size_t aim__scan_digits(const unsigned char *s, size_t pos, size_t end);
/* Runs of white space, and what lies between them. */
size_t aim__scan_white_space(const unsigned char *s, size_t pos, size_t end);
/* Runs of white space, of \w, and of [^\s\w]. */
size_t aim__scan_words(const unsigned char *s, size_t pos, size_t end);

struct aim__known_pattern {
    const char *name, *pattern;
    aim__scan_fn *scan;
};
/* Ends with a row of NULLs. */
extern const struct aim__known_pattern aim__known_patterns[];

/* The scanner for a pattern, NULL if the pattern is not a known one. */
aim__scan_fn *aim__scan_for(const char *pattern);

#endif
