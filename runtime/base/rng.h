/* SPDX-License-Identifier: Apache-2.0 */
/* rng.h - randomness as a pure function. Every draw names its seed, what it is
 * for, and where it is used; there is no state, so the order of calls, the
 * number of threads and the load cannot change a value. The generator is
 * Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3",
 * SC 2011) from the Random123 library. */
#ifndef AIM_BASE_RNG_H
#define AIM_BASE_RNG_H

#include <stdint.h>

/* What a stream is for. Values are part of the reproducibility contract:
 * append, never renumber. */
enum aim_stream {
    AIM_STREAM_CANDIDATE = 1, /* seeds of candidates: index = (prompt, candidate) */
    AIM_STREAM_SAMPLER = 2,   /* one draw a generated token: index = token number */
    AIM_STREAM_WEIGHTS = 3,   /* random weights of benchmarks: index = element */
    /* Noise of devices (analog/normals.h): index = (layer, tile, channel). */
    AIM_STREAM_PROGRAMMING = 4, /* what is stored beside what was asked for */
    AIM_STREAM_DRIFT = 5,       /* how fast a device drifts */
    AIM_STREAM_READ = 6,        /* what is read beside what is stored */
    /* Noise of a read (analog/read_noise.h): index = (layer, tile, position). */
    AIM_STREAM_TOKEN_READ = 7,
};

typedef struct aim_rng_block {
    uint32_t v[4];
} aim_rng_block;

/* 128 random bits for (seed, stream, index, lane). */
aim_rng_block aim_rng_draw(uint64_t seed, enum aim_stream stream, uint64_t index, uint32_t lane);

/* Uniform in (0, 1) with 53 bits, never 0 or 1. */
double aim_rng_uniform(uint64_t seed, enum aim_stream stream, uint64_t index);

/* The sampling seed of candidate j of prompt i: the same sample whatever the
 * number of candidates or prompts is. */
uint64_t aim_candidate_seed(uint64_t seed, uint32_t prompt, uint32_t candidate);

/* A seed drawn from the operating system, below 2^53 so that JSON clients
 * which read numbers as doubles can send it back. */
uint64_t aim_rng_fresh_seed(void);

#endif
