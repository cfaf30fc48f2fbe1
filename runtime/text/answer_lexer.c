/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_lexer.h"

#include "base/alloc.h"

#include <string.h>

/* ---- small steps ------------------------------------------------------------------ */

void aim__lexer_skip_spaces(struct aim__lexer *x)
{
    for (; aim__lexer_is_space(aim__lexer_peek(x, 0)); x->at++)
        x->spaced = true;
}

static bool next_is(const struct aim__lexer *x, const char *s)
{
    struct aim__slice rest = {x->text.s + x->at, x->text.len - x->at};
    return aim__slice_starts_with(rest, s);
}

bool aim__lexer_take(struct aim__lexer *x, const char *s)
{
    bool is = next_is(x, s);
    if (is)
        x->at += strlen(s);
    return is;
}

void aim__lexer_put(struct aim__lexer *x, enum aim__token_kind kind, char sign,
                    struct aim__slice text)
{
    struct aim__tokens *out = &x->out;
    if (out->failed || !aim_grow(&out->list, &out->room, out->n + 1, sizeof *out->list)) {
        out->failed = true;
        return;
    }
    out->list[out->n++] = (struct aim__token){
        .kind = kind, .sign = sign, .spaced = x->spaced, .plain_text = x->plain_text, .text = text};
    x->spaced = false;
}

void aim__lexer_put_next(struct aim__lexer *x, enum aim__token_kind kind, size_t n)
{
    aim__lexer_put(x, kind, 0, (struct aim__slice){x->text.s + x->at, n});
    x->at += n;
    x->single = false;
}

void aim__lexer_put_sign(struct aim__lexer *x, char sign)
{
    aim__lexer_put(x, AIM__SIGN, sign, (struct aim__slice){NULL, 0});
    x->single = sign == '^' || sign == '_';
    x->arguments = 0;
}

/* ---- brackets --------------------------------------------------------------------- */

void aim__lexer_open(struct aim__lexer *x, char sign, bool silent)
{
    if (x->out.failed || !aim_grow(&x->open, &x->open_room, x->n_open + 1, sizeof *x->open)) {
        x->out.failed = true;
        return;
    }
    x->open[x->n_open++] =
        (struct aim__open_bracket){.sign = sign,
                                   .silent = silent,
                                   .plain_text = x->plain_text,
                                   .arguments = x->arguments > 0 ? x->arguments - 1 : 0,
                                   .token = x->out.n};
    x->arguments = 0;
    x->single = false;
}

void aim__lexer_put_open(struct aim__lexer *x, char sign, struct aim__slice name)
{
    aim__lexer_open(x, sign, false);
    /* A sign like any other, until its mate is seen. */
    aim__lexer_put(x, AIM__SIGN, sign, name);
}

/* Round and square brackets close each other: intervals are half open. */
static bool closes(char open, char sign)
{
    bool is_interval = open == '(' || open == '[';
    return is_interval ? sign == '(' || sign == '[' : open == sign;
}

void aim__lexer_put_close(struct aim__lexer *x, char sign, char shown)
{
    while (x->n_open > 0 && x->open[x->n_open - 1].sign == '|' && sign != '|')
        x->n_open--; /* a bar that has no mate */
    if (x->n_open == 0 || !closes(x->open[x->n_open - 1].sign, sign)) {
        if (shown)
            aim__lexer_put_sign(x, shown);
        return;
    }
    const struct aim__open_bracket *open = &x->open[--x->n_open];
    x->plain_text = open->plain_text;
    x->arguments = open->arguments;
    x->single = false;
    if (open->silent) {
        x->spaced = true;
        return;
    }
    size_t mate = open->token;
    aim__lexer_put(x, AIM__CLOSE, sign, x->out.list[mate].text);
    if (x->out.failed)
        return;
    x->out.list[mate].kind = AIM__OPEN;
    x->out.list[mate].mate = x->out.n - 1;
    x->out.list[x->out.n - 1].mate = mate;
}

void aim__lexer_put_bar(struct aim__lexer *x)
{
    bool is_open = x->n_open > 0 && x->open[x->n_open - 1].sign == '|';
    if (is_open)
        aim__lexer_put_close(x, '|', '|');
    else
        aim__lexer_put_open(x, '|', (struct aim__slice){NULL, 0});
}

char aim__lexer_innermost(const struct aim__lexer *x)
{
    size_t n = x->n_open;
    while (n > 0 && (x->open[n - 1].silent || x->open[n - 1].sign == '|'))
        n--;
    return n > 0 ? x->open[n - 1].sign : '\0';
}
