/* SPDX-License-Identifier: Apache-2.0 */
/* answer_numeral.h - numbers in digits and in English words. */
#ifndef AIM_TEXT_ANSWER_NUMERAL_H
#define AIM_TEXT_ANSWER_NUMERAL_H

#include "text/answer_rational.h"
#include "text/chat_slice.h"

/* The value of an AIM__NUMBER; false if it does not fit. */
bool aim__numeral_value(struct aim__slice text, struct aim__rational *r);
/* Append it without separators, zeros that say nothing, and a bare point. */
void aim__put_numeral(struct aim__slice text, aim_buf *out);

/* 1000 for "thousand" and so on; 0 for what is no such word. */
aim__wide aim__scale_of_word(struct aim__slice word);

/* A number in words, as far as it was read: total + group, where the next word of less
 * than a hundred must stay below room and the next scale below this one (0: none yet). */
struct aim__number_words {
    aim__wide total, group, scale;
    int room;
};

#define AIM__NUMBER_WORDS ((struct aim__number_words){.room = 1000})

/* false: the word cannot stand there. */
bool aim__number_words_add(struct aim__number_words *n, struct aim__slice word);

#endif
