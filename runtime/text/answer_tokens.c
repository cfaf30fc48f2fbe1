/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_tokens.h"

#include "base/alloc.h"

#include <string.h>

/* A bracket that is open. */
struct open {
    char sign;
    bool silent;     /* of a font: no token stands for it */
    bool plain_text; /* what was plain text outside of it */
    int arguments;   /* of a \frac that are still to come behind it */
    size_t token;    /* its own, unless silent */
};

struct lexer {
    struct aim__slice text;
    size_t at;
    struct aim__tokens out;
    struct open *open;
    size_t n_open, open_room;
    bool spaced;     /* white space stands before the next token */
    bool plain_text; /* inside \text */
    bool single;     /* behind _ or ^: of letters the next one alone */
    int arguments;   /* of a \frac: the next digits or letters alone */
};

/* ---- small steps ------------------------------------------------------------------ */

static char peek(const struct lexer *x, size_t ahead)
{
    return x->text.len - x->at > ahead ? x->text.s[x->at + ahead] : '\0';
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_space(char c)
{
    return c == ' ' || c == '~' || (c >= '\t' && c <= '\r');
}

static void skip_spaces(struct lexer *x)
{
    for (; is_space(peek(x, 0)); x->at++)
        x->spaced = true;
}

static bool next_is(const struct lexer *x, const char *s)
{
    struct aim__slice rest = {x->text.s + x->at, x->text.len - x->at};
    return aim__slice_starts_with(rest, s);
}

static bool take(struct lexer *x, const char *s)
{
    bool is = next_is(x, s);
    if (is)
        x->at += strlen(s);
    return is;
}

static void put(struct lexer *x, enum aim__token_kind kind, char sign, struct aim__slice text)
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

/* The next n bytes as a token. */
static void put_next(struct lexer *x, enum aim__token_kind kind, size_t n)
{
    put(x, kind, 0, (struct aim__slice){x->text.s + x->at, n});
    x->at += n;
    x->single = false;
}

static void put_sign(struct lexer *x, char sign)
{
    put(x, AIM__SIGN, sign, (struct aim__slice){NULL, 0});
    x->single = sign == '^' || sign == '_';
    x->arguments = 0;
}

/* ---- brackets --------------------------------------------------------------------- */

static void open_bracket(struct lexer *x, char sign, bool silent)
{
    if (x->out.failed || !aim_grow(&x->open, &x->open_room, x->n_open + 1, sizeof *x->open)) {
        x->out.failed = true;
        return;
    }
    x->open[x->n_open++] = (struct open){.sign = sign,
                                         .silent = silent,
                                         .plain_text = x->plain_text,
                                         .arguments = x->arguments > 0 ? x->arguments - 1 : 0,
                                         .token = x->out.n};
    x->arguments = 0;
    x->single = false;
}

static void put_open(struct lexer *x, char sign, struct aim__slice name)
{
    open_bracket(x, sign, false);
    /* A sign like any other, until its mate is seen. */
    put(x, AIM__SIGN, sign, name);
}

/* Round and square brackets close each other: intervals are half open. */
static bool closes(char open, char sign)
{
    bool is_interval = open == '(' || open == '[';
    return is_interval ? sign == '(' || sign == '[' : open == sign;
}

/* The closing bracket whose usual opening one is sign; the sign `shown`, or nothing, if it
 * has no mate. */
static void put_close(struct lexer *x, char sign, char shown)
{
    if (x->n_open == 0 || !closes(x->open[x->n_open - 1].sign, sign)) {
        if (shown)
            put_sign(x, shown);
        return;
    }
    const struct open *open = &x->open[--x->n_open];
    x->plain_text = open->plain_text;
    x->arguments = open->arguments;
    x->single = false;
    if (open->silent) {
        x->spaced = true;
        return;
    }
    size_t mate = open->token;
    put(x, AIM__CLOSE, sign, x->out.list[mate].text);
    if (x->out.failed)
        return;
    x->out.list[mate].kind = AIM__OPEN;
    x->out.list[mate].mate = x->out.n - 1;
    x->out.list[x->out.n - 1].mate = mate;
}

static char innermost(const struct lexer *x)
{
    size_t n = x->n_open;
    while (n > 0 && x->open[n - 1].silent)
        n--;
    return n > 0 ? x->open[n - 1].sign : '\0';
}

/* ---- numbers ---------------------------------------------------------------------- */

static size_t digits(const struct lexer *x, size_t ahead)
{
    size_t n = 0;
    while (is_digit(peek(x, ahead + n)))
        n++;
    return n;
}

/* Bytes of what sets thousands apart, so far ahead. Between the elements of a tuple a
 * bare comma does not. */
static size_t separator(const struct lexer *x, size_t ahead)
{
    static const char *const separators[] = {"{,}", "{,}\\!", ",\\!", ",\\,", "\\,", "\\!", "\\;"};
    struct aim__slice rest = {x->text.s + x->at + ahead, x->text.len - x->at - ahead};
    char in = innermost(x);
    for (size_t i = 0; i < sizeof separators / sizeof *separators; i++) {
        size_t n = strlen(separators[i]);
        if (aim__slice_starts_with(rest, separators[i]) && digits(x, ahead + n) == 3)
            return n;
    }
    bool is_comma = (in == '\0' || in == AIM__GROUP) && peek(x, ahead) == ',';
    return is_comma && digits(x, ahead + 1) == 3 ? 1 : 0;
}

/* Bytes of an exponent "e-5", so far ahead. */
static size_t exponent(const struct lexer *x, size_t ahead)
{
    char e = peek(x, ahead), sign = peek(x, ahead + 1);
    if (e != 'e' && e != 'E')
        return 0;
    size_t start = 1 + (sign == '-' || sign == '+'), n = digits(x, ahead + start);
    return n > 0 && !is_letter(peek(x, ahead + start + n)) ? start + n : 0;
}

static size_t number_length(const struct lexer *x)
{
    size_t first = digits(x, 0), n = first, gap;
    while (first >= 1 && first <= 3 && (gap = separator(x, n)))
        n += gap + 3;
    if (peek(x, n) == '.' && digits(x, n + 1) > 0)
        n += 1 + digits(x, n + 1);
    return n > 0 ? n + exponent(x, n) : 0;
}

static void put_number(struct lexer *x)
{
    size_t n = x->arguments > 0 ? 1 : number_length(x);
    x->arguments -= x->arguments > 0;
    put_next(x, AIM__NUMBER, n);
}

/* ---- words ------------------------------------------------------------------------ */

static bool is_word_byte(char c)
{
    return is_letter(c) || (unsigned char)c >= 0x80;
}

/* The x of "3.5 x 10^4". */
static bool is_times(const struct lexer *x)
{
    size_t n = x->out.n, ahead = 1;
    while (is_space(peek(x, ahead)))
        ahead++;
    struct aim__slice rest = {x->text.s + x->at + ahead, x->text.len - x->at - ahead};
    return peek(x, 0) == 'x' && n > 0 && x->out.list[n - 1].kind == AIM__NUMBER &&
           aim__slice_starts_with(rest, "10^");
}

static void put_word(struct lexer *x)
{
    if (is_times(x)) {
        put_sign(x, '*');
        x->at++;
        return;
    }
    struct aim__slice word = {x->text.s + x->at, 1};
    bool one = is_letter(*word.s) && (x->single || x->arguments > 0);
    while (!one && is_word_byte(peek(x, word.len)))
        word.len++;
    const char *command = aim__word_command(word);
    x->arguments -= x->arguments > 0;
    put_next(x, AIM__WORD, word.len);
    if (command && !x->out.failed) {
        struct aim__token *t = &x->out.list[x->out.n - 1];
        t->kind = AIM__COMMAND;
        t->text = (struct aim__slice){command, strlen(command)};
    }
}

/* ---- what starts with a backslash ------------------------------------------------- */

/* Behind a degree sign: the C or F of a temperature. */
static void skip_degrees(struct lexer *x)
{
    skip_spaces(x);
    char c = peek(x, 0);
    if ((c == 'C' || c == 'F') && !is_word_byte(peek(x, 1)))
        x->at++;
}

static void skip_font(struct lexer *x, bool is_text)
{
    skip_spaces(x);
    x->spaced |= is_text;
    if (peek(x, 0) != '{')
        return;
    x->at++;
    open_bracket(x, AIM__GROUP, true);
    x->plain_text |= is_text;
}

static void put_command(struct lexer *x, struct aim__slice name)
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
        skip_spaces(x);
        take(x, ".");
        return;
    case AIM__MEANS_DEGREES:
        skip_degrees(x);
        return;
    case AIM__MEANS_FONT:
    case AIM__MEANS_TEXT:
        skip_font(x, spelling->meaning == AIM__MEANS_TEXT);
        return;
    case AIM__MEANS_SIGN:
        put_sign(x, *spelling->other);
        return;
    case AIM__MEANS_COMMAND:
        name = (struct aim__slice){spelling->other, strlen(spelling->other)};
        break;
    case AIM__MEANS_ITSELF:
        break;
    }
    put(x, AIM__COMMAND, 0, name);
    x->single = false;
    x->arguments = aim__slice_is(name, "frac") ? 2 : x->arguments - (x->arguments > 0);
}

/* The name in braces behind \begin or \end. */
static struct aim__slice environment(struct lexer *x)
{
    skip_spaces(x);
    if (!take(x, "{"))
        return (struct aim__slice){NULL, 0};
    struct aim__slice name = {x->text.s + x->at, 0};
    while (is_letter(peek(x, name.len)) || peek(x, name.len) == '*')
        name.len++;
    x->at += name.len;
    take(x, "}");
    return name;
}

/* Matrices are all in round brackets, but for determinants and the like. */
static void put_begin(struct lexer *x)
{
    struct aim__slice name = environment(x);
    bool is_array = aim__slice_is(name, "array");
    if (is_array || aim__slice_is(name, "bmatrix") || aim__slice_is(name, "matrix"))
        name = (struct aim__slice){"pmatrix", strlen("pmatrix")};
    skip_spaces(x);
    if (is_array && take(x, "{")) {
        while (x->at < x->text.len && peek(x, 0) != '}')
            x->at++;
        take(x, "}");
    }
    put_open(x, AIM__MATRIX, name);
}

static void put_named(struct lexer *x)
{
    struct aim__slice name = {x->text.s + x->at, 0};
    while (is_letter(peek(x, name.len)))
        name.len++;
    x->at += name.len;
    if (aim__slice_is(name, "begin")) {
        put_begin(x);
    } else if (aim__slice_is(name, "end")) {
        environment(x);
        put_close(x, AIM__MATRIX, '\0');
    } else if (aim__slice_is(name, "lbrace")) {
        put_open(x, AIM__SET, (struct aim__slice){NULL, 0});
    } else if (aim__slice_is(name, "rbrace")) {
        put_close(x, AIM__SET, '}');
    } else {
        put_command(x, name);
    }
}

static void put_escape(struct lexer *x)
{
    char c = peek(x, 1);
    x->at++;
    if (is_letter(c)) {
        put_named(x);
        return;
    }
    x->at += x->at < x->text.len;
    if (c == '{')
        put_open(x, AIM__SET, (struct aim__slice){NULL, 0});
    else if (c == '}')
        put_close(x, AIM__SET, '}');
    else if (c == '\\' && innermost(x) == AIM__MATRIX)
        put_sign(x, AIM__ROW_END);
    else if (c && strchr("&#_|", c))
        put_sign(x, c);
    else if (c && strchr("\\,;:> \n\t", c))
        x->spaced = true;
}

/* ---- the whole -------------------------------------------------------------------- */

static void put_power(struct lexer *x)
{
    x->at++;
    size_t start = x->at;
    skip_spaces(x);
    if (take(x, "\\circ") || take(x, "{\\circ}") || take(x, "{ \\circ }")) {
        skip_degrees(x);
        return;
    }
    x->at = start;
    put_sign(x, '^');
}

/* Two stars are a power between two things, else they are what prints as bold. */
static void put_stars(struct lexer *x)
{
    char behind = peek(x, 2);
    x->at += 2;
    if (x->out.n > 0 && (is_digit(behind) || is_letter(behind) || behind == '('))
        put_sign(x, '^');
}

static void put_other(struct lexer *x, char c)
{
    if (c == '*' && peek(x, 1) == '*') {
        put_stars(x);
        return;
    }
    x->at++;
    if (c == '{' || c == '(' || c == '[')
        put_open(x, c, (struct aim__slice){NULL, 0});
    else if (c == '}')
        put_close(x, AIM__GROUP, c);
    else if (c == ')' || c == ']')
        put_close(x, c == ')' ? '(' : '[', c);
    else if (!strchr("$%\"`", c))
        put_sign(x, c);
}

static void step(struct lexer *x)
{
    char c = peek(x, 0);
    if (is_space(c))
        skip_spaces(x);
    else if (number_length(x) > 0)
        put_number(x);
    else if (is_word_byte(c))
        put_word(x);
    else if (c == '\\')
        put_escape(x);
    else if (c == '^')
        put_power(x);
    else
        put_other(x, c);
}

struct aim__tokens aim__answer_tokens(struct aim__slice text)
{
    struct lexer x = {.text = text};
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
