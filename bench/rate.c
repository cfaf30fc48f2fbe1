/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/rate.h"

void rate_init(decode_rate *r, int sequences, int tokens_each)
{
    *r = (decode_rate){.sequences = sequences, .tokens_each = tokens_each};
}

void rate_token(decode_rate *r, int sequence, uint64_t time_ns)
{
    if (++r->seen[sequence] == 1 && ++r->started == r->sequences) {
        r->begin_ns = time_ns;
        return;
    }
    if (r->started < r->sequences || r->over)
        return;
    r->tokens++;
    r->end_ns = time_ns;
    r->over = r->seen[sequence] == r->tokens_each;
}

double rate_per_second(const decode_rate *r)
{
    return r->end_ns > r->begin_ns ? (double)r->tokens * 1e9 / (double)(r->end_ns - r->begin_ns)
                                   : 0;
}
