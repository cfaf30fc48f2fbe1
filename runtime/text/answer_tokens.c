/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_lexer.h"

#include "base/alloc.h"

#include <string.h>

/* ---- numbers ---------------------------------------------------------------------- */

static size_t digits(const struct aim__lexer *x, size_t ahead)
{
    size_t n = 0;
    while (aim__is_digit(aim__lexer_peek(x, ahead + n)))
        n++;
    return n;
}

/* Bytes of what sets thousands apart, so far ahead. Between the elements of a tuple a
 * bare comma does not. */
static size_t separator(const struct aim__lexer *x, size_t ahead)
{
    static const char *const separators[] = {"{,}", "{,}\\!", ",\\!", ",\\,", "\\,", "\\!", "\\;"};
    struct aim__slice rest = {x->text.s + x->at + ahead, x->text.len - x->at - ahead};
    char in = aim__lexer_innermost(x);
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        size_t n = strlen(separators[i]);
        if (aim__slice_starts_with(rest, separators[i]) && digits(x, ahead + n) == 3)
            return n;
    }
    bool is_comma = (in == '\0' || in == AIM__GROUP) && aim__lexer_peek(x, ahead) == ',';
    return is_comma && digits(x, ahead + 1) == 3 ? 1 : 0;
}

/* Bytes of an exponent "e-5", so far ahead. */
static size_t exponent(const struct aim__lexer *x, size_t ahead)
{
    char e = aim__lexer_peek(x, ahead), sign = aim__lexer_peek(x, ahead + 1);
    if (e != 'e' && e != 'E')
        return 0;
    size_t start = 1 + (sign == '-' || sign == '+'), n = digits(x, ahead + start);
    return n > 0 && !aim__is_letter(aim__lexer_peek(x, ahead + start + n)) ? start + n : 0;
}

static size_t number_length(const struct aim__lexer *x)
{
    size_t first = digits(x, 0), n = first, gap;
    while (first >= 1 && first <= 3 && (gap = separator(x, n)))
        n += gap + 3;
    if (aim__lexer_peek(x, n) == '.' && digits(x, n + 1) > 0)
        n += 1 + digits(x, n + 1);
    return n > 0 ? n + exponent(x, n) : 0;
}

static void put_number(struct aim__lexer *x)
{
    size_t n = x->arguments > 0 ? 1 : number_length(x);
    x->arguments -= x->arguments > 0;
    aim__lexer_put_next(x, AIM__NUMBER, n);
}

/* ---- words ------------------------------------------------------------------------ */

/* The x of "3.5 x 10^4". */
static bool is_times(const struct aim__lexer *x)
{
    size_t n = x->out.n, ahead = 1;
    while (aim__lexer_is_space(aim__lexer_peek(x, ahead)))
        ahead++;
    struct aim__slice rest = {x->text.s + x->at + ahead, x->text.len - x->at - ahead};
    return aim__lexer_peek(x, 0) == 'x' && n > 0 && x->out.list[n - 1].kind == AIM__NUMBER &&
           aim__slice_starts_with(rest, "10^");
}

static void put_word(struct aim__lexer *x)
{
    if (is_times(x)) {
        aim__lexer_put_sign(x, '*');
        x->at++;
        return;
    }
    struct aim__slice word = {x->text.s + x->at, 1};
    bool one = aim__is_letter(*word.s) && (x->single || x->arguments > 0);
    while (!one && aim__is_word_byte(aim__lexer_peek(x, word.len)))
        word.len++;
    const char *command = aim__word_command(word);
    x->arguments -= x->arguments > 0;
    aim__lexer_put_next(x, AIM__WORD, word.len);
    if (command && !x->out.failed) {
        struct aim__token *t = &x->out.list[x->out.n - 1];
        t->kind = AIM__COMMAND;
        t->text = (struct aim__slice){command, strlen(command)};
    }
}

/* ---- the whole -------------------------------------------------------------------- */

static void put_power(struct aim__lexer *x)
{
    x->at++;
    size_t start = x->at;
    aim__lexer_skip_spaces(x);
    if (aim__lexer_take(x, "\\circ") || aim__lexer_take(x, "{\\circ}") ||
        aim__lexer_take(x, "{ \\circ }")) {
        aim__lexer_skip_degrees(x);
        return;
    }
    x->at = start;
    aim__lexer_put_sign(x, '^');
}

/* Two stars are a power between two things, else they are what prints as bold. */
static void put_stars(struct aim__lexer *x)
{
    char behind = aim__lexer_peek(x, 2);
    x->at += 2;
    if (x->out.n > 0 && (aim__is_digit(behind) || aim__is_letter(behind) || behind == '('))
        aim__lexer_put_sign(x, '^');
}

static void put_other(struct aim__lexer *x, char c)
{
    if (c == '*' && aim__lexer_peek(x, 1) == '*') {
        put_stars(x);
        return;
    }
    x->at++;
    if (c == '{' || c == '(' || c == '[')
        aim__lexer_put_open(x, c, (struct aim__slice){NULL, 0});
    else if (c == '}')
        aim__lexer_put_close(x, AIM__GROUP, c);
    else if (c == ')' || c == ']')
        aim__lexer_put_close(x, c == ')' ? '(' : '[', c);
    else if (c == '|')
        aim__lexer_put_bar(x);
    else if (!strchr("$%\"`", c))
        aim__lexer_put_sign(x, c);
}

static void step(struct aim__lexer *x)
{
    char c = aim__lexer_peek(x, 0);
    if (aim__lexer_is_space(c))
        aim__lexer_skip_spaces(x);
    else if (number_length(x) > 0)
        put_number(x);
    else if (aim__is_word_byte(c))
        put_word(x);
    else if (c == '\\')
        aim__lexer_put_escape(x);
    else if (c == '^')
        put_power(x);
    else
        put_other(x, c);
}

struct aim__tokens aim__answer_tokens(struct aim__slice text)
{
    struct aim__lexer x = {.text = text};
    while (x.at < text.len && !x.out.failed)
        step(&x);
    aim_free(x.open);
    return x.out;
}

void aim__tokens_free(struct aim__tokens *t)
{
    aim_free(t->list);
    *t = (struct aim__tokens){0};
}
