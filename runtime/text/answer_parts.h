/* SPDX-License-Identifier: Apache-2.0 */
/* answer_parts.h - the parts of an answer, from lists down to numbers: each is a range
 * [lo, hi) of its tokens. */
#ifndef AIM_TEXT_ANSWER_PARTS_H
#define AIM_TEXT_ANSWER_PARTS_H

#include "text/answer_numeral.h"
#include "text/answer_tokens.h"

/* How deep brackets may nest; what is deeper is written as it stands. */
enum { AIM__MAX_NESTING = 24 };

/* Of one answer: its tokens, and how many brackets deep the work is. */
struct aim__answer {
    const struct aim__token *tokens;
    int depth;
};

/* k * sqrt(root) * top / bottom: exact factors, and what is no number as canonical text. */
struct aim__product {
    struct aim__rational k;
    aim__wide root; /* 1 or more, without square factors as far as they were looked for */
    aim_buf top, bottom;
    bool is_one; /* an exponent behind the text would mean all of it */
};

#define AIM__NO_FACTOR ((struct aim__product){.k = AIM__ONE, .root = 1})

/* Where the range ends without the units behind its value; hi if there are none. */
size_t aim__before_units(const struct aim__token *t, size_t lo, size_t hi);

/* Is the range a number in English words ("minus twenty-one", "2.5 million")? */
bool aim__number_in_words(const struct aim__token *t, size_t lo, size_t hi,
                          struct aim__rational *r);

/* Append the tokens one by one, numbers without separators: what could not be read. */
void aim__put_tokens(const struct aim__token *t, size_t lo, size_t hi, aim_buf *out);
/* Append piece to text with a space between where they would run into one. */
void aim__join(aim_buf *text, const char *piece, size_t len);
/* Append text to out and free it; a failure goes on to out. */
void aim__absorb(aim_buf *out, aim_buf *text);

/* The product in the range, which has no sums and relations outside of brackets. false:
 * a number does not fit or the order of work is in doubt; *p is empty then. */
bool aim__read_product(struct aim__answer *a, size_t lo, size_t hi, struct aim__product *p);
/* The factor at *at, which moves behind it; *p is without a factor before. */
bool aim__read_factor(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p);
/* What a command is given: the content of braces or round brackets, or one thing. */
bool aim__read_argument(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p);
void aim__product_free(struct aim__product *p);
/* p = p * x, p / x, where the texts of x go over to p. false: does not fit. */
bool aim__product_multiply(struct aim__product *p, struct aim__product *x);
bool aim__product_divide(struct aim__product *p, struct aim__product *x);
/* p = p * sqrt(x), x >= 0. */
bool aim__product_multiply_root(struct aim__product *p, struct aim__rational x);
bool aim__product_is_rational(const struct aim__product *p);
/* Append it; without its sign if so. */
void aim__put_product(const struct aim__product *p, bool without_sign, aim_buf *out);

enum aim__form {
    AIM__FORM_TERM, /* a product */
    AIM__FORM_SUM,  /* text that takes brackets to be a factor */
    AIM__FORM_LIST, /* text with commas at its top level, or none */
};

/* The content of brackets in *p; all of it is text unless it is a term. */
enum aim__form aim__read_inside(struct aim__answer *a, size_t lo, size_t hi,
                                struct aim__product *p);
/* Append the canonical form of a range: a list, an element of one, a sum. */
void aim__put_list(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out);
void aim__put_sum(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out);

#endif
