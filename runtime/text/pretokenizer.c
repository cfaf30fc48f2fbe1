/* SPDX-License-Identifier: Apache-2.0 */
#include "text/pretokenizer.h"

#include "base/buf.h"
#include "text/char_class.h"

#include <string.h>

struct run {
    const struct aim__pretokenizer *p;
    struct aim__allowance *allowance;
    aim__piece_fn *fn;
    void *arg;
    aim_error *err;
};

/* A piece of n >= 1 bytes; at_start: the whole text begins with it. */
struct piece {
    const char *s;
    size_t n;
    bool at_start;
};

static int run_step(const struct run *r, int step, struct piece piece);

static int scan(const struct run *r, int step, struct piece piece)
{
    const struct aim__step *what = &r->p->step[step];
    const unsigned char *s = (const unsigned char *)piece.s;
    int code = AIM_OK;
    for (size_t pos = 0, stop, n; pos < piece.n && !code; pos = stop) {
        stop = what->scan(s, pos, piece.n);
        if (what->drop_space && aim__is_space(aim__class_at(s + pos, &n)))
            continue;
        struct piece part = {piece.s + pos, stop - pos, piece.at_start && pos == 0};
        code = run_step(r, step + 1, part);
    }
    return code;
}

/* A step that was given a piece, and hands its parts to the next one. */
struct splitting {
    const struct run *run;
    int step;
    struct piece piece;
};

static int on_part(void *arg, const char *s, size_t n)
{
    const struct splitting *at = arg;
    struct piece part = {s, n, at->piece.at_start && s == at->piece.s};
    return run_step(at->run, at->step + 1, part);
}

static int split(const struct run *r, int step, struct piece piece)
{
    struct splitting at = {r, step, piece};
    return aim__split_run(&r->p->step[step].split, piece.s, piece.n, r->allowance->deadline,
                          on_part, &at, r->err);
}

/* Go on with the changed piece, which is freed. A character became four bytes at
 * most, so that it is early enough to count them here. */
static int run_changed(const struct run *r, int step, aim_buf *changed, bool at_start)
{
    struct piece piece = {changed->data, changed->len, at_start};
    int code = changed->failed ? aim_fail_nomem(r->err, "a word of the text")
                               : aim__allowance_take(r->allowance, piece.n);
    if (!code)
        code = run_step(r, step + 1, piece);
    aim_buf_free(changed);
    return code;
}

static int prefix_space(const struct run *r, int step, struct piece piece)
{
    if (piece.s[0] == ' ')
        return run_step(r, step + 1, piece);
    aim_buf spaced = AIM_BUF_INIT;
    aim_buf_puts(&spaced, " ");
    aim_buf_append(&spaced, piece.s, piece.n);
    return run_changed(r, step, &spaced, piece.at_start);
}

/* Does the replacement go in front of this piece? */
static bool is_prepended(const struct aim__metaspace *m, struct piece piece)
{
    size_t n = strlen(m->replacement);
    bool has_it = piece.s[0] == ' ' || (piece.n >= n && memcmp(piece.s, m->replacement, n) == 0);
    return !has_it && (m->prepend == AIM__PREPEND_ALWAYS ||
                       (m->prepend == AIM__PREPEND_FIRST && piece.at_start));
}

static void replace_spaces(struct piece piece, const char *replacement, aim_buf *out)
{
    const char *at = piece.s, *end = piece.s + piece.n;
    for (const char *space; (space = memchr(at, ' ', (size_t)(end - at))); at = space + 1) {
        aim_buf_append(out, at, (size_t)(space - at));
        aim_buf_puts(out, replacement);
    }
    aim_buf_append(out, at, (size_t)(end - at));
}

static int metaspace(const struct run *r, int step, struct piece piece)
{
    const struct aim__metaspace *m = &r->p->step[step].metaspace;
    bool prepended = is_prepended(m, piece);
    if (!prepended && !memchr(piece.s, ' ', piece.n))
        return run_step(r, step + 1, piece);
    aim_buf changed = AIM_BUF_INIT;
    if (prepended)
        aim_buf_puts(&changed, m->replacement);
    replace_spaces(piece, m->replacement, &changed);
    return run_changed(r, step, &changed, piece.at_start);
}

/* Recursion is as deep as there are steps, AIM__MAX_STEPS at most. */
static int run_step(const struct run *r, int step, struct piece piece)
{
    if (step == r->p->n)
        return r->fn(r->arg, piece.s, piece.n);
    switch (r->p->step[step].kind) {
    case AIM__STEP_SCAN:
        return scan(r, step, piece);
    case AIM__STEP_SPLIT:
        return split(r, step, piece);
    case AIM__STEP_PREFIX_SPACE:
        return prefix_space(r, step, piece);
    case AIM__STEP_METASPACE:
        break;
    }
    return metaspace(r, step, piece);
}

int aim__pretokenizer_run(const struct aim__pretokenizer *p, const char *text, size_t len,
                          bool at_start, struct aim__allowance *allowance, aim__piece_fn *fn,
                          void *arg, aim_error *err)
{
    const struct run r = {p, allowance, fn, arg, err};
    return len > 0 ? run_step(&r, 0, (struct piece){text, len, at_start}) : AIM_OK;
}

void aim__pretokenizer_fini(struct aim__pretokenizer *p)
{
    for (int i = 0; i < p->n; i++)
        if (p->step[i].kind == AIM__STEP_SPLIT)
            aim__split_fini(&p->step[i].split);
}
