/* SPDX-License-Identifier: Apache-2.0 */
#include "text/answer.h"

#include "text/answer_bytes.h"
#include "text/answer_parts.h"

#include <string.h>

/* Every round reads what the last one wrote. One is nearly always enough, the next shows
 * that nothing changes any more. */
enum { MAX_ROUNDS = 4 };

/* ---- writing tokens --------------------------------------------------------------- */

static bool ends_in_command(const aim_buf *text)
{
    size_t i = text->len;
    while (i > 0 && aim__is_word_byte(text->data[i - 1]))
        i--;
    return i > 0 && i < text->len && text->data[i - 1] == '\\';
}

void aim__join(aim_buf *text, const char *piece, size_t len)
{
    char last = text->len > 0 ? text->data[text->len - 1] : '\0', first = len > 0 ? *piece : '\0';
    bool in_number = aim__is_digit(first) || first == '.' || (first | 0x20) == 'e';
    if ((aim__is_digit(last) && in_number) || (aim__is_word_byte(first) && ends_in_command(text)))
        aim_buf_puts(text, " ");
    aim_buf_append(text, piece, len);
}

void aim__absorb(aim_buf *out, aim_buf *text)
{
    out->failed |= text->failed;
    aim_buf_append(out, text->data, text->len);
    aim_buf_free(text);
}

static const char *bracket(const struct aim__token *t)
{
    bool open = t->kind != AIM__CLOSE;
    switch (t->sign) {
    case AIM__SET:
        return open ? "\\{" : "\\}";
    case AIM__GROUP:
        return open ? "{" : "}";
    case '(':
        return open ? "(" : ")";
    case '[':
        return open ? "[" : "]";
    case '|':
        return "|";
    default:
        return open ? "\\begin{" : "\\end{";
    }
}

static void put_sign(const struct aim__token *t, aim_buf *out)
{
    bool is_bracket = t->kind != AIM__SIGN || strchr("S{([|M", t->sign);
    if (is_bracket) {
        aim__join(out, bracket(t), strlen(bracket(t)));
        if (t->sign == AIM__MATRIX) {
            aim_buf_append(out, t->text.s, t->text.len);
            aim_buf_puts(out, "}");
        }
    } else if (t->sign == AIM__ROW_END) {
        aim_buf_puts(out, "\\\\");
    } else {
        aim__join(out, &t->sign, 1);
    }
}

static void put_token(const struct aim__token *t, aim_buf *out)
{
    aim_buf number = AIM_BUF_INIT;
    switch (t->kind) {
    case AIM__NUMBER:
        aim__put_numeral(t->text, &number);
        aim__join(out, number.data, number.len);
        out->failed |= number.failed;
        aim_buf_free(&number);
        break;
    case AIM__COMMAND:
        aim__join(out, "\\", 1);
        aim_buf_append(out, t->text.s, t->text.len);
        break;
    case AIM__WORD:
        aim__join(out, t->text.s, t->text.len);
        break;
    default:
        put_sign(t, out);
    }
}

void aim__put_tokens(const struct aim__token *t, size_t lo, size_t hi, aim_buf *out)
{
    for (size_t i = lo; i < hi; i++)
        put_token(&t[i], out);
}

/* ---- the canonical form ----------------------------------------------------------- */

static bool has_letter(const struct aim__token *t, char letter)
{
    return (t->kind == AIM__WORD || t->kind == AIM__COMMAND) && t->text.len > 0 &&
           memchr(t->text.s, letter, t->text.len);
}

/* Where i is not used, engineers' j is the imaginary unit. */
static void rename_j(struct aim__tokens *t)
{
    for (size_t i = 0; i < t->n; i++)
        if (has_letter(&t->list[i], 'i'))
            return;
    for (size_t i = 0; i < t->n; i++)
        if (t->list[i].kind == AIM__WORD && aim__slice_is(t->list[i].text, "j"))
            t->list[i].text.s = "i";
}

/* Append the form of the tokens without the periods behind them and the stars around them. */
static void put_all(const struct aim__tokens *t, aim_buf *out)
{
    struct aim__answer a = {.tokens = t->list};
    size_t lo = 0, hi = t->n;
    while (hi > lo && (aim__is_sign(&t->list[hi - 1], '.') || aim__is_sign(&t->list[hi - 1], '*')))
        hi--;
    while (lo < hi && aim__is_sign(&t->list[lo], '*'))
        lo++;
    aim__put_list(&a, lo, hi, out);
}

static void run_round(struct aim__slice text, aim_buf *out)
{
    aim_buf latex = AIM_BUF_INIT;
    aim__answer_as_latex(text, &latex);
    struct aim__tokens tokens = aim__answer_tokens((struct aim__slice){latex.data, latex.len});
    rename_j(&tokens);
    put_all(&tokens, out);
    out->failed |= latex.failed || tokens.failed;
    aim__tokens_free(&tokens);
    aim_buf_free(&latex);
}

/* Replace text by what the next round makes of it. Is it the same? */
static bool settles(aim_buf *text)
{
    aim_buf next = AIM_BUF_INIT;
    run_round((struct aim__slice){text->data, text->len}, &next);
    bool same =
        next.len == text->len && (next.len == 0 || !memcmp(next.data, text->data, next.len));
    next.failed |= text->failed;
    aim_buf_free(text);
    *text = next;
    return same || next.failed;
}

/* The form is what a round leaves as it is, and the answer itself where none is reached
 * or nothing is left of it: so the form of a form is that form. */
void aim_answer_canonical(const char *answer, size_t len, aim_buf *out)
{
    aim_buf text = AIM_BUF_INIT;
    bool settled = false;
    if (len > 0 && len <= AIM_MAX_ANSWER) {
        aim_buf_append(&text, answer, len);
        for (int i = 0; i < MAX_ROUNDS && !settled; i++)
            settled = settles(&text);
    }
    out->failed |= text.failed;
    if (settled && text.len > 0)
        aim_buf_append(out, text.data, text.len);
    else
        aim_buf_append(out, answer, len);
    aim_buf_free(&text);
}
