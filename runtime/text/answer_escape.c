/* SPDX-License-Identifier: Apache-2.0 */
/* What starts with a backslash: commands, environments, single characters. */
#include "text/answer_lexer.h"

#include <string.h>

void aim__lexer_skip_degrees(struct aim__lexer *x)
{
    aim__lexer_skip_spaces(x);
    char c = aim__lexer_peek(x, 0);
    if ((c == 'C' || c == 'F') && !aim__is_word_byte(aim__lexer_peek(x, 1)))
        x->at++;
}

static void skip_font(struct aim__lexer *x, bool is_text)
{
    aim__lexer_skip_spaces(x);
    x->spaced |= is_text;
    if (aim__lexer_peek(x, 0) != '{')
        return;
    x->at++;
    aim__lexer_open(x, AIM__GROUP, true);
    x->plain_text |= is_text;
}

static void put_command(struct aim__lexer *x, struct aim__slice name)
{
    static const struct aim__spelling itself = {"", AIM__MEANS_ITSELF, NULL};
    const struct aim__spelling *spelling = aim__command_spelling(name);
    if (!spelling)
        spelling = &itself;
    switch (spelling->meaning) {
    case AIM__MEANS_NOTHING:
        return;
    case AIM__MEANS_SPACE:
        x->spaced = true;
        return;
    case AIM__MEANS_DELIMITER:
        aim__lexer_skip_spaces(x);
        aim__lexer_take(x, ".");
        return;
    case AIM__MEANS_DEGREES:
        aim__lexer_skip_degrees(x);
        return;
    case AIM__MEANS_FONT:
    case AIM__MEANS_TEXT:
        skip_font(x, spelling->meaning == AIM__MEANS_TEXT);
        return;
    case AIM__MEANS_SIGN:
        if (*spelling->other == '|')
            aim__lexer_put_bar(x);
        else
            aim__lexer_put_sign(x, *spelling->other);
        return;
    case AIM__MEANS_COMMAND:
        name = (struct aim__slice){spelling->other, strlen(spelling->other)};
        break;
    case AIM__MEANS_ITSELF:
        break;
    }
    aim__lexer_put(x, AIM__COMMAND, 0, name);
    x->single = false;
    x->arguments = aim__slice_is(name, "frac") ? 2 : x->arguments - (x->arguments > 0);
}

/* The name in braces behind \begin or \end. */
static struct aim__slice environment(struct aim__lexer *x)
{
    aim__lexer_skip_spaces(x);
    if (!aim__lexer_take(x, "{"))
        return (struct aim__slice){NULL, 0};
    struct aim__slice name = {x->text.s + x->at, 0};
    while (aim__is_letter(aim__lexer_peek(x, name.len)) || aim__lexer_peek(x, name.len) == '*')
        name.len++;
    x->at += name.len;
    aim__lexer_take(x, "}");
    return name;
}

/* Matrices are all in round brackets, but for determinants and the like. */
static void put_begin(struct aim__lexer *x)
{
    struct aim__slice name = environment(x);
    bool is_array = aim__slice_is(name, "array");
    if (is_array || aim__slice_is(name, "bmatrix") || aim__slice_is(name, "matrix"))
        name = (struct aim__slice){"pmatrix", strlen("pmatrix")};
    aim__lexer_skip_spaces(x);
    if (is_array && aim__lexer_take(x, "{")) {
        while (x->at < x->text.len && aim__lexer_peek(x, 0) != '}')
            x->at++;
        aim__lexer_take(x, "}");
    }
    aim__lexer_put_open(x, AIM__MATRIX, name);
}

static void put_named(struct aim__lexer *x)
{
    struct aim__slice name = {x->text.s + x->at, 0};
    while (aim__is_letter(aim__lexer_peek(x, name.len)))
        name.len++;
    x->at += name.len;
    if (aim__slice_is(name, "begin")) {
        put_begin(x);
    } else if (aim__slice_is(name, "end")) {
        environment(x);
        aim__lexer_put_close(x, AIM__MATRIX, '\0');
    } else if (aim__slice_is(name, "lbrace")) {
        aim__lexer_put_open(x, AIM__SET, (struct aim__slice){NULL, 0});
    } else if (aim__slice_is(name, "rbrace")) {
        aim__lexer_put_close(x, AIM__SET, '}');
    } else {
        put_command(x, name);
    }
}

void aim__lexer_put_escape(struct aim__lexer *x)
{
    char c = aim__lexer_peek(x, 1);
    x->at++;
    if (aim__is_letter(c)) {
        put_named(x);
        return;
    }
    x->at += x->at < x->text.len;
    if (c == '{')
        aim__lexer_put_open(x, AIM__SET, (struct aim__slice){NULL, 0});
    else if (c == '}')
        aim__lexer_put_close(x, AIM__SET, '}');
    else if (c == '\\' && aim__lexer_innermost(x) == AIM__MATRIX)
        aim__lexer_put_sign(x, AIM__ROW_END);
    else if (c == '|')
        aim__lexer_put_bar(x);
    else if (c && strchr("&#_", c))
        aim__lexer_put_sign(x, c);
    else if (c && strchr("\\,;:> \n\t", c))
        x->spaced = true;
}
