/* SPDX-License-Identifier: Apache-2.0 */
/* answer_tokens.h - an answer as tokens: LaTeX, plain text and a mix of both in one
 * spelling. What means nothing is gone: dollar signs, percent and degree signs, \left and
 * \right, spacing, fonts, the braces of \text. */
#ifndef AIM_TEXT_ANSWER_TOKENS_H
#define AIM_TEXT_ANSWER_TOKENS_H

#include "base/buf.h"
#include "text/chat_slice.h"

#include <stdbool.h>
#include <stddef.h>

enum aim__token_kind {
    AIM__NUMBER,  /* digits, with separators of thousands, a point, an exponent */
    AIM__WORD,    /* a run of letters and of bytes beyond ASCII */
    AIM__COMMAND, /* a LaTeX command; text is its name without the backslash */
    AIM__SIGN,    /* any other character; AIM__ROW_END is \\ in a matrix */
    AIM__OPEN,    /* an opening bracket with a mate; text is the name of a matrix */
    AIM__CLOSE,   /* the mate of one */
};

/* Brackets by the sign of the opening one. */
enum {
    AIM__GROUP = '{',  /* plain braces, which LaTeX does not print */
    AIM__SET = 'S',    /* \{ */
    AIM__MATRIX = 'M', /* \begin{...} */
    AIM__ROW_END = 'R',
};

struct aim__token {
    enum aim__token_kind kind;
    char sign;       /* of SIGN, OPEN and CLOSE */
    bool spaced;     /* white space stands before it */
    bool plain_text; /* inside \text or the like */
    struct aim__slice text;
    size_t mate; /* of OPEN and CLOSE: where the other one is */
};

static inline bool aim__is_sign(const struct aim__token *t, char sign)
{
    return t->kind == AIM__SIGN && t->sign == sign;
}

struct aim__tokens {
    struct aim__token *list;
    size_t n, room;
    bool failed; /* no memory */
};

/* The tokens of ASCII text, which must outlive them. */
struct aim__tokens aim__answer_tokens(struct aim__slice text);
void aim__tokens_free(struct aim__tokens *t);

/* Append text with what Unicode has for mathematics in the spelling of LaTeX. */
void aim__answer_as_latex(struct aim__slice text, aim_buf *out);

/* What a command or word of letters stands for. */
enum aim__meaning {
    AIM__MEANS_ITSELF,
    AIM__MEANS_NOTHING,
    AIM__MEANS_SPACE,
    AIM__MEANS_DELIMITER, /* \left, \right: nothing, nor does a period behind it */
    AIM__MEANS_DEGREES,
    AIM__MEANS_FONT,    /* nothing, nor do the braces behind it */
    AIM__MEANS_TEXT,    /* as that, and inside is plain text */
    AIM__MEANS_COMMAND, /* the command `other` */
    AIM__MEANS_SIGN,    /* the character other[0] */
};

struct aim__spelling {
    const char *name;
    enum aim__meaning meaning;
    const char *other;
};

/* Of a command; NULL: itself. */
const struct aim__spelling *aim__command_spelling(struct aim__slice name);
/* The command that a plain word stands for ("pi", "inf", "sqrt"); NULL: none. */
const char *aim__word_command(struct aim__slice word);
/* Does the command stand between two things (\cup, \in, \le)? */
bool aim__is_relation(struct aim__slice command);
/* Is it a function of what stands behind it (\sin, \log)? */
bool aim__is_function(struct aim__slice command);

bool aim__slice_is(struct aim__slice x, const char *s);

static inline bool aim__is_word(const struct aim__token *t, const char *s)
{
    return t->kind == AIM__WORD && aim__slice_is(t->text, s);
}

#endif
