/* SPDX-License-Identifier: Apache-2.0 */
#include "text/pretokenizer.h"

#include "base/alloc.h"

#include <string.h>

struct run {
    const struct aim__pretokenizer *p;
    aim__word_fn *fn;
    void *arg;
    aim_error *err;
};

/* A piece on its way to the step it is for. */
struct at_step {
    const struct run *run;
    int step;
};

static int run_step(const struct run *r, int step, const char *s, size_t n);

static int on_piece(void *arg, const char *s, size_t n)
{
    const struct at_step *at = arg;
    return run_step(at->run, at->step, s, n);
}

static int scan(const struct run *r, int step, const char *s, size_t n)
{
    aim__scan_fn *next = r->p->step[step].scan;
    int code = AIM_OK;
    for (size_t pos = 0, stop; pos < n && !code; pos = stop) {
        stop = next((const unsigned char *)s, pos, n);
        code = run_step(r, step + 1, s + pos, stop - pos);
    }
    return code;
}

static int prefix_space(const struct run *r, int step, const char *s, size_t n)
{
    if (s[0] == ' ')
        return run_step(r, step + 1, s, n);
    char *spaced = aim_malloc(n + 1);
    if (!spaced)
        return aim_fail_nomem(r->err, "a word of the text");
    spaced[0] = ' ';
    memcpy(spaced + 1, s, n);
    int code = run_step(r, step + 1, spaced, n + 1);
    aim_free(spaced);
    return code;
}

/* Recursion is as deep as there are steps, AIM__MAX_STEPS at most. */
static int run_step(const struct run *r, int step, const char *s, size_t n)
{
    if (step == r->p->n)
        return r->fn(r->arg, s, n);
    const struct aim__step *what = &r->p->step[step];
    if (what->scan)
        return scan(r, step, s, n);
    if (what->prefix_space)
        return prefix_space(r, step, s, n);
    struct at_step next = {r, step + 1};
    return aim__pattern_split(what->pattern, s, n, on_piece, &next, r->err);
}

int aim__pretokenizer_run(const struct aim__pretokenizer *p, const char *text, size_t len,
                          bool at_start, aim__word_fn *fn, void *arg, aim_error *err)
{
    (void)at_start;
    const struct run r = {p, fn, arg, err};
    return len > 0 ? run_step(&r, 0, text, len) : AIM_OK;
}

void aim__pretokenizer_fini(struct aim__pretokenizer *p)
{
    for (int i = 0; i < p->n; i++)
        aim__pattern_free(p->step[i].pattern);
}
