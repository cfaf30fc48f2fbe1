/* SPDX-License-Identifier: Apache-2.0 */
/* pattern.h - a pre-tokenizer pattern that has no scanner of its own, run by
 * PCRE2 under limits on matching steps, depth, heap and time.
 *
 * tokenizer.json is written for Oniguruma, whose language differs from PCRE2's
 * in places; what they read differently is refused, not guessed.
 *
 * Threading: immutable once compiled. */
#ifndef AIM_TEXT_PATTERN_H
#define AIM_TEXT_PATTERN_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aim__pattern aim__pattern;

/* A new pattern in *out. where names the field in errors: EUNSUPPORTED for what
 * the two languages read differently, EFORMAT for what does not compile, ENOMEM. */
int aim__pattern_compile(const char *pattern, const char *where, aim__pattern **out,
                         aim_error *err);
void aim__pattern_free(aim__pattern *p); /* NULL is fine */

/* The time of aim_now_ns by which work that starts now should be done. */
uint64_t aim__pattern_deadline(void);

/* Takes the stretch [start, stop) of a text: a match, or what lies before, behind
 * and between matches. Returns AIM_OK or a code, which ends the search. */
typedef int aim__stretch_fn(void *arg, size_t start, size_t stop, bool match);

/* Hand the whole text, len >= 1, to fn, stretch by stretch: a match may be empty,
 * anything else is not. The text is well-formed UTF-8. Errors: those of fn, ENOMEM, and
 * AIM_EINVAL where a limit is hit or aim_now_ns passes the deadline: work on a
 * pattern nobody has seen may grow with the square of the text. */
int aim__pattern_find_all(const aim__pattern *p, const char *text, size_t len, uint64_t deadline,
                          aim__stretch_fn *fn, void *arg, aim_error *err);

#endif
