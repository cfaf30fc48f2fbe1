/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h" /* memmem */

#include "text/split.h"

#include "base/alloc.h"

#include <string.h>

/* Stretches on their way to pieces. */
struct splitter {
    const struct aim__split *split;
    const char *text;
    aim__piece_fn *fn;
    void *arg;
    size_t start, stop; /* the piece that may still grow, */
    bool open;          /* if there is one */
    bool after_match;   /* the last stretch was a match */
};

/* Does a stretch belong to the piece of the one before it? */
static bool joins(const struct splitter *s, bool match)
{
    switch (s->split->behavior) {
    case AIM__MERGED_WITH_PREVIOUS:
        return match && !s->after_match;
    case AIM__MERGED_WITH_NEXT:
        return !match && s->after_match;
    case AIM__CONTIGUOUS:
        return match == s->after_match;
    case AIM__ISOLATED:
    case AIM__REMOVED:
        break;
    }
    return false;
}

static int end_piece(struct splitter *s)
{
    bool any = s->open && s->stop > s->start;
    s->open = false;
    return any ? s->fn(s->arg, s->text + s->start, s->stop - s->start) : AIM_OK;
}

static int on_stretch(void *arg, size_t start, size_t stop, bool match)
{
    struct splitter *s = arg;
    int code = AIM_OK;
    match = match != s->split->invert;
    if (!s->open || !joins(s, match)) {
        code = end_piece(s);
        s->start = start;
        s->open = !(match && s->split->behavior == AIM__REMOVED);
    }
    s->stop = stop;
    s->after_match = match;
    return code;
}

int aim__find_text(const char *wanted, const char *text, size_t len, aim__stretch_fn *fn, void *arg)
{
    size_t n = strlen(wanted), done = 0;
    int code = AIM_OK;
    for (const char *at; !code && (at = memmem(text + done, len - done, wanted, n));) {
        size_t start = (size_t)(at - text);
        if (start > done)
            code = fn(arg, done, start, false);
        if (!code)
            code = fn(arg, start, start + n, true);
        done = start + n;
    }
    return code || done == len ? code : fn(arg, done, len, false);
}

int aim__split_run(const struct aim__split *split, const char *text, size_t len, uint64_t deadline,
                   aim__piece_fn *fn, void *arg, aim_error *err)
{
    struct splitter s = {.split = split, .text = text, .fn = fn, .arg = arg};
    int code = split->pattern
                   ? aim__pattern_find_all(split->pattern, text, len, deadline, on_stretch, &s, err)
                   : aim__find_text(split->text, text, len, on_stretch, &s);
    return code ? code : end_piece(&s);
}

void aim__split_fini(struct aim__split *split)
{
    aim__pattern_free(split->pattern);
    aim_free(split->text);
}
