/* SPDX-License-Identifier: Apache-2.0 */
/* scan.h - hand-written, linear scanners for the published pre-tokenizer
 * patterns. Each cuts text exactly as its regular expression does. */
#ifndef AIM_TEXT_SCAN_H
#define AIM_TEXT_SCAN_H

#include <stddef.h>

/* End of the word that starts at s[pos]; the text ends at s[end], pos < end.
 * The text is well-formed UTF-8. */
typedef size_t aim__scan_fn(const unsigned char *s, size_t pos, size_t end);

size_t aim__scan_gpt2(const unsigned char *s, size_t pos, size_t end);

struct aim__known_pattern {
    const char *name, *pattern;
    aim__scan_fn *scan;
};
/* Ends with a row of NULLs. */
extern const struct aim__known_pattern aim__known_patterns[];

/* The scanner for a pattern, NULL if the pattern is not a known one. */
aim__scan_fn *aim__scan_for(const char *pattern);

#endif
