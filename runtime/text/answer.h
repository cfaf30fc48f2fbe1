/* SPDX-License-Identifier: Apache-2.0 */
/* answer.h - the final answer inside a worked solution, and whether two answers are
 * the same: what voting among candidates stands on. Follows the extraction and
 * normalisation of search-and-learn (Hugging Face) and of the MATH graders before it,
 * with exact rational numbers in the place of symbolic algebra. Bytes are hostile. */
#ifndef AIM_TEXT_ANSWER_H
#define AIM_TEXT_ANSWER_H

#include "base/buf.h"
#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum {
    AIM_MAX_ANSWER_PATTERN = 1024, /* bytes of a pattern */
    AIM_MAX_ANSWER = 4096,         /* bytes of an answer; longer ones are none */
};

/* A regular expression that finds the answer: the last match counts, its first group
 * if it has one, else the whole of it. */
typedef struct aim_answer_pattern aim_answer_pattern;
/* Compile; NULL with AIM_EINVAL and the reason if it is not valid. */
aim_answer_pattern *aim_answer_pattern_new(const char *pattern, size_t len, aim_error *err);
void aim_answer_pattern_free(aim_answer_pattern *p); /* NULL is fine */

/* Append the answer of a solution to *out, as it is written there but for white space at
 * both ends. Without a pattern, the first of these that is there: the text between
 * "final answer is $" and "$. I hope", the last \boxed{...}, the text behind the last
 * "he answer is" or "final answer is", the last number. false: there is none (nothing is
 * appended), or no memory (out->failed), or the pattern ran into its limits. */
bool aim_answer_extract(const char *text, size_t len, const aim_answer_pattern *p, aim_buf *out);

/* Append the canonical form of an answer to *out: two answers are the same if and only
 * if their canonical forms are equal bytes. White space, LaTeX spellings, units, signs of
 * currency, thousands separators and number words are settled; what is a number becomes
 * an exact fraction in lowest terms ("0.50", "1/2", "\frac12", "50\%" are one). */
void aim_answer_canonical(const char *answer, size_t len, aim_buf *out);

#endif
