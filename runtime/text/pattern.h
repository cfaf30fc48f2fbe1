/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - a pre-tokenizer pattern that has no scanner of its own, run by
 * PCRE2 under limits on matching steps, depth and heap.
 *
 * tokenizer.json is written for Oniguruma, whose language differs from PCRE2's
 * in places; what they read differently is refused, not guessed.
 *
 * Threading: immutable once compiled. */
#ifndef AIM_TEXT_PATTERN_H
#define AIM_TEXT_PATTERN_H

#include "base/error.h"

#include <stddef.h>

typedef struct aim__pattern aim__pattern;

/* where names the field in errors: EUNSUPPORTED for what the two languages
 * read differently, EFORMAT for what does not compile. */
aim__pattern *aim__pattern_compile(const char *pattern, const char *where, aim_error *err);
void aim__pattern_free(aim__pattern *p); /* NULL is fine */

/* Hand the matches and the stretches between them to fn in order, none of them
 * empty. The text is well-formed UTF-8. Errors: those of fn, ENOMEM, and
 * AIM_EINVAL where a limit is hit. */
int aim__pattern_split(const aim__pattern *p, const char *text, size_t len,
                       int (*fn)(void *arg, const char *piece, size_t n), void *arg,
                       aim_error *err);

#endif
