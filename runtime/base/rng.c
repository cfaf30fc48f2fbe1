/* SPDX-License-Identifier: Apache-2.0 */
#include "base/rng.h"

#include <sys/random.h>
#include <time.h>

#include <Random123/philox.h>

aim_rng_block aim_rng_draw(uint64_t seed, enum aim_stream stream, uint64_t index, uint32_t lane)
{
    philox4x32_key_t key = {{(uint32_t)seed, (uint32_t)(seed >> 32)}};
    philox4x32_ctr_t counter = {{(uint32_t)index, (uint32_t)(index >> 32), lane, (uint32_t)stream}};
    philox4x32_ctr_t out = philox4x32(counter, key);
    return (aim_rng_block){{out.v[0], out.v[1], out.v[2], out.v[3]}};
}

static uint64_t first64(aim_rng_block b)
{
    return (uint64_t)b.v[1] << 32 | b.v[0];
}

double aim_rng_uniform(uint64_t seed, enum aim_stream stream, uint64_t index)
{
    uint64_t bits = first64(aim_rng_draw(seed, stream, index, 0)) >> 11;
    return ((double)bits + 0.5) * 0x1p-53;
}

uint64_t aim_candidate_seed(uint64_t seed, uint32_t prompt, uint32_t candidate)
{
    uint64_t index = (uint64_t)prompt << 32 | candidate;
    return first64(aim_rng_draw(seed, AIM_STREAM_CANDIDATE, index, 0));
}

uint64_t aim_rng_fresh_seed(void)
{
    uint64_t seed;
    if (getrandom(&seed, sizeof seed, 0) != sizeof seed) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    }
    return seed >> 11;
}
