/* SPDX-License-Identifier: Apache-2.0 */
/* answer_lexer.h - how an answer becomes tokens: what the files of the lexer share. */
#ifndef AIM_TEXT_ANSWER_LEXER_H
#define AIM_TEXT_ANSWER_LEXER_H

#include "text/answer_bytes.h"
#include "text/answer_tokens.h"

/* A bracket that is open. */
struct aim__open_bracket {
    char sign;
    bool silent;     /* of a font: no token stands for it */
    bool plain_text; /* what was plain text outside of it */
    int arguments;   /* of a \frac that are still to come behind it */
    size_t token;    /* its own, unless silent */
};

struct aim__lexer {
    struct aim__slice text;
    size_t at;
    struct aim__tokens out;
    struct aim__open_bracket *open;
    size_t n_open, open_room;
    bool spaced;     /* white space stands before the next token */
    bool plain_text; /* inside \text */
    bool single;     /* behind _ or ^: of letters the next one alone */
    int arguments;   /* of a \frac: the next digits or letters alone */
};

/* The byte so far ahead, 0 behind the end. */
static inline char aim__lexer_peek(const struct aim__lexer *x, size_t ahead)
{
    return x->text.len - x->at > ahead ? x->text.s[x->at + ahead] : '\0';
}

/* White space; "~" is one that does not break. */
static inline bool aim__lexer_is_space(char c)
{
    return aim__is_blank(c) || c == '~';
}

void aim__lexer_skip_spaces(struct aim__lexer *x);
/* Skip s, if it comes next. */
bool aim__lexer_take(struct aim__lexer *x, const char *s);

/* Append a token; put_next: of the next n bytes. */
void aim__lexer_put(struct aim__lexer *x, enum aim__token_kind kind, char sign,
                    struct aim__slice text);
void aim__lexer_put_next(struct aim__lexer *x, enum aim__token_kind kind, size_t n);
void aim__lexer_put_sign(struct aim__lexer *x, char sign);

/* Start a bracket without a token of its own if it is silent, else put one. */
void aim__lexer_open(struct aim__lexer *x, char sign, bool silent);
void aim__lexer_put_open(struct aim__lexer *x, char sign, struct aim__slice name);
/* The closing bracket whose usual opening one is sign; the sign `shown`, or nothing, if it
 * has no mate. */
void aim__lexer_put_close(struct aim__lexer *x, char sign, char shown);
/* Bars are brackets in pairs. */
void aim__lexer_put_bar(struct aim__lexer *x);
/* The innermost open bracket that is more than a font or a bar; 0: none. */
char aim__lexer_innermost(const struct aim__lexer *x);

/* What starts with a backslash. */
void aim__lexer_put_escape(struct aim__lexer *x);
/* Behind a degree sign: the C or F of a temperature. */
void aim__lexer_skip_degrees(struct aim__lexer *x);

#endif
