/* SPDX-License-Identifier: Apache-2.0 */
/* lanes.inc.h - sixteen float lanes, in as many registers as the instruction
 * set needs. Included by float_kernels.inc.h with NATIVE_LANES set to the
 * floats of one register.
 *
 * Every sum of this folder is taken by sixteen lanes (element i goes to lane
 * i % 16) and one fixed tree over the lanes, so all register widths give the
 * same bits. */

#define INLINE static inline __attribute__((always_inline))

enum { LANES = 16, PARTS = LANES / NATIVE_LANES };

typedef float vec __attribute__((vector_size(NATIVE_LANES * sizeof(float))));
typedef float loose_vec
    __attribute__((vector_size(NATIVE_LANES * sizeof(float)), aligned(4), may_alias));
typedef uint32_t uvec __attribute__((vector_size(NATIVE_LANES * sizeof(uint32_t))));
typedef uint16_t half_vec __attribute__((vector_size(NATIVE_LANES * sizeof(uint16_t))));
typedef uint16_t loose_half_vec
    __attribute__((vector_size(NATIVE_LANES * sizeof(uint16_t)), aligned(2), may_alias));

typedef struct lanes {
    vec part[PARTS];
} lanes;

INLINE lanes lanes_set(float value)
{
    lanes a;
    for (int i = 0; i < PARTS; i++)
        a.part[i] = value - (vec){0};
    return a;
}

INLINE lanes lanes_load(const float *x)
{
    lanes a;
    for (int i = 0; i < PARTS; i++)
        a.part[i] = *(const loose_vec *)(x + i * NATIVE_LANES);
    return a;
}

INLINE void lanes_store(float *y, lanes a)
{
    for (int i = 0; i < PARTS; i++)
        *(loose_vec *)(y + i * NATIVE_LANES) = a.part[i];
}

/* The first n lanes from memory, zeros in the others. */
INLINE lanes lanes_load_some(const float *x, int n)
{
    float padded[LANES] = {0};
    memcpy(padded, x, (size_t)n * sizeof *x);
    return lanes_load(padded);
}

INLINE lanes lanes_add(lanes a, lanes b)
{
    for (int i = 0; i < PARTS; i++)
        a.part[i] = a.part[i] + b.part[i];
    return a;
}

INLINE lanes lanes_mul(lanes a, lanes b)
{
    for (int i = 0; i < PARTS; i++)
        a.part[i] = a.part[i] * b.part[i];
    return a;
}

/* acc + a b, rounded after each of the two operations. */
INLINE lanes lanes_mul_add(lanes acc, lanes a, lanes b)
{
    return lanes_add(acc, lanes_mul(a, b));
}

/* The tree: lanes 8 apart are added, then 4, 2 and 1 apart. */
INLINE float lanes_sum(lanes a)
{
    float v[LANES];
    lanes_store(v, a);
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            v[l] += v[l + apart];
    return v[0];
}
