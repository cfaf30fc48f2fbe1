/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of elements, relations of sums, sums of terms. */
#include "text/answer_parts.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* Does it stand between the elements of a list? */
static bool separates(const struct aim__token *t)
{
    return aim__is_sign(t, ',') || aim__is_sign(t, ';') || aim__is_word(t, "and") ||
           aim__is_word(t, "or");
}

/* Does it stand between two sums? */
static bool relates(const struct aim__token *t)
{
    return t->kind == AIM__SIGN ? !strchr("+-*/^_!'", t->sign)
                                : t->kind == AIM__COMMAND && aim__is_relation(t->text);
}

static bool is_plus_or_minus(const struct aim__token *t)
{
    return aim__is_sign(t, '+') || aim__is_sign(t, '-') ||
           (t->kind == AIM__COMMAND &&
            (aim__slice_is(t->text, "pm") || aim__slice_is(t->text, "mp")));
}

/* Does a term of the range start with token i, its sign? Not where nothing is behind it,
 * as in "A+". */
static bool starts_term(const struct aim__token *t, size_t lo, size_t i, size_t hi)
{
    if (!is_plus_or_minus(&t[i]) || i + 1 == hi)
        return false;
    return i == lo || !(is_plus_or_minus(&t[i - 1]) ||
                        (t[i - 1].kind == AIM__SIGN && strchr("*/^_", t[i - 1].sign)));
}

/* Where the token, or all that is in the bracket, ends. */
static size_t behind(const struct aim__token *t, size_t i)
{
    return t[i].kind == AIM__OPEN ? t[i].mate + 1 : i + 1;
}

/* The first token from i on that `is` so outside of brackets; hi if there is none. */
static size_t find(const struct aim__token *t, size_t i, size_t hi,
                   bool (*is)(const struct aim__token *))
{
    while (i < hi && !is(&t[i]))
        i = behind(t, i);
    return i;
}

static size_t term_end(const struct aim__token *t, size_t lo, size_t i, size_t hi)
{
    while (i < hi && !starts_term(t, lo, i, hi))
        i = behind(t, i);
    return i;
}

/* ---- sums ------------------------------------------------------------------------- */

struct term {
    const char *sign; /* "+", "-", "\\pm ", "\\mp " */
    aim_buf text;
};

struct sum {
    struct term *terms;
    size_t n, room;
};

static const char *sign_of(const struct aim__token *t)
{
    if (t->kind == AIM__COMMAND)
        return aim__slice_is(t->text, "pm") ? "\\pm " : "\\mp ";
    return t->sign == '-' ? "-" : "+";
}

static const char *opposite(const char *sign)
{
    switch (sign[0]) {
    case '+':
        return "-";
    case '-':
        return "+";
    default:
        return sign;
    }
}

/* Read the term [lo, hi), which may start with its sign. */
static struct term read_term(struct aim__answer *a, size_t lo, size_t hi)
{
    struct term term = {.sign = "+"};
    struct aim__product p;
    if (hi - lo > 1 && is_plus_or_minus(&a->tokens[lo]))
        term.sign = sign_of(&a->tokens[lo++]);
    if (aim__read_product(a, lo, hi, &p)) {
        if (p.k.num < 0)
            term.sign = opposite(term.sign);
        aim__put_product(&p, true, &term.text);
        aim__product_free(&p);
    } else {
        aim__put_tokens(a->tokens, lo, hi, &term.text);
    }
    return term;
}

/* Order of terms: any will do that does not depend on the order they are written in. */
static int compare(const void *x, const void *y)
{
    const struct term *a = x, *b = y;
    size_t n = a->text.len < b->text.len ? a->text.len : b->text.len;
    int order = n ? memcmp(a->text.data, b->text.data, n) : 0;
    if (order == 0 && a->text.len != b->text.len)
        return a->text.len < b->text.len ? -1 : 1;
    return order ? order : strcmp(a->sign, b->sign);
}

static void put_terms(struct sum *s, aim_buf *out)
{
    if (s->n > 1)
        qsort(s->terms, s->n, sizeof *s->terms, compare);
    for (size_t i = 0; i < s->n; i++) {
        struct term *term = &s->terms[i];
        bool is_zero = term->text.len == 1 && term->text.data[0] == '0';
        if (!(term->sign[0] == '+' && i == 0) && !(is_zero && s->n == 1))
            aim_buf_puts(out, term->sign);
        aim__absorb(out, &term->text);
    }
}

void aim__put_sum(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    struct sum s = {0};
    for (size_t i = lo; i < hi;) {
        size_t end = term_end(a->tokens, lo, behind(a->tokens, i), hi);
        if (!aim_grow(&s.terms, &s.room, s.n + 1, sizeof *s.terms)) {
            out->failed = true;
            break;
        }
        s.terms[s.n++] = read_term(a, i, end);
        i = end;
    }
    put_terms(&s, out);
    aim_free(s.terms);
}

/* ---- relations and elements ------------------------------------------------------- */

static void put_relation(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    const struct aim__token *t = a->tokens;
    for (size_t i = lo;; i++) {
        size_t end = find(t, i, hi, relates);
        aim__put_sum(a, i, end, out);
        if (end == hi)
            return;
        aim__put_tokens(t, end, end + 1, out);
        bool compares = t[end].kind == AIM__COMMAND || strchr("=<>", t[end].sign);
        if (!compares && end + 1 < hi && aim__is_sign(&t[end + 1], '+'))
            aim_buf_puts(out, "+");
        i = end;
    }
}

/* Where what is said about a variable starts, as in "x=" or "x \in"; lo if it is not. */
static size_t behind_key(const struct aim__token *t, size_t lo, size_t hi)
{
    if (hi - lo < 3 || (t[lo].kind != AIM__WORD && t[lo].kind != AIM__COMMAND))
        return lo;
    bool is_short = t[lo].kind == AIM__COMMAND || t[lo].text.len <= 2;
    bool tells = aim__is_sign(&t[lo + 1], '=') ||
                 (t[lo + 1].kind == AIM__COMMAND &&
                  (aim__slice_is(t[lo + 1].text, "in") || aim__slice_is(t[lo + 1].text, "to")));
    return is_short && tells && find(t, lo + 2, hi, relates) == hi ? lo + 2 : lo;
}

/* Is the range one bracket of this sort? */
static bool is_one_bracket(const struct aim__token *t, size_t lo, size_t hi, char sign)
{
    return lo < hi && t[lo].kind == AIM__OPEN && t[lo].mate + 1 == hi && t[lo].sign == sign &&
           t[hi - 1].sign == sign;
}

/* Can the brackets of the element go: plain ones, and those around a single thing? */
static bool is_wrapped(const struct aim__token *t, size_t lo, size_t hi)
{
    bool is_list = lo + 1 < hi && find(t, lo + 1, hi - 1, separates) < hi - 1;
    bool is_word_or_number =
        hi - lo == 3 && (t[lo + 1].kind == AIM__WORD || t[lo + 1].kind == AIM__NUMBER);
    bool is_matrix = hi - lo > 2 && is_one_bracket(t, lo + 1, hi - 1, AIM__MATRIX);
    if (hi - lo < 3 || is_list)
        return false;
    return is_one_bracket(t, lo, hi, AIM__GROUP) || is_one_bracket(t, lo, hi, '(') ||
           ((is_one_bracket(t, lo, hi, '[') || is_one_bracket(t, lo, hi, AIM__SET)) &&
            (is_word_or_number || is_matrix));
}

static void put_element(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    struct aim__rational number;
    for (size_t n = hi - lo + 1; hi - lo < n;) {
        n = hi - lo;
        hi = aim__before_units(a->tokens, lo, hi);
        if (is_wrapped(a->tokens, lo, hi)) {
            lo++;
            hi--;
        }
    }
    if (hi - lo == 2 && is_one_bracket(a->tokens, lo, hi, AIM__GROUP))
        aim_buf_puts(out, "\\emptyset");
    else if (aim__number_in_words(a->tokens, lo, hi, &number))
        aim__put_rational(number, out);
    else
        put_relation(a, lo, hi, out);
}

/* ---- lists ------------------------------------------------------------------------ */

static bool same_key(const struct aim__token *x, const struct aim__token *y)
{
    return x->kind == y->kind && x->text.len == y->text.len &&
           memcmp(x->text.s, y->text.s, x->text.len) == 0;
}

/* Do all elements say something about one variable? Then it is left out. */
static bool has_one_key(const struct aim__token *t, size_t lo, size_t hi)
{
    size_t key = lo;
    for (size_t i = lo; i < hi;) {
        size_t end = find(t, i, hi, separates);
        if (end > i && (behind_key(t, i, end) == i || !same_key(&t[key], &t[i])))
            return false;
        i = end + 1;
    }
    return true;
}

void aim__put_list(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    const struct aim__token *t = a->tokens;
    struct aim__rational number;
    bool first = true, keyed = has_one_key(t, lo, hi);
    if (aim__number_in_words(t, lo, hi, &number)) {
        aim__put_rational(number, out);
        return;
    }
    for (size_t i = lo; i < hi;) {
        size_t end = find(t, i, hi, separates);
        if (end > i) {
            aim_buf_puts(out, first ? "" : ", ");
            put_element(a, keyed ? behind_key(t, i, end) : i, end, out);
            first = false;
        }
        i = end + 1;
    }
}

enum aim__form aim__read_inside(struct aim__answer *a, size_t lo, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = a->tokens;
    *p = AIM__NO_FACTOR;
    if (a->depth >= AIM__MAX_NESTING) {
        aim__put_tokens(t, lo, hi, &p->top);
        return AIM__FORM_LIST;
    }
    a->depth++;
    enum aim__form form = AIM__FORM_TERM;
    if (lo == hi || find(t, lo, hi, separates) < hi)
        form = AIM__FORM_LIST;
    else if (find(t, lo, hi, relates) < hi || term_end(t, lo, behind(t, lo), hi) < hi)
        form = AIM__FORM_SUM;
    if (form != AIM__FORM_TERM)
        aim__put_list(a, lo, hi, &p->top);
    else if (!aim__read_product(a, lo, hi, p)) {
        aim__put_tokens(t, lo, hi, &p->top);
        form = AIM__FORM_SUM;
    }
    a->depth--;
    return form;
}
