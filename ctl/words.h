/* SPDX-License-Identifier: Apache-2.0 */
/* words.h - figures as people read them. */
#ifndef ACTL_WORDS_H
#define ACTL_WORDS_H

enum { ACTL_WORDS = 32 };

/* "0 s", "90 s", "1 h", "1 d 6 h", "2 y": the two largest units, rounded down. A year
 * has 365 days. */
const char *actl_age_words(double seconds, char out[ACTL_WORDS]);

/* "512 B", "12.3 MiB". */
const char *actl_bytes_words(double bytes, char out[ACTL_WORDS]);

/* A share of 1: "0.012 %"; "-" for NaN. */
const char *actl_percent_words(double share, char out[ACTL_WORDS]);

#endif
