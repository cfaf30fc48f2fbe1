/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_tokens.h"

#include <stdlib.h>
#include <string.h>

bool aim__slice_is(struct aim__slice x, const char *s)
{
    return strlen(s) == x.len && memcmp(x.s, s, x.len) == 0;
}

/* Order of a name and the text at the start of a row, for bsearch. */
static int compare(const void *name, const void *row)
{
    const struct aim__slice *x = name;
    const char *s = *(const char *const *)row;
    size_t n = strlen(s);
    int order = memcmp(x->s, s, x->len < n ? x->len : n);
    return order ? order : (x->len > n) - (x->len < n);
}

/* ---- commands of LaTeX ------------------------------------------------------------ */

/* Sorted by name. */
static const struct aim__spelling commands[] = {
    {"Big", AIM__MEANS_DELIMITER, NULL},
    {"Bigg", AIM__MEANS_DELIMITER, NULL},
    {"Biggl", AIM__MEANS_DELIMITER, NULL},
    {"Biggr", AIM__MEANS_DELIMITER, NULL},
    {"Bigl", AIM__MEANS_DELIMITER, NULL},
    {"Bigr", AIM__MEANS_DELIMITER, NULL},
    {"ast", AIM__MEANS_SIGN, "*"},
    {"big", AIM__MEANS_DELIMITER, NULL},
    {"bigg", AIM__MEANS_DELIMITER, NULL},
    {"biggl", AIM__MEANS_DELIMITER, NULL},
    {"biggr", AIM__MEANS_DELIMITER, NULL},
    {"bigl", AIM__MEANS_DELIMITER, NULL},
    {"bigr", AIM__MEANS_DELIMITER, NULL},
    {"bm", AIM__MEANS_FONT, NULL},
    {"boldsymbol", AIM__MEANS_FONT, NULL},
    {"boxed", AIM__MEANS_FONT, NULL},
    {"cdot", AIM__MEANS_SIGN, "*"},
    {"cdotp", AIM__MEANS_SIGN, "*"},
    {"cfrac", AIM__MEANS_COMMAND, "frac"},
    {"colon", AIM__MEANS_SIGN, ":"},
    {"degree", AIM__MEANS_DEGREES, NULL},
    {"degrees", AIM__MEANS_DEGREES, NULL},
    {"dfrac", AIM__MEANS_COMMAND, "frac"},
    {"displaystyle", AIM__MEANS_NOTHING, NULL},
    {"div", AIM__MEANS_SIGN, "/"},
    {"emph", AIM__MEANS_TEXT, NULL},
    {"enspace", AIM__MEANS_SPACE, NULL},
    {"ensuremath", AIM__MEANS_FONT, NULL},
    {"euro", AIM__MEANS_NOTHING, NULL},
    {"fbox", AIM__MEANS_FONT, NULL},
    {"frac", AIM__MEANS_COMMAND, "frac"},
    {"geq", AIM__MEANS_COMMAND, "ge"},
    {"geqslant", AIM__MEANS_COMMAND, "ge"},
    {"gt", AIM__MEANS_SIGN, ">"},
    {"hbox", AIM__MEANS_TEXT, NULL},
    {"lbrack", AIM__MEANS_SIGN, "["},
    {"left", AIM__MEANS_DELIMITER, NULL},
    {"leq", AIM__MEANS_COMMAND, "le"},
    {"leqslant", AIM__MEANS_COMMAND, "le"},
    {"limits", AIM__MEANS_NOTHING, NULL},
    {"lt", AIM__MEANS_SIGN, "<"},
    {"lvert", AIM__MEANS_SIGN, "|"},
    {"mathbf", AIM__MEANS_FONT, NULL},
    {"mathit", AIM__MEANS_FONT, NULL},
    {"mathrm", AIM__MEANS_TEXT, NULL},
    {"mathsf", AIM__MEANS_FONT, NULL},
    {"mbox", AIM__MEANS_TEXT, NULL},
    {"mid", AIM__MEANS_SIGN, "|"},
    {"middle", AIM__MEANS_DELIMITER, NULL},
    {"neq", AIM__MEANS_COMMAND, "ne"},
    {"nolimits", AIM__MEANS_NOTHING, NULL},
    {"operatorname", AIM__MEANS_FONT, NULL},
    {"phantom", AIM__MEANS_FONT, NULL},
    {"pounds", AIM__MEANS_NOTHING, NULL},
    {"qquad", AIM__MEANS_SPACE, NULL},
    {"quad", AIM__MEANS_SPACE, NULL},
    {"rbrack", AIM__MEANS_SIGN, "]"},
    {"right", AIM__MEANS_DELIMITER, NULL},
    {"rm", AIM__MEANS_NOTHING, NULL},
    {"rvert", AIM__MEANS_SIGN, "|"},
    {"scriptstyle", AIM__MEANS_NOTHING, NULL},
    {"space", AIM__MEANS_SPACE, NULL},
    {"text", AIM__MEANS_TEXT, NULL},
    {"textbf", AIM__MEANS_TEXT, NULL},
    {"textit", AIM__MEANS_TEXT, NULL},
    {"textnormal", AIM__MEANS_TEXT, NULL},
    {"textrm", AIM__MEANS_TEXT, NULL},
    {"textsf", AIM__MEANS_TEXT, NULL},
    {"textstyle", AIM__MEANS_NOTHING, NULL},
    {"texttt", AIM__MEANS_TEXT, NULL},
    {"textup", AIM__MEANS_TEXT, NULL},
    {"tfrac", AIM__MEANS_COMMAND, "frac"},
    {"thinspace", AIM__MEANS_SPACE, NULL},
    {"times", AIM__MEANS_SIGN, "*"},
    {"varnothing", AIM__MEANS_COMMAND, "emptyset"},
    {"vert", AIM__MEANS_SIGN, "|"},
};

const struct aim__spelling *aim__command_spelling(struct aim__slice name)
{
    return bsearch(&name, commands, sizeof commands / sizeof *commands, sizeof *commands, compare);
}

/* ---- sets of names ---------------------------------------------------------------- */

static const char *const word_commands[] = {
    "cos", "inf", "infinity", "ln", "log", "pi", "sin", "sqrt", "tan",
};

const char *aim__word_command(struct aim__slice word)
{
    const char *const *found =
        bsearch(&word, word_commands, sizeof word_commands / sizeof *word_commands,
                sizeof *word_commands, compare);
    if (!found)
        return NULL;
    return strncmp(*found, "inf", 3) == 0 ? "infty" : *found;
}

static const char *const relations[] = {
    "Leftrightarrow",
    "Rightarrow",
    "approx",
    "bmod",
    "cap",
    "cdots",
    "choose",
    "cong",
    "cup",
    "dots",
    "equiv",
    "ge",
    "geqq",
    "gg",
    "iff",
    "implies",
    "in",
    "land",
    "ldots",
    "le",
    "leqq",
    "ll",
    "lor",
    "mapsto",
    "mod",
    "ne",
    "ni",
    "notin",
    "oplus",
    "otimes",
    "parallel",
    "perp",
    "propto",
    "rightarrow",
    "setminus",
    "sim",
    "simeq",
    "subset",
    "subseteq",
    "supset",
    "supseteq",
    "to",
    "vee",
    "wedge",
};

bool aim__is_relation(struct aim__slice command)
{
    return bsearch(&command, relations, sizeof relations / sizeof *relations, sizeof *relations,
                   compare) != NULL;
}

static const char *const functions[] = {
    "arccos", "arcsin", "arctan", "arg", "cos", "cosh", "cot", "coth", "csc",
    "deg",    "det",    "dim",    "exp", "gcd", "ker",  "lg",  "lim",  "ln",
    "log",    "max",    "min",    "sec", "sin", "sinh", "sup", "tan",  "tanh",
};

bool aim__is_function(struct aim__slice command)
{
    return bsearch(&command, functions, sizeof functions / sizeof *functions, sizeof *functions,
                   compare) != NULL;
}

/* ---- characters of Unicode -------------------------------------------------------- */

struct character {
    const char *utf8, *latex;
};

static const struct character characters[] = {
    {"\u00a0", " "},
    {"\u00a2", ""},
    {"\u00a3", ""},
    {"\u00a5", ""},
    {"\u00b0", "\\degree "},
    {"\u00b1", "\\pm "},
    {"\u00b7", "\\cdot "},
    {"\u00bc", "\\frac{1}{4}"},
    {"\u00bd", "\\frac{1}{2}"},
    {"\u00be", "\\frac{3}{4}"},
    {"\u00d7", "\\times "},
    {"\u00f7", "\\div "},
    {"\u03b1", "\\alpha "},
    {"\u03b2", "\\beta "},
    {"\u03b8", "\\theta "},
    {"\u03c0", "\\pi "},
    {"\u2009", "\\,"},
    {"\u200b", ""},
    {"\u2010", "-"},
    {"\u2011", "-"},
    {"\u2012", "-"},
    {"\u2013", "-"},
    {"\u2018", "'"},
    {"\u2019", "'"},
    {"\u201c", ""},
    {"\u201d", ""},
    {"\u202f", "\\,"},
    {"\u2032", "'"},
    {"\u2044", "/"},
    {"\u20ac", ""},
    {"\u20b9", ""},
    {"\u2150", "\\frac{1}{7}"},
    {"\u2151", "\\frac{1}{9}"},
    {"\u2152", "\\frac{1}{10}"},
    {"\u2153", "\\frac{1}{3}"},
    {"\u2154", "\\frac{2}{3}"},
    {"\u2155", "\\frac{1}{5}"},
    {"\u2156", "\\frac{2}{5}"},
    {"\u2157", "\\frac{3}{5}"},
    {"\u2158", "\\frac{4}{5}"},
    {"\u2159", "\\frac{1}{6}"},
    {"\u215a", "\\frac{5}{6}"},
    {"\u215b", "\\frac{1}{8}"},
    {"\u215c", "\\frac{3}{8}"},
    {"\u215d", "\\frac{5}{8}"},
    {"\u215e", "\\frac{7}{8}"},
    {"\u2192", "\\to "},
    {"\u2205", "\\emptyset "},
    {"\u2208", "\\in "},
    {"\u211d", "\\mathbb{R}"},
    {"\u2212", "-"},
    {"\u2215", "/"},
    {"\u2217", "*"},
    {"\u2219", "\\cdot "},
    {"\u221a", "\\sqrt "},
    {"\u221e", "\\infty "},
    {"\u2229", "\\cap "},
    {"\u222a", "\\cup "},
    {"\u2248", "\\approx "},
    {"\u2260", "\\ne "},
    {"\u2264", "\\le "},
    {"\u2265", "\\ge "},
    {"\u22c5", "\\cdot "},
    {"\u3000", " "},
};

/* One after another, from 0 to 9. */
static const char *const raised_digits[] = {"\u2070", "\u00b9", "\u00b2", "\u00b3", "\u2074",
                                            "\u2075", "\u2076", "\u2077", "\u2078", "\u2079"};

static bool starts(struct aim__slice x, const char *s)
{
    return aim__slice_starts_with(x, s);
}

static struct aim__slice from(struct aim__slice x, size_t n)
{
    return (struct aim__slice){x.s + n, x.len - n};
}

/* The raised digit or minus that x starts with, its length in *n; 0 if none. */
static char raised(struct aim__slice x, size_t *n)
{
    for (int i = 0; i < 10; i++)
        if (starts(x, raised_digits[i])) {
            *n = strlen(raised_digits[i]);
            return (char)('0' + i);
        }
    *n = strlen("\u207b");
    return starts(x, "\u207b") ? '-' : '\0';
}

/* Append a run of raised digits as one exponent; its length, 0 if there is none. */
static size_t put_raised(struct aim__slice x, aim_buf *out)
{
    size_t n, at = 0;
    for (char c; (c = raised(from(x, at), &n)); at += n) {
        if (at == 0)
            aim_buf_puts(out, "^{");
        aim_buf_append(out, &c, 1);
    }
    if (at > 0)
        aim_buf_puts(out, "}");
    return at;
}

/* Append the full-width form of an ASCII character, U+FF01 to U+FF5E; its length. */
static size_t put_full_width(struct aim__slice x, aim_buf *out)
{
    const unsigned char *s = (const unsigned char *)x.s;
    if (x.len < 3 || s[0] != 0xEF || (s[1] != 0xBC && s[1] != 0xBD))
        return 0;
    int code = (s[1] - 0xBC) * 64 + (s[2] - 0x80) + 0x20;
    if ((s[2] & 0xC0) != 0x80 || code <= 0x20 || code >= 0x7F)
        return 0;
    char c = (char)code;
    aim_buf_append(out, &c, 1);
    return 3;
}

/* Append the character beyond ASCII that x starts with; how many bytes it has. */
static size_t put_character(struct aim__slice x, aim_buf *out)
{
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        if (starts(x, characters[i].utf8)) {
            aim_buf_puts(out, characters[i].latex);
            return strlen(characters[i].utf8);
        }
    size_t n = put_raised(x, out);
    if (n == 0)
        n = put_full_width(x, out);
    if (n == 0)
        aim_buf_append(out, x.s, n = 1);
    return n;
}

void aim__answer_as_latex(struct aim__slice text, aim_buf *out)
{
    while (text.len > 0) {
        size_t n = 0;
        while (n < text.len && (unsigned char)text.s[n] < 0x80)
            n++;
        aim_buf_append(out, text.s, n);
        text = from(text, n);
        if (text.len > 0)
            text = from(text, put_character(text, out));
    }
}
