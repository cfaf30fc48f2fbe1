/* SPDX-License-Identifier: Apache-2.0 */
/* tokenizer.h - how fast a vocabulary encodes: plain text, and texts that would
 * be slow if any step took more than linear time. */
#ifndef AIM_BENCH_TOKENIZER_H
#define AIM_BENCH_TOKENIZER_H

/* Measure the tokenizer of the folder dir on 100 kB of the file text and on a
 * megabyte of one character each, on one core. 0, or -1 after a message. */
int bench_tokenizer(const char *dir, const char *text);

#endif
