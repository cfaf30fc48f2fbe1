/* SPDX-License-Identifier: Apache-2.0 */
/* normalizer.h - what is done to the characters of a text before it is cut
 * into words: the steps that tokenizer.json lists, in its order.
 *
 * Threading: immutable once filled; any number of threads may run it. */
#ifndef AIM_TEXT_NORMALIZER_H
#define AIM_TEXT_NORMALIZER_H

#include "text/allowance.h"
#include "text/normal_form.h"
#include "text/pattern.h"
#include "text/tokenizer.h"

enum { AIM__MAX_NORMALIZERS = 16 };

enum aim__normalizer_kind {
    AIM__NORMAL_FORM, /* one of Unicode's */
    AIM__PREPEND,     /* put a text in front of what is not empty */
    AIM__REPLACE,     /* matches of a pattern, or occurrences of a text, by a text */
    AIM__STRIP,       /* cut off white space */
};

struct aim__normalizer_step {
    enum aim__normalizer_kind kind;
    enum aim__normal_form form;
    aim__pattern *pattern; /* owned; or NULL, and then */
    char *wanted;          /* owned, not empty */
    char *content;         /* owned: what is put in front or in the place of a match */
    bool left, right;      /* the ends that are stripped */
};

struct aim__normalizer {
    struct aim__normalizer_step step[AIM__MAX_NORMALIZERS];
    int n;
};

/* A text on its way through the steps. */
struct aim__normal_text {
    aim_buf bytes;
    /* Where it is plain text (see aim_tokenizer_encode), as far as that can be
     * followed through the steps; all of it where it cannot. */
    aim_span *plain;
    size_t n_plain, room_plain;
    /* Its first character is still that of the original text, or was put in
     * front of it. */
    bool at_start;
};

/* Run the steps over well-formed text. out is zeroed before; out->plain, sorted
 * and within the text, may hold spans of it. The caller frees out, whatever is
 * returned. What the steps write is taken from the allowance. Errors: ENOMEM,
 * that of the allowance, AIM_EINVAL where a pattern runs into its limits or is
 * still at work at the deadline. */
int aim__normalize(const struct aim__normalizer *n, const char *text, size_t len,
                   struct aim__allowance *allowance, struct aim__normal_text *out, aim_error *err);
void aim__normal_text_free(struct aim__normal_text *text);
void aim__normalizer_fini(struct aim__normalizer *n);

#endif
