/* SPDX-License-Identifier: Apache-2.0 */
/* split.h - text cut at the matches of a pattern or of a fixed text, and what
 * becomes of the matches: the Split step of tokenizer.json.
 *
 * Threading: immutable once filled; any number of threads may run it. */
#ifndef AIM_TEXT_SPLIT_H
#define AIM_TEXT_SPLIT_H

#include "text/pattern.h"

enum aim__split_behavior {
    AIM__ISOLATED,             /* a match is a piece */
    AIM__REMOVED,              /* a match is dropped */
    AIM__MERGED_WITH_PREVIOUS, /* a match ends the piece before it */
    AIM__MERGED_WITH_NEXT,     /* a match starts the piece behind it */
    AIM__CONTIGUOUS,           /* matches next to one another are one piece */
};

struct aim__split {
    aim__pattern *pattern; /* owned; or NULL, and then: */
    char *text;            /* owned, not empty */
    enum aim__split_behavior behavior;
    bool invert; /* what lies between the matches counts as matches */
};

/* Takes a piece, n >= 1 bytes; returns AIM_OK or a code, which ends the run. */
typedef int aim__piece_fn(void *arg, const char *piece, size_t n);

/* As aim__pattern_find_all, for the occurrences of a text that is not empty.
 * Errors: those of fn. */
int aim__find_text(const char *wanted, const char *text, size_t len, aim__stretch_fn *fn,
                   void *arg);

/* Hand the pieces of well-formed text, len >= 1, to fn in order; they lie in
 * text. Errors: those of fn and of aim__pattern_find_all. */
int aim__split_run(const struct aim__split *split, const char *text, size_t len, uint64_t deadline,
                   aim__piece_fn *fn, void *arg, aim_error *err);
void aim__split_fini(struct aim__split *split);

#endif
