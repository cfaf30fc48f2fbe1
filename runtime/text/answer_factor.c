/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer_parts.h"

#include <string.h>

static bool is_open(const struct aim__token *t, char sign)
{
    return t->kind == AIM__OPEN && t->sign == sign;
}

static void put_text(struct aim__product *p, const char *s)
{
    aim__join(&p->top, s, strlen(s));
}

/* Make one text of p, between these. */
static void enclose(struct aim__product *p, const char *open, const char *close)
{
    aim_buf text = AIM_BUF_INIT;
    aim_buf_puts(&text, open);
    aim__put_product(p, false, &text);
    aim_buf_puts(&text, close);
    aim__product_free(p);
    p->top = text;
    p->is_one = true;
}

/* Make one text of p that an exponent can follow. */
static void make_text(struct aim__product *p)
{
    bool is_count = aim__product_is_rational(p) && p->k.den == 1 && p->k.num >= 0;
    bool is_text = p->k.num == 1 && p->k.den == 1 && p->root == 1 && p->bottom.len == 0;
    if (is_count)
        enclose(p, "", "");
    else if (!is_text || !p->is_one)
        enclose(p, "(", ")");
}

/* The content of plain braces, or of round ones that can go, as one factor. */
static void read_group(struct aim__answer *a, const struct aim__token *open, size_t inside,
                       struct aim__product *p)
{
    const struct aim__token *t = &a->tokens[inside];
    enum aim__form form = aim__read_inside(a, inside, open->mate, p);
    bool is_set = open->sign == AIM__GROUP && form == AIM__FORM_LIST;
    if (form != AIM__FORM_TERM)
        enclose(p, is_set ? "\\{" : "(", is_set ? "\\}" : ")");
    else
        p->is_one |= open->mate - inside == 1 && (t->kind != AIM__WORD || t->text.len == 1);
}

/* ---- functions, roots, fractions -------------------------------------------------- */

static bool read_primary(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p);

/* What a command is given: braces, or one thing without. */
bool aim__read_argument(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = &a->tokens[*at];
    if (*at >= hi || t->kind == AIM__SIGN || t->kind == AIM__CLOSE)
        return false;
    if (!is_open(t, AIM__GROUP) && !is_open(t, '('))
        return read_primary(a, at, hi, p);
    size_t inside = *at + 1;
    *at = t->mate + 1;
    read_group(a, t, inside, p);
    return true;
}

static bool read_fraction(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    struct aim__product below = AIM__NO_FACTOR;
    bool ok = aim__read_argument(a, at, hi, p) && aim__read_argument(a, at, hi, &below) &&
              aim__product_divide(p, &below);
    p->is_one = false;
    aim__product_free(&below);
    return ok;
}

/* Append the root of p as text. */
static void put_root(struct aim__product *p, const aim_buf *index)
{
    aim_buf open = AIM_BUF_INIT;
    aim_buf_puts(&open, "\\sqrt");
    if (index->len > 0) {
        aim_buf_puts(&open, "[");
        aim_buf_append(&open, index->data, index->len);
        aim_buf_puts(&open, "]");
    }
    aim_buf_puts(&open, "{");
    enclose(p, open.failed ? "" : open.data, "}");
    p->top.failed |= open.failed || index->failed;
    aim_buf_free(&open);
}

static bool read_root(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = &a->tokens[*at];
    aim_buf index = AIM_BUF_INIT;
    if (*at < hi && is_open(t, '[')) {
        aim__put_list(a, *at + 1, t->mate, &index);
        *at = t->mate + 1;
    }
    struct aim__product root = AIM__NO_FACTOR;
    bool ok = aim__read_argument(a, at, hi, p);
    if (ok && index.len == 0 && aim__product_is_rational(p) && p->k.num >= 0 &&
        aim__product_multiply_root(&root, p->k)) {
        aim__product_free(p);
        *p = root;
    } else if (ok) {
        put_root(p, &index);
    }
    aim_buf_free(&index);
    return ok;
}

static bool read_postfix(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p);

/* Does what a function without brackets is given end before t? */
static bool ends_operand(const struct aim__token *t, const struct aim__token *before)
{
    if (t->kind == AIM__SIGN)
        return strchr("*/+-", t->sign) && !(before && aim__is_sign(before, '^'));
    return t->kind == AIM__COMMAND && aim__is_function(t->text);
}

/* A function and what it is a function of: brackets, or all that follows up to a sign. */
static bool read_function(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = a->tokens;
    struct aim__product x = AIM__NO_FACTOR;
    if (!read_postfix(a, at, hi, p))
        return false;
    size_t start = *at, end = start;
    if (start < hi && is_open(&t[start], '('))
        end = t[start].mate + 1;
    else
        while (end < hi && !ends_operand(&t[end], end > start ? &t[end - 1] : NULL))
            end = t[end].kind == AIM__OPEN ? t[end].mate + 1 : end + 1;
    if (end == start)
        return true;
    *at = end;
    if (is_open(&t[start], '('))
        aim__read_inside(a, start + 1, end - 1, &x);
    else if (!aim__read_product(a, start, end, &x))
        return false;
    enclose(&x, "(", ")");
    return aim__product_multiply(p, &x);
}

/* A command that is not known: itself, and the braces behind it. */
static bool read_other_command(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = a->tokens;
    while (*at < hi && is_open(&t[*at], AIM__GROUP)) {
        put_text(p, "{");
        aim__put_list(a, *at + 1, t[*at].mate, &p->top);
        put_text(p, "}");
        *at = t[*at].mate + 1;
    }
    return true;
}

static bool read_command(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    struct aim__slice name = a->tokens[*at].text;
    ++*at;
    if (aim__slice_is(name, "frac"))
        return read_fraction(a, at, hi, p);
    if (aim__slice_is(name, "sqrt"))
        return read_root(a, at, hi, p);
    put_text(p, "\\");
    aim_buf_append(&p->top, name.s, name.len);
    return aim__is_function(name) ? read_function(a, at, hi, p) : read_other_command(a, at, hi, p);
}

/* ---- brackets --------------------------------------------------------------------- */

static void put_cells(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    const struct aim__token *t = a->tokens;
    for (size_t i = lo; i <= hi; i = (i < hi && t[i].kind == AIM__OPEN ? t[i].mate : i) + 1) {
        bool row = i < hi && aim__is_sign(&t[i], AIM__ROW_END);
        if (i < hi && !row && !aim__is_sign(&t[i], '&'))
            continue;
        aim__put_list(a, lo, i, out);
        lo = i + 1;
        if (i < hi && lo < hi)
            aim_buf_puts(out, row ? "\\\\" : "&");
    }
}

static void put_matrix(struct aim__answer *a, const struct aim__token *open, size_t lo,
                       aim_buf *out)
{
    struct aim__slice name = open->text;
    aim_buf_puts(out, "\\begin{");
    aim_buf_append(out, name.s, name.len);
    aim_buf_puts(out, "}");
    put_cells(a, lo, open->mate, out);
    aim_buf_puts(out, "\\end{");
    aim_buf_append(out, name.s, name.len);
    aim_buf_puts(out, "}");
}

/* The empty set has a sign of its own. */
static void put_set(struct aim__answer *a, size_t lo, size_t hi, aim_buf *out)
{
    if (lo == hi) {
        aim_buf_puts(out, "\\emptyset");
        return;
    }
    aim_buf_puts(out, "\\{");
    aim__put_list(a, lo, hi, out);
    aim_buf_puts(out, "\\}");
}

static const char *closing_bracket(const struct aim__answer *a, const struct aim__token *open)
{
    return a->tokens[open->mate].sign == '[' ? "]" : ")";
}

/* A number in round brackets is that number, in plain braces anything is itself. */
static void read_brackets(struct aim__answer *a, size_t *at, struct aim__product *p)
{
    const struct aim__token *open = &a->tokens[*at];
    size_t inside = *at + 1;
    *at = open->mate + 1;
    if (open->sign == AIM__GROUP) {
        p->is_one = false;
        read_group(a, open, inside, p);
    } else if (open->sign == AIM__MATRIX) {
        put_matrix(a, open, inside, &p->top);
    } else if (open->sign == '|') {
        aim__read_inside(a, inside, open->mate, p);
        enclose(p, "|", "|");
    } else if (open->sign == AIM__SET) {
        put_set(a, inside, open->mate, &p->top);
    } else {
        aim__read_inside(a, inside, open->mate, p);
        bool is_round = open->sign == '(' && a->tokens[open->mate].sign == '(';
        if (!is_round || !aim__product_is_rational(p))
            enclose(p, open->sign == '(' ? "(" : "[", closing_bracket(a, open));
    }
}

/* ---- one factor ------------------------------------------------------------------- */

static bool read_shallow(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = &a->tokens[*at];
    p->is_one = true;
    if (t->kind == AIM__COMMAND)
        return read_command(a, at, hi, p);
    if (t->kind == AIM__OPEN) {
        read_brackets(a, at, p);
        return true;
    }
    ++*at;
    if (t->kind == AIM__NUMBER && aim__numeral_value(t->text, &p->k))
        return true;
    aim__put_tokens(t, 0, 1, &p->top);
    return true;
}

/* Without a sign before it or an exponent behind it. */
static bool read_primary(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    if (*at >= hi || a->depth >= AIM__MAX_NESTING)
        return false;
    a->depth++;
    bool ok = read_shallow(a, at, hi, p);
    a->depth--;
    return ok;
}

/* k = k^e, where that is rational; halves of an exponent are square roots. */
static bool power(struct aim__rational *k, struct aim__rational e)
{
    struct aim__rational base = *k;
    if (e.den == 2 && !aim__rational_root(&base))
        return false;
    if (!aim__rational_raise(&base, (struct aim__rational){e.num, e.den == 2 ? 1 : e.den}))
        return false;
    *k = base;
    return true;
}

/* The exponent at *at on p: a power, a root, or text. */
static bool read_exponent(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    struct aim__product e = AIM__NO_FACTOR;
    bool ok = aim__read_factor(a, at, hi, &e);
    bool done =
        ok && aim__product_is_rational(p) && aim__product_is_rational(&e) && power(&p->k, e.k);
    if (ok && !done) {
        make_text(p);
        enclose(&e, "^{", "}");
        ok = aim__product_multiply(p, &e);
    }
    aim__product_free(&e);
    return ok;
}

static bool read_subscript(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    struct aim__product index = AIM__NO_FACTOR;
    bool ok = read_primary(a, at, hi, &index);
    make_text(p);
    enclose(&index, "_{", "}");
    ok = ok && aim__product_multiply(p, &index);
    aim__product_free(&index);
    return ok;
}

/* Exponents, subscripts, primes and factorials behind p. */
static bool read_postfix(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    bool ok = true;
    while (ok && *at < hi && a->tokens[*at].kind == AIM__SIGN) {
        char sign = a->tokens[*at].sign;
        if (!sign || !strchr("^_!'", sign))
            break;
        ++*at;
        if (sign == '^') {
            ok = read_exponent(a, at, hi, p);
        } else if (sign == '_') {
            ok = read_subscript(a, at, hi, p);
        } else {
            make_text(p);
            put_text(p, sign == '!' ? "!" : "'");
        }
    }
    return ok;
}

static bool read_signed(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    const struct aim__token *t = a->tokens;
    bool negative = false;
    for (; *at < hi && (aim__is_sign(&t[*at], '-') || aim__is_sign(&t[*at], '+')); ++*at)
        negative ^= t[*at].sign == '-';
    if (!read_primary(a, at, hi, p) || !read_postfix(a, at, hi, p))
        return false;
    p->k.num = negative ? -p->k.num : p->k.num;
    return true;
}

bool aim__read_factor(struct aim__answer *a, size_t *at, size_t hi, struct aim__product *p)
{
    if (a->depth >= AIM__MAX_NESTING)
        return false;
    a->depth++;
    bool ok = read_signed(a, at, hi, p);
    a->depth--;
    return ok;
}
