/* SPDX-License-Identifier: Apache-2.0 */
/* One term of an answer: numbers are multiplied, what is no number keeps its order. */
#include "text/answer_parts.h"

void aim__product_free(struct aim__product *p)
{
    aim_buf_free(&p->top);
    aim_buf_free(&p->bottom);
    *p = AIM__NO_FACTOR;
}

bool aim__product_is_rational(const struct aim__product *p)
{
    return p->root == 1 && p->top.len == 0 && p->bottom.len == 0 && !p->top.failed &&
           !p->bottom.failed;
}

static void join_buf(aim_buf *out, aim_buf *text)
{
    out->failed |= text->failed;
    aim__join(out, text->data, text->len);
    aim_buf_free(text);
}

/* p = p * sqrt(n). Square factors come out of the root but for large ones. */
static bool multiply_root(struct aim__product *p, aim__wide n)
{
    enum { LARGEST = 1000 };
    aim__wide outside = 1;
    if (__builtin_mul_overflow(p->root, n, &n))
        return false;
    for (aim__wide i = 2; i < LARGEST && i * i <= n; i++)
        for (; n % (i * i) == 0; n /= i * i)
            outside *= i;
    p->root = n;
    return aim__rational_multiply(&p->k, (struct aim__rational){outside, 1});
}

bool aim__product_multiply_root(struct aim__product *p, struct aim__rational x)
{
    aim__wide n;
    if (aim__rational_root(&x))
        return aim__rational_multiply(&p->k, x);
    return !__builtin_mul_overflow(x.num, x.den, &n) && multiply_root(p, n) &&
           aim__rational_divide(&p->k, (struct aim__rational){x.den, 1});
}

bool aim__product_multiply(struct aim__product *p, struct aim__product *x)
{
    join_buf(&p->top, &x->top);
    join_buf(&p->bottom, &x->bottom);
    return aim__rational_multiply(&p->k, x->k) && (x->root == 1 || multiply_root(p, x->root));
}

bool aim__product_divide(struct aim__product *p, struct aim__product *x)
{
    join_buf(&p->top, &x->bottom);
    join_buf(&p->bottom, &x->top);
    return aim__rational_divide(&p->k, x->k) &&
           (x->root == 1 || (aim__rational_divide(&p->k, (struct aim__rational){x->root, 1}) &&
                             multiply_root(p, x->root)));
}

/* Append k, the root and the text; 1 where there is nothing else. */
static void put_side(aim__wide k, aim__wide root, const aim_buf *text, aim_buf *out)
{
    if (k != 1 || (root == 1 && text->len == 0))
        aim__put_integer(k, out);
    if (root != 1) {
        aim_buf_puts(out, "\\sqrt{");
        aim__put_integer(root, out);
        aim_buf_puts(out, "}");
    }
    if (k != 1 && root == 1 && text->len > 0 &&
        ((text->data[0] >= '0' && text->data[0] <= '9') || (text->data[0] | 0x20) == 'e'))
        aim_buf_puts(out, "\\cdot ");
    aim_buf_append(out, text->data, text->len);
    out->failed |= text->failed;
}

void aim__put_product(const struct aim__product *p, bool without_sign, aim_buf *out)
{
    struct aim__rational k = p->k;
    if (k.num < 0) {
        k.num = -k.num;
        if (!without_sign)
            aim_buf_puts(out, "-");
    }
    if (aim__product_is_rational(p)) {
        aim__put_rational(k, out);
    } else if (k.den == 1 && p->bottom.len == 0) {
        put_side(k.num, p->root, &p->top, out);
    } else {
        aim_buf_puts(out, "\\frac{");
        put_side(k.num, p->root, &p->top, out);
        aim_buf_puts(out, "}{");
        put_side(k.den, 1, &p->bottom, out);
        aim_buf_puts(out, "}");
    }
}

/* ---- reading ---------------------------------------------------------------------- */

/* How the factors of a term stand to each other. */
struct reader {
    struct aim__product *p;
    size_t lo;
    bool times;   /* the next factor is multiplied for sure: the first, or behind a sign */
    bool below;   /* the next factor is a divisor */
    bool slashed; /* there was one: what is behind it without a sign may belong to it */
};

/* A proper fraction right behind a whole number: "1\frac12". */
static bool is_mixed(const struct reader *r, const struct aim__token *t, size_t at,
                     const struct aim__product *x)
{
    return at == r->lo + 1 && !r->times && t[r->lo].kind == AIM__NUMBER &&
           aim__product_is_rational(r->p) && r->p->k.den == 1 && aim__product_is_rational(x) &&
           x->k.num >= 0 && x->k.num < x->k.den;
}

/* A number behind a text that it may belong to ("x2", "f(3)"), written as it is. */
static bool add_as_text(struct reader *r, bool in_brackets, struct aim__product *x)
{
    aim_buf text = AIM_BUF_INIT;
    aim_buf_puts(&text, in_brackets ? "(" : "");
    aim__put_product(x, false, &text);
    aim_buf_puts(&text, in_brackets ? ")" : "");
    join_buf(&r->p->top, &text);
    return true;
}

/* Add factor x, which starts with token at. */
static bool add_factor(struct reader *r, const struct aim__token *t, size_t at,
                       struct aim__product *x)
{
    const struct aim__token *first = &t[at];
    bool is_number = aim__product_is_rational(x);
    if (r->below)
        return aim__product_divide(r->p, x);
    if (r->slashed && !r->times)
        return false;
    if (first->kind == AIM__COMMAND && is_mixed(r, t, at, x))
        return aim__rational_add(&r->p->k, x->k);
    if (!r->times && is_number && (first->kind == AIM__NUMBER || first->kind == AIM__OPEN)) {
        if (r->p->top.len > 0)
            return add_as_text(r, first->kind == AIM__OPEN, x);
        if (first->kind == AIM__NUMBER)
            return false;
    }
    return aim__product_multiply(r->p, x);
}

/* "1 1/2", and nothing else. */
static bool read_mixed(const struct aim__token *t, size_t lo, size_t hi, struct aim__rational *k)
{
    struct aim__rational whole, part, den;
    if (hi - lo != 4 || t[lo].kind != AIM__NUMBER || t[lo + 1].kind != AIM__NUMBER ||
        !aim__is_sign(&t[lo + 2], '/') || t[lo + 3].kind != AIM__NUMBER)
        return false;
    if (!aim__numeral_value(t[lo].text, &whole) || !aim__numeral_value(t[lo + 1].text, &part) ||
        !aim__numeral_value(t[lo + 3].text, &den) || !aim__rational_divide(&part, den))
        return false;
    if (whole.den != 1 || part.num >= part.den || !aim__rational_add(&whole, part))
        return false;
    *k = whole;
    return true;
}

/* Do round brackets stand between signs, or at the ends? Then a term in them can do
 * without. */
static bool stands_alone(const struct reader *r, const struct aim__token *t, size_t at, size_t hi)
{
    if (!r->times || t[at].kind != AIM__OPEN || t[at].sign != '(' || t[t[at].mate].sign != '(')
        return false;
    size_t next = t[at].mate + 1;
    return next == hi || aim__is_sign(&t[next], '*') || aim__is_sign(&t[next], '/');
}

/* One sign between factors, or one factor. */
static bool step(struct aim__answer *a, struct reader *r, size_t *at, size_t hi)
{
    const struct aim__token *t = a->tokens;
    size_t start = *at;
    if (t[start].kind == AIM__OPEN && t[start].sign == AIM__GROUP && t[start].mate == start + 1) {
        *at += 2; /* {} is nothing */
        return true;
    }
    if (start > r->lo && (aim__is_sign(&t[start], '*') || aim__is_sign(&t[start], '/'))) {
        bool slash = aim__is_sign(&t[start], '/');
        bool ok = !r->times && !(slash && r->slashed);
        r->times = true;
        r->below = slash;
        r->slashed |= slash;
        ++*at;
        return ok;
    }
    struct aim__product x = AIM__NO_FACTOR;
    bool ok = stands_alone(r, t, start, hi) ? aim__read_argument(a, at, hi, &x)
                                            : aim__read_factor(a, at, hi, &x);
    ok = ok && add_factor(r, t, start, &x);
    aim__product_free(&x);
    r->times = r->below = false;
    return ok;
}

bool aim__read_product(struct aim__answer *a, size_t lo, size_t hi, struct aim__product *p)
{
    struct reader r = {.p = p, .lo = lo, .times = true};
    *p = AIM__NO_FACTOR;
    if (read_mixed(a->tokens, lo, hi, &p->k))
        return true;
    size_t at = lo;
    bool ok = true;
    while (ok && at < hi)
        ok = step(a, &r, &at, hi);
    if (ok && !r.times)
        return true;
    aim__product_free(p);
    return false;
}
