/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - the final answer inside a worked solution, and whether two answers are
 * the same: what voting among candidates stands on. Follows the extraction and
 * normalisation of search-and-learn (Hugging Face) and of the MATH graders before it,
 * with exact numbers in the place of symbolic algebra. Bytes are hostile; nothing here
 * depends on a clock, on floating point or on the locale. */
#ifndef AIM_TEXT_ANSWER_H
#define AIM_TEXT_ANSWER_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    AIM_MAX_ANSWER_PATTERN = 1024, /* bytes of a pattern */
    AIM_MAX_ANSWER = 4096,         /* bytes of an answer; longer ones are none */
    AIM_MAX_ANSWER_SEARCH = 32768, /* bytes at the end of a text that a pattern sees */
};

/* A regular expression that finds the answer: the last match that is not empty counts,
 * its first group if one took part in it, else the whole of it. The language is PCRE2's
 * with Unicode; "^" and "$" mean the ends of the text, of a line with (?m). Of a long text
 * the last AIM_MAX_ANSWER_SEARCH bytes are all there is to it. A search that would take
 * more than some 50 ms is given up: patterns that try very many ways, or repeat what they
 * have found to fail, find nothing in long texts.
 * Threading: immutable once compiled. */
typedef struct aim_answer_pattern aim_answer_pattern;
/* Compile; NULL with AIM_EINVAL and the reason if it is not valid, or AIM_ENOMEM. */
aim_answer_pattern *aim_answer_pattern_new(const char *pattern, size_t len, aim_error *err);
void aim_answer_pattern_free(aim_answer_pattern *p); /* NULL is fine */

/* Append the answer of a solution to *out, as it is written there but for white space at
 * both ends. Without a pattern, the first of these that is there:
 * - the text between the first "final answer is $" and "$. I hope" behind it, or the
 *   content of the box in it;
 * - the content of the last \boxed{...}, to the end of the text if the brace is not
 *   closed; of a last "boxed" without a brace, the text up to a dollar sign;
 * - the rest of the sentence, at most of the line, behind the last "he answer is", and
 *   then behind the last "final answer is"; a colon may stand between;
 * - the last number -?\d*\.?\d+, with commas only where they set thousands apart, or the
 *   plain fraction -?\d+ / \d+ whose divisor that number is ("Answer: 1/2").
 * Of these one colon in front, one period and then one slash behind are left out.
 * false: there is none (nothing is appended), it is empty or longer than AIM_MAX_ANSWER,
 * or no memory (out->failed), or the pattern ran into its limits. These are counts of
 * work and bytes, no times: the same text always gives the same answer. A pattern that ran
 * into its limits cannot be told from one that did not match. */
bool aim_answer_extract(const char *text, size_t len, const aim_answer_pattern *p, aim_buf *out);

/* Append the canonical form of an answer to *out: two answers are the same if and only
 * if their canonical forms are equal bytes, so sameness is an equivalence relation. The
 * form of a form is that form; that of an answer of which nothing is left, and of one
 * longer than AIM_MAX_ANSWER, is the answer itself. Takes n log n time.
 *
 * What the steps of search-and-learn's strip_string come to here:
 * - White space, "\!", "\,", "~" and line ends go, as do periods at the end, dollar
 *   signs and those of other currencies, "\(", "\)", "\left", "\right", \displaystyle,
 *   double quotes, stars around the whole. Digits stay apart: "1 2" is not "12".
 * - tfrac, dfrac, cfrac are \frac; \neq, \leq, \geq are \ne, \le, \ge; array, matrix and
 *   bmatrix are pmatrix, whatever brackets are around it.
 * - Fonts and \text, \mbox, \mathrm, \boxed leave what is in their braces. Text behind a
 *   value goes if it holds no number, no "and" or "or", no single letter.
 * - Units behind a value go, with their exponents and slashes: "5 cm" = "5 m" = "5", as
 *   the question names the unit. Words are those of search-and-learn without the ones
 *   that more often are variables; letters right behind a digit must be two or more.
 * - Degree and percent signs go: "50\%" = "50", which is not "0.5". (A grader may also try
 *   a hundredth and a hundredfold, but then 50 and 0.5 would be the same, and so 0.005.)
 * - Number words are numbers: "one hundred and five", "minus two", "2.5 million".
 * - "x=", "x \in", "x \to" and any "k=" of at most two letters go if the whole answer is
 *   about k, and from a list if all its elements are: "x=5" = "5", but "x=1, y=2" is
 *   neither "1, 2" nor "y=1, x=2".
 * - "inf" and "infinity" are \infty, a "+" in front goes; \{\} is \emptyset; "j" is "i"
 *   where no "i" is used; "and" and "or" between elements are commas.
 * - Braces, round brackets around the whole, and any brackets around one word or number
 *   go: "(A)" = "A"; "(1,2)", "[1,2]", "(1,2]", "\{1,2\}" and "1,2" are five answers.
 *
 * In the place of sympy:
 * - Numbers are exact fractions in lowest terms: "0.50" = ".5" = "\frac12" = "2/4",
 *   "1\frac12" = "1 1/2" = "1.5", "-\frac{1}{2}" = "\frac{-1}{2}", "1,000" = "1{,}000" =
 *   "10^3" = "1e3", but "0.333" is not "1/3" and "1.000" is 1. Between the elements of a
 *   tuple a comma separates: "(1,000)" has two. Products, quotients, whole powers and
 *   square roots are worked out; sums are not. What does not fit into 127 bits, has a
 *   divisor 0 or is in doubt ("1/2x") stays as it is written.
 * - In a term, numbers go in front: "\frac{\pi}{2}" = "\pi/2" = "0.5\pi"; square roots of
 *   numbers are pulled out and rationalised: "\frac{1}{\sqrt2}" = "\frac{\sqrt{2}}{2}".
 *   All else keeps its order. The terms of a sum are sorted.
 * - Elements of lists, tuples, intervals, sets and matrices are compared one by one, in
 *   their order. Case counts. Unicode's minus, fraction, root and comparison signs, its
 *   raised digits and full-width forms are those of LaTeX. */
void aim_answer_canonical(const char *answer, size_t len, aim_buf *out);

#endif
