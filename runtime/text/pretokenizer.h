/* SPDX-License-Identifier: Apache-2.0 */
/* pretokenizer.h - text to words: the steps that tokenizer.json lists, each
 * cutting or changing the pieces of the one before.
 *
 * Threading: immutable once filled; any number of threads may run it. */
#ifndef AIM_TEXT_PRETOKENIZER_H
#define AIM_TEXT_PRETOKENIZER_H

#include "base/error.h"
#include "text/allowance.h"
#include "text/scan.h"
#include "text/split.h"

#include <stdbool.h>

enum { AIM__MAX_STEPS = 16 };

enum aim__step_kind {
    AIM__STEP_SCAN,         /* cut by a scanner */
    AIM__STEP_SPLIT,        /* cut by a pattern */
    AIM__STEP_PREFIX_SPACE, /* put a space before a piece that does not start with one */
    AIM__STEP_METASPACE,    /* write spaces as another character, and put one in front */
};

/* Where Metaspace puts its character in front of pieces that lack it. */
enum aim__prepend_scheme {
    AIM__PREPEND_ALWAYS,
    AIM__PREPEND_FIRST, /* only where the whole text begins */
    AIM__PREPEND_NEVER,
};

struct aim__metaspace {
    char replacement[5]; /* one character, and NUL */
    enum aim__prepend_scheme prepend;
};

struct aim__step {
    enum aim__step_kind kind;
    bool drop_space; /* of a scanner's pieces, those of white space */
    union {
        aim__scan_fn *scan;
        struct aim__split split;
        struct aim__metaspace metaspace;
    };
};

struct aim__pretokenizer {
    struct aim__step step[AIM__MAX_STEPS];
    int n;
    bool byte_level; /* words are bytes in the alphabet of GPT-2, not characters */
};

/* Hand the words of well-formed text to fn in order; all of it is one word if
 * there are no steps. at_start: the whole text begins here, not behind an added
 * token. The pieces that a step changes are taken from the allowance. Errors:
 * those of fn, ENOMEM, that of the allowance, and AIM_EINVAL where a pattern runs
 * into its limits or is still at work at the deadline. */
int aim__pretokenizer_run(const struct aim__pretokenizer *p, const char *text, size_t len,
                          bool at_start, struct aim__allowance *allowance, aim__piece_fn *fn,
                          void *arg, aim_error *err);
void aim__pretokenizer_fini(struct aim__pretokenizer *p);

#endif
