/* SPDX-License-Identifier: Apache-2.0 */
/* pretokenizer.h - text to words: the steps that tokenizer.json lists, each
 * cutting the pieces of the one before.
 *
 * Threading: immutable once filled; any number of threads may run it. */
#ifndef AIM_TEXT_PRETOKENIZER_H
#define AIM_TEXT_PRETOKENIZER_H

#include "base/error.h"
#include "text/pattern.h"
#include "text/scan.h"

#include <stdbool.h>

enum { AIM__MAX_STEPS = 8 };

/* One of three: a scanner, a pattern, or a space in front. */
struct aim__step {
    aim__scan_fn *scan;
    aim__pattern *pattern;
    bool prefix_space; /* put a space before a piece that does not start with one */
};

struct aim__pretokenizer {
    struct aim__step step[AIM__MAX_STEPS];
    int n;
    bool byte_level; /* words are bytes in the alphabet of GPT-2, not characters */
};

/* Takes a word, n >= 1 bytes; returns AIM_OK or a code, which ends the run. */
typedef int aim__word_fn(void *arg, const char *word, size_t n);

/* Hand the words of well-formed text to fn in order; all of it is one word if
 * there are no steps. at_start: the whole text begins here, not behind an added
 * token. Errors: those of fn, ENOMEM, and AIM_EINVAL where a pattern runs into
 * its limits. */
int aim__pretokenizer_run(const struct aim__pretokenizer *p, const char *text, size_t len,
                          bool at_start, aim__word_fn *fn, void *arg, aim_error *err);
void aim__pretokenizer_fini(struct aim__pretokenizer *p);

#endif
