/* SPDX-License-Identifier: Apache-2.0 */
/* normal_groups.inc.h - normals by the group (normals.h), a part of
 * noise_loops.inc.h.
 *
 * Blocks are worked on side by side, so that the compiler can use vectors. Block b
 * of a group gives the normals b, 16 + b, 32 + b and 48 + b of the group. */

#if defined(__SSE2__)
#include <immintrin.h>
#endif

enum { BLOCKS = 16, ROUNDS = 10, DEVICE_SHIFT = 24 };

/* A register of 32-bit words, each in the lower half of a lane of 64 bits, where it
 * is multiplied; what is in the upper halves does not count. */
#if defined(__AVX512F__)
enum { WIDE = 8 };
#elif defined(__AVX2__)
enum { WIDE = 4 };
#else
enum { WIDE = 2 };
#endif
typedef uint64_t wide __attribute__((vector_size(WIDE * sizeof(uint64_t))));
typedef uint32_t narrow __attribute__((vector_size(WIDE * sizeof(uint32_t))));

/* The products of the words with m, in 64 bits. */
static inline wide product(wide words, uint32_t m)
{
    wide factor = (uint64_t)m - (wide){0};
#if defined(__AVX512F__)
    return (wide)_mm512_mul_epu32((__m512i)words, (__m512i)factor);
#elif defined(__AVX2__)
    return (wide)_mm256_mul_epu32((__m256i)words, (__m256i)factor);
#elif defined(__SSE2__)
    return (wide)_mm_mul_epu32((__m128i)words, (__m128i)factor);
#else
    return (words & 0xffffffffu) * factor;
#endif
}

/* Philox 4x32-10 of Salmon et al. (2011), the words that aim_rng_draw gives, of
 * WIDE * PARTS blocks. */
enum { PARTS = 2 };
struct counters {
    wide v[4][PARTS];
};

static inline void philox_round(struct counters *c, uint32_t key0, uint32_t key1)
{
    for (int i = 0; i < PARTS; i++) {
        wide product0 = product(c->v[0][i], 0xD2511F53u),
             product2 = product(c->v[2][i], 0xCD9E8D57u);
        c->v[0][i] = product2 >> 32 ^ c->v[1][i] ^ key0;
        c->v[2][i] = product0 >> 32 ^ c->v[3][i] ^ key1;
        c->v[1][i] = product2;
        c->v[3][i] = product0;
    }
}

static inline void philox(struct counters *c, uint64_t seed)
{
    uint32_t key0 = (uint32_t)seed, key1 = (uint32_t)(seed >> 32);
    for (int r = 0; r < ROUNDS; r++) {
        philox_round(c, key0, key1);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
}

/* What a group of normals is made of. */
struct words {
    uint32_t v[4][BLOCKS];
};

static inline void store_words(wide from, uint32_t *to)
{
    narrow words = __builtin_convertvector(from, narrow);
    memcpy(to, &words, sizeof words);
}

static inline wide all(uint64_t word)
{
    return word - (wide){0};
}

/* first, first + 1, ... */
static inline wide count_from(uint64_t first)
{
    wide from_zero;
    for (int k = 0; k < WIDE; k++)
        from_zero[k] = (uint64_t)k;
    return from_zero + all(first);
}

static inline void draw_group(const aim_device_row *row, enum aim_stream stream,
                              uint32_t first_block, struct words *w)
{
    uint32_t first = (uint32_t)row->device << DEVICE_SHIFT | first_block;
    for (int b = 0; b < BLOCKS; b += WIDE * PARTS) {
        struct counters c;
        for (int i = 0; i < PARTS; i++) {
            c.v[0][i] = all(row->channel);
            c.v[1][i] = all((uint64_t)row->layer << 16 | row->tile);
            c.v[2][i] = count_from(first + (uint32_t)(b + i * WIDE));
            c.v[3][i] = all(stream);
        }
        philox(&c, row->seed);
        for (int word = 0; word < 4; word++)
            for (int i = 0; i < PARTS; i++)
                store_words(c.v[word][i], &w->v[word][b + i * WIDE]);
    }
}

/* n <= WIDE * PARTS blocks from number first on. */
static inline void draw_blocks(uint64_t seed, enum aim_stream stream, uint64_t first, int n,
                               aim_rng_block *out)
{
    struct counters c;
    uint32_t words[4][WIDE * PARTS];
    for (int i = 0; i < PARTS; i++) {
        c.v[0][i] = count_from(first + (uint64_t)(i * WIDE));
        c.v[1][i] = c.v[0][i] >> 32;
        c.v[2][i] = all(0);
        c.v[3][i] = all(stream);
    }
    philox(&c, seed);
    for (int word = 0; word < 4; word++)
        for (int i = 0; i < PARTS; i++)
            store_words(c.v[word][i], &words[word][i * WIDE]);
    for (int b = 0; b < n; b++)
        out[b] = (aim_rng_block){{words[0][b], words[1][b], words[2][b], words[3][b]}};
}

static void random_blocks(uint64_t seed, enum aim_stream stream, uint64_t first, int n,
                          aim_rng_block *out)
{
    enum { STEP = WIDE * PARTS };
    int whole = n / STEP * STEP;
    for (int b = 0; b < whole; b += STEP)
        draw_blocks(seed, stream, first + (uint64_t)b, STEP, out + b);
    if (n > whole)
        draw_blocks(seed, stream, first + (uint64_t)whole, n - whole, out + whole);
}

/* sqrt(-2 ln u) for u in (0, 1], dense near 0, where the tail is. */
static inline float radius(uint32_t word)
{
    float u = ((float)(int32_t)(word >> 1) + 0.5f) * 0x1p-31f;
    float square = -2.0f * aim_logf(u);
    return sqrtf(square > 0.0f ? square : 0.0f);
}

/* Sine and cosine of 2 pi word / 2^32 (Cephes sinf, cosf). The nearest quarter
 * turn is taken off exactly, in integers. */
static inline void turn(uint32_t word, float *sine, float *cosine)
{
    uint32_t quarter = (word + 0x20000000u) >> 30;
    float a = (float)(int32_t)(word - (quarter << 30)) * 1.4629180792671596e-9f;
    float square = a * a;
    float s = -1.9515295891e-4f * square + 8.3321608736e-3f;
    s = (s * square - 1.6666654611e-1f) * square * a + a;
    float c = 2.443315711809948e-5f * square - 1.388731625493765e-3f;
    c = (c * square + 4.166664568298827e-2f) * square * square - 0.5f * square + 1.0f;
    float along = quarter & 1 ? s : c, across = quarter & 1 ? c : s;
    *cosine = aim_bits_float(aim_float_bits(along) ^ ((quarter + 1) & 2) << 30);
    *sine = aim_bits_float(aim_float_bits(across) ^ (quarter & 2) << 30);
}

static inline void box_muller(const uint32_t *for_radius, const uint32_t *for_turn, float *out)
{
    for (int b = 0; b < BLOCKS; b++) {
        float r = radius(for_radius[b]), sine, cosine;
        turn(for_turn[b], &sine, &cosine);
        out[b] = r * cosine;
        out[BLOCKS + b] = r * sine;
    }
}

static void normal_groups(const aim_device_row *row, enum aim_stream stream, int first, int n,
                          float *out)
{
    for (int g = 0; g < n; g++, out += AIM__NORMAL_GROUP) {
        struct words w;
        draw_group(row, stream, (uint32_t)(first + g) * BLOCKS, &w);
        box_muller(w.v[0], w.v[1], out);
        box_muller(w.v[2], w.v[3], out + 2 * BLOCKS);
    }
}
