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

struct aim__text aim__strip(struct aim__text x)
{
    while (x.len > 0 && is_space(x.s[0]))
        x.s++, x.len--;
    while (x.len > 0 && is_space(x.s[x.len - 1]))
        x.len--;
    return x;
}

bool aim__next_piece(struct aim__pieces *p, struct aim__text *piece)
{
    if (p->done)
        return false;
    struct aim__text left = {p->text.s + p->at, p->text.len - p->at};
    const char *stop = memmem(left.s, left.len, p->separator.s, p->separator.len);
    p->done = !stop;
    *piece = (struct aim__text){left.s, stop ? (size_t)(stop - left.s) : left.len};
    p->at += piece->len + (stop ? p->separator.len : 0);
    return stop || p->complete;
}

struct aim__pieces aim__pieces_of(const aim_reward *r, const struct aim__dialogue *d)
{
    const char *separator = r->text[AIM__REWARD_SEPARATOR];
    return (struct aim__pieces){
        .text = d->answer,
        .separator = {separator, strlen(separator)},
        .complete = d->complete,
    };
}

int aim__split_steps(const aim_reward *r, struct aim__dialogue *d, aim_error *err)
{
    struct aim__pieces pieces = aim__pieces_of(r, d);
    struct aim__text piece;
    while (aim__next_piece(&pieces, &piece)) {
        piece = aim__strip(piece);
        if (piece.len == 0)
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
