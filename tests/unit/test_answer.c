/* SPDX-License-Identifier: Apache-2.0 */
/* Which answers are the same: a table of pairs, fractions in all their spellings, what
 * holds for every text, and a lack of memory at any point. */
#include "tests/unit/text_fixture.h"

#include "base/alloc.h"
#include "text/answer.h"

enum { MAX_PAIRS = 1000, MAX_LINE = 1024 };

static aim_buf canonical_of(const char *answer, size_t len)
{
    aim_buf form = AIM_BUF_INIT;
    aim_answer_canonical(answer, len, &form);
    ck_assert(!form.failed);
    return form;
}

static bool equal(const aim_buf *a, const aim_buf *b)
{
    return a->len == b->len && (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static bool are_same(const char *a, const char *b)
{
    aim_buf x = canonical_of(a, strlen(a)), y = canonical_of(b, strlen(b));
    bool same = equal(&x, &y);
    aim_buf_free(&x);
    aim_buf_free(&y);
    return same;
}

/* The form of a form is that form. */
static void expect_settled(const char *answer, size_t len)
{
    aim_buf once = canonical_of(answer, len), twice = canonical_of(once.data, once.len);
    if (!equal(&once, &twice))
        ck_abort_msg("'%.*s' is '%s' and then '%s'", (int)len, answer, once.data, twice.data);
    aim_buf_free(&once);
    aim_buf_free(&twice);
}

/* ---- the table ------------------------------------------------------------------- */

static struct pair {
    char line[MAX_LINE];
    bool same;
    const char *a, *b; /* in line */
} pairs[MAX_PAIRS];
static int n_pairs;

static void take_pair(struct pair *p)
{
    p->line[strcspn(p->line, "\n")] = '\0';
    char *a = strchr(p->line, '\t'), *b = a ? strchr(a + 1, '\t') : NULL;
    ck_assert_msg(b != NULL, "%s", p->line);
    *a = *b = '\0';
    p->same = strcmp(p->line, "same") == 0;
    ck_assert_msg(p->same || strcmp(p->line, "different") == 0, "%s", p->line);
    p->a = a + 1;
    p->b = b + 1;
}

static void read_pairs(void)
{
    FILE *f = fopen(source_path("tests/data/text/answers.tsv"), "r");
    ck_assert(f != NULL);
    n_pairs = 0;
    while (n_pairs < MAX_PAIRS && fgets(pairs[n_pairs].line, MAX_LINE, f))
        if (pairs[n_pairs].line[0] != '#')
            take_pair(&pairs[n_pairs++]);
    fclose(f);
    ck_assert_int_ge(n_pairs, 240);
    ck_assert_int_lt(n_pairs, MAX_PAIRS);
}

START_TEST(pairs_are_as_the_table_says)
{
    int n_same = 0;
    read_pairs();
    for (int i = 0; i < n_pairs; i++) {
        const struct pair *p = &pairs[i];
        n_same += p->same;
        if (are_same(p->a, p->b) != p->same || are_same(p->b, p->a) != p->same)
            ck_abort_msg("'%s' and '%s' are %s", p->a, p->b, p->same ? "the same" : "different");
    }
    ck_assert_int_le(n_same, n_pairs / 2);
}
END_TEST

START_TEST(forms_of_the_table_are_settled)
{
    read_pairs();
    for (int i = 0; i < n_pairs; i++) {
        expect_settled(pairs[i].a, strlen(pairs[i].a));
        expect_settled(pairs[i].b, strlen(pairs[i].b));
    }
}
END_TEST

/* The same as the same is the same: of all answers of the table with each other. */
START_TEST(sameness_is_transitive)
{
    static aim_buf forms[2 * MAX_PAIRS];
    static bool same[2 * MAX_PAIRS][2 * MAX_PAIRS];
    read_pairs();
    int n = 2 * n_pairs;
    for (int i = 0; i < n; i++) {
        const char *answer = i % 2 ? pairs[i / 2].b : pairs[i / 2].a;
        forms[i] = canonical_of(answer, strlen(answer));
    }
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            same[i][j] = equal(&forms[i], &forms[j]);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            for (int k = 0; same[i][j] && k < n; k++)
                if (same[j][k] && !(same[i][k] && same[j][i]))
                    ck_abort_msg("%s, %s, %s", forms[i].data, forms[j].data, forms[k].data);
    for (int i = 0; i < n; i++)
        aim_buf_free(&forms[i]);
}
END_TEST

/* ---- fractions ------------------------------------------------------------------- */

static uint64_t state;

static int below(int n)
{
    return (int)random_below(&state, (uint32_t)n);
}

static int common_divisor(int a, int b)
{
    return b ? common_divisor(b, a % b) : a;
}

static void put_digits(int n, aim_buf *out)
{
    static const char *const separators[] = {"", ",", "{,}", "\\,"};
    if (n < 1000) {
        aim_buf_printf(out, "%d", n);
        return;
    }
    put_digits(n / 1000, out);
    aim_buf_printf(out, "%s%03d", separators[(n / 1000 < 1000) ? below(4) : 0], n % 1000);
}

/* num / den as a decimal, if it ends. */
static bool put_decimal(int num, int den, aim_buf *out)
{
    long long power = 1;
    int places = 0;
    for (; power * num % den != 0; places++, power *= 10)
        if (places > 6)
            return false;
    long long digits = power * num / den;
    if (places == 0)
        put_digits(num / den, out);
    else
        aim_buf_printf(out, "%lld.%0*lld", digits / power, places, digits % power);
    if (places > 0)
        aim_buf_printf(out, "%.*s", below(4), "000");
    return true;
}

static void put_fraction(int num, int den, aim_buf *out)
{
    static const char *const parts[][3] = {
        {"", "/", ""},           {"", " / ", ""},           {"\\frac{", "}{", "}"},
        {"\\dfrac{", "}{", "}"}, {"", "\\div", ""},         {"\\tfrac{ ", " } { ", " }"},
        {"(", ")/(", ")"},       {"\\frac {", ".0}{", "}"},
    };
    int k = 1 + below(9);
    if (num > den && below(4) == 0) {
        aim_buf_printf(out, "%d\\frac{%d}{%d}", num / den, k * (num % den), k * den);
        return;
    }
    const char *const *part = parts[below(COUNT(parts))];
    aim_buf_printf(out, "%s%d%s%d%s", part[0], k * num, part[1], k * den, part[2]);
}

/* Any spelling of num / den. */
static void put_spelling(int num, int den, bool negative, aim_buf *out)
{
    static const char *const around[][2] = {
        {"", ""},          {"$", "$"},       {" ", "."},
        {"\\boxed{", "}"}, {"x = ", ""},     {"\\(", "\\)"},
        {"\\$", ""},       {"", " cm"},      {"", "\\text{ m}^2"},
        {"", "\\%"},       {"{", "}"},       {"\\left(", "\\right)"},
        {"", "^\\circ"},   {"", " dollars"}, {"\\text{}", ""},
    };
    static const char *const minus[] = {"-", "- ", "\u2212", "-\\,"};
    const char *const *side = around[below(COUNT(around))];
    aim_buf_puts(out, side[0]);
    aim_buf_puts(out, negative ? minus[below(4)] : below(8) ? "" : "+");
    if (below(2) || !put_decimal(num, den, out))
        put_fraction(num, den, out);
    aim_buf_puts(out, side[1]);
}

START_TEST(fractions_are_known_in_any_spelling)
{
    state = 12345;
    for (int i = 0; i < 20000; i++) {
        int scale = i % 3 ? 100 : 100000, num = below(scale), den = 1 + below(scale);
        int divisor = common_divisor(num, den);
        bool negative = below(2);
        char want[64];
        aim_buf spelling = AIM_BUF_INIT;
        num /= divisor;
        den /= divisor;
        snprintf(want, sizeof want, den > 1 ? "%s%d/%d" : "%s%d", negative && num ? "-" : "", num,
                 den);
        put_spelling(num, den, negative, &spelling);
        aim_buf got = canonical_of(spelling.data, spelling.len);
        if (strcmp(got.data, want) != 0)
            ck_abort_msg("'%s' is %s, not %s", spelling.data, got.data, want);
        aim_buf_free(&got);
        aim_buf_free(&spelling);
    }
}
END_TEST

/* ---- what holds for every text --------------------------------------------------- */

static const char *const pieces[] = {
    "1",
    "2",
    "0.5",
    "x",
    "y",
    "-",
    "+",
    "/",
    "*",
    "^",
    "_",
    "(",
    ")",
    "[",
    "]",
    "{",
    "}",
    "\\{",
    "\\}",
    ",",
    ";",
    "=",
    "<",
    "\\le",
    "\\frac",
    "\\sqrt",
    "\\text{",
    "\\pi",
    "\\sin",
    " ",
    "$",
    "%",
    "\\%",
    ".",
    "and",
    "or",
    "cm",
    "m",
    "e",
    "five",
    "hundred",
    "million",
    "\\\\",
    "&",
    "!",
    "'",
    "|",
    "\\left",
    "\\pm",
    "\\infty",
    "inf",
    "**",
    "\\circ",
    "\u00bd",
    "\u00b2",
    "\u2212",
    "\xff",
    "\\begin{pmatrix}",
    "\\end{pmatrix}",
    "\\mathbb{R}",
    "j",
    "1,000",
    "\\in",
    "\\cup",
    "\\",
    "~",
    "\\,",
    "C",
    "\\mbox{",
    "\\overline",
    ":",
};

START_TEST(forms_of_any_text_are_settled)
{
    state = 99;
    for (int i = 0; i < 30000; i++) {
        aim_buf text = AIM_BUF_INIT;
        for (int n = 1 + below(14); n > 0; n--)
            aim_buf_puts(&text, pieces[below(COUNT(pieces))]);
        expect_settled(text.data, text.len);
        aim_buf_free(&text);
    }
}
END_TEST

/* Of up to AIM_MAX_ANSWER bytes each is read in linear time or nearly so; longer ones are
 * not read. */
START_TEST(long_answers_end)
{
    char *text = malloc(100000);
    ck_assert_ptr_nonnull(text);
    for (int i = 0; i < COUNT(pieces); i++) {
        size_t n = strlen(pieces[i]);
        for (size_t k = 0; k < 100000; k++)
            text[k] = pieces[i][k % n];
        expect_settled(text, AIM_MAX_ANSWER);
        aim_buf form = canonical_of(text, 100000);
        ck_assert_uint_eq(form.len, 100000);
        aim_buf_free(&form);
    }
    free(text);
}
END_TEST

START_TEST(nothing_is_nothing)
{
    aim_buf form = AIM_BUF_INIT;
    aim_answer_canonical("", 0, &form);
    ck_assert_uint_eq(form.len, 0);
    aim_buf_puts(&form, "before ");
    aim_answer_canonical("2/4", 3, &form);
    ck_assert_str_eq(form.data, "before 1/2");
    aim_buf_free(&form);
}
END_TEST

START_TEST(every_allocation_may_fail)
{
    static const char answer[] =
        "(\\sqrt{8}x+\\frac{\\sin 3}{y^2}, \\begin{pmatrix}1&2\\end{pmatrix}"
        ", [\\sqrt[3]{2}, \\{1\\}], f(3)_2)";
    aim_buf want = canonical_of(answer, strlen(answer));
    bool failed = true;
    for (int n = 0; failed; n++) {
        aim_buf form = AIM_BUF_INIT;
        aim_alloc_fail_after(n);
        aim_answer_canonical(answer, strlen(answer), &form);
        aim_alloc_fail_after(-1);
        failed = form.failed;
        ck_assert_int_lt(n, 10000);
        if (!failed)
            ck_assert(equal(&form, &want));
        aim_buf_free(&form);
    }
    aim_buf_free(&want);
}
END_TEST

static Suite *answer_suite(void)
{
    Suite *s = suite_create("answer");
    TCase *table = tcase_create("table");
    tcase_add_test(table, pairs_are_as_the_table_says);
    tcase_add_test(table, forms_of_the_table_are_settled);
    tcase_add_test(table, sameness_is_transitive);
    suite_add_tcase(s, table);

    TCase *texts = tcase_create("texts");
    tcase_add_test(texts, fractions_are_known_in_any_spelling);
    tcase_add_test(texts, forms_of_any_text_are_settled);
    tcase_add_test(texts, long_answers_end);
    tcase_add_test(texts, nothing_is_nothing);
    tcase_add_test(texts, every_allocation_may_fail);
    tcase_set_timeout(texts, 120);
    suite_add_tcase(s, texts);
    return s;
}

int main(void)
{
    return run_suite(answer_suite());
}
