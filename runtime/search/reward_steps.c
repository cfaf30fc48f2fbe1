/* SPDX-License-Identifier: Apache-2.0 */
/* reward_steps.c - an answer cut into steps. */
#include "config.h" /* memmem */

#include "search/reward_impl.h"

#include "base/alloc.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Without the white space of ASCII at both ends. */
static struct aim__text strip(struct aim__text x)
{
    while (x.len > 0 && is_space(x.s[0]))
        x.s++, x.len--;
    while (x.len > 0 && is_space(x.s[x.len - 1]))
        x.len--;
    return x;
}

/* The pieces of an answer between separators, empty ones too. */
struct pieces {
    struct aim__text left, separator;
    bool complete; /* what is behind the last separator counts too */
    bool done;
};

static bool next_piece(struct pieces *p, struct aim__text *piece)
{
    struct aim__text *left = &p->left;
    if (p->done)
        return false;
    const char *stop = memmem(left->s, left->len, p->separator.s, p->separator.len);
    p->done = !stop;
    *piece = (struct aim__text){left->s, stop ? (size_t)(stop - left->s) : left->len};
    if (stop) {
        left->len -= piece->len + p->separator.len;
        left->s = stop + p->separator.len;
    }
    return stop || p->complete;
}

int aim__split_steps(const aim_reward *r, struct aim__dialogue *d, aim_error *err)
{
    const char *separator = r->text[AIM__REWARD_SEPARATOR];
    struct pieces pieces = {d->answer, {separator, strlen(separator)}, d->complete, false};
    struct aim__text piece;
    while (next_piece(&pieces, &piece)) {
        if (!r->layout->line_by_line)
            piece = strip(piece);
        if (piece.len == 0 && !r->layout->line_by_line)
            continue;
        if (d->n_steps == AIM_MAX_REWARD_STEPS)
            return aim_fail(err, AIM_ETOOLARGE, "the answer has more than %d steps",
                            AIM_MAX_REWARD_STEPS);
        if (!aim_grow(&d->steps, &d->room_steps, d->n_steps + 1, sizeof *d->steps))
            return aim_fail_nomem(err, "the steps of an answer");
        d->steps[d->n_steps++] = piece;
    }
    return AIM_OK;
}
