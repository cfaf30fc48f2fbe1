/* SPDX-License-Identifier: Apache-2.0 */
/* rate.h - the decode rate of a batch: tokens a second while every sequence is
 * decoding, that is from the last first token to the first last token. */
#ifndef AIM_BENCH_RATE_H
#define AIM_BENCH_RATE_H

#include <stdbool.h>
#include <stdint.h>

enum { RATE_MAX = 256 };

typedef struct decode_rate {
    int sequences, tokens_each;
    int seen[RATE_MAX];
    int started;
    bool over;
    uint64_t begin_ns, end_ns;
    int64_t tokens;
} decode_rate;

void rate_init(decode_rate *r, int sequences, int tokens_each);
void rate_token(decode_rate *r, int sequence, uint64_t time_ns);
double rate_per_second(const decode_rate *r);

#endif
