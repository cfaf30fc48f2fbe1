/* SPDX-License-Identifier: Apache-2.0 */
/* attention_keys.inc.h - the keys of up to sixteen positions, widened to float
 * and turned, so that a register holds one element of many keys. Included by
 * attention.inc.h.
 *
 * A score is a sum in sixteen lanes, and a tree over them (lanes.inc.h). With the
 * keys turned a register holds one lane of many scores, the tree becomes additions
 * of whole registers, and nothing is moved across a register. */

/* Four words of 32 bits: a quarter of the widest register. */
typedef uint32_t quad __attribute__((vector_size(16)));
typedef uint32_t loose_quad __attribute__((vector_size(16), aligned(2), may_alias));
enum { QUAD = sizeof(quad) / sizeof(uint32_t) };

#if NATIVE_LANES == 16
#define INTERLEAVE_LOW(a, b)                                                                       \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 4, 20, 5, 21, 8, 24, 9, 25, 12, 28, 13, 29)
#define INTERLEAVE_HIGH(a, b)                                                                      \
    __builtin_shufflevector(a, b, 2, 18, 3, 19, 6, 22, 7, 23, 10, 26, 11, 27, 14, 30, 15, 31)
#elif NATIVE_LANES == 8
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15)
#else
#define INTERLEAVE_LOW(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define INTERLEAVE_HIGH(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#endif

INLINE uvec join(const quad q[NATIVE_LANES / QUAD])
{
#if NATIVE_LANES == 16
    typedef uint32_t octet __attribute__((vector_size(32)));
    octet low = __builtin_shufflevector(q[0], q[1], 0, 1, 2, 3, 4, 5, 6, 7);
    octet high = __builtin_shufflevector(q[2], q[3], 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#elif NATIVE_LANES == 8
    return __builtin_shufflevector(q[0], q[1], 0, 1, 2, 3, 4, 5, 6, 7);
#else
    return q[0];
#endif
}

/* Within each quad: m[i][j] becomes m[j][i]. A round takes the upper bit of the
 * register's number to the lower end of the element's. */
INLINE void turn_quads(uvec m[QUAD])
{
    for (int round = 0; round < 2; round++) {
        uvec a = INTERLEAVE_LOW(m[0], m[2]), b = INTERLEAVE_HIGH(m[0], m[2]);
        uvec c = INTERLEAVE_LOW(m[1], m[3]), d = INTERLEAVE_HIGH(m[1], m[3]);
        m[0] = a;
        m[1] = b;
        m[2] = c;
        m[3] = d;
    }
}

INLINE quad load_whole(const unsigned char *at)
{
    return (quad) * (const loose_quad *)(const void *)at;
}

/* A row's quad from byte `at`; zeros behind its `bytes`. */
INLINE quad load_some(const unsigned char *row, size_t at, size_t bytes)
{
    quad q = {0};
    if (at < bytes)
        memcpy(&q, row + at, bytes - at < sizeof q ? bytes - at : sizeof q);
    return q;
}

/* A word is a float, or the bfloat16 elements 2 j (in its low half) and 2 j + 1. */
INLINE void store_turned(float *keys, const uvec m[QUAD], const bool bf16)
{
    for (int j = 0; j < QUAD; j++)
        if (bf16) {
            *(loose_vec *)(keys + (size_t)(2 * j) * LANES) = (vec)(m[j] << 16);
            *(loose_vec *)(keys + (size_t)(2 * j + 1) * LANES) = (vec)(m[j] & 0xffff0000u);
        } else {
            *(loose_vec *)(keys + (size_t)j * LANES) = (vec)m[j];
        }
}

/* One quad of NATIVE_LANES rows of `step` bytes. Rows behind `last` repeat it: nobody
 * looks at their scores. whole: there are none, and the quad ends within the row. */
INLINE void load_quads(uvec m[QUAD], const unsigned char *rows, size_t step, size_t at, int last,
                       const bool whole)
{
    for (int i = 0; i < QUAD; i++) {
        quad q[NATIVE_LANES / QUAD];
        for (int k = 0; k < NATIVE_LANES / QUAD; k++) {
            int row = k * QUAD + i;
            q[k] = whole ? load_whole(rows + (size_t)row * step + at)
                         : load_some(rows + (size_t)(row < last ? row : last) * step, at, step);
        }
        m[i] = join(q);
    }
}

/* keys [width][16]: the first NATIVE_LANES columns. */
INLINE void turn_rows(float *keys, int width, const unsigned char *rows, size_t step, int last,
                      const bool bf16, const bool whole)
{
    const int elements = bf16 ? 2 : 1; /* of a word */
    for (int dim = 0; dim < width; dim += elements * QUAD) {
        uvec m[QUAD];
        load_quads(m, rows, step, (size_t)(dim / elements) * sizeof(uint32_t), last, whole);
        turn_quads(m);
        store_turned(keys + (size_t)dim * LANES, m, bf16);
    }
}

/* keys [width][16] of n rows of `step` bytes each. */
INLINE void turn_keys(float *keys, int width, const unsigned char *rows, size_t step, int n,
                      const bool bf16)
{
    const size_t whole_step = (size_t)width * (bf16 ? sizeof(uint16_t) : sizeof(float));
    for (int from = 0; from < n; from += NATIVE_LANES) {
        const unsigned char *part = rows + (size_t)from * step;
        if (n - from >= NATIVE_LANES && step == whole_step)
            turn_rows(keys + from, width, part, step, NATIVE_LANES - 1, bf16, true);
        else
            turn_rows(keys + from, width, part, step, n - from - 1, bf16, false);
    }
}
