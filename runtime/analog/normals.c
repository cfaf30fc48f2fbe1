/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "analog/normals.h"

#include "base/fixmath.h"
#include "base/float_bits.h"

#include <math.h>
#include <string.h>

/* Blocks are worked on side by side, so that the compiler can use vectors. Block
 * b of a group gives the normals b, 16 + b, 32 + b and 48 + b of the group. */
enum { BLOCKS = 16, GROUP = 4 * BLOCKS, ROUNDS = 10, DEVICE_SHIFT = 24 };

struct words {
    uint32_t v[4][BLOCKS];
};

/* Philox 4x32-10 of Salmon et al. (2011): the words that aim_rng_draw gives. */
static void philox_round(struct words *w, uint32_t key0, uint32_t key1)
{
    for (int b = 0; b < BLOCKS; b++) {
        uint64_t product0 = (uint64_t)0xD2511F53u * w->v[0][b];
        uint64_t product2 = (uint64_t)0xCD9E8D57u * w->v[2][b];
        w->v[0][b] = (uint32_t)(product2 >> 32) ^ w->v[1][b] ^ key0;
        w->v[2][b] = (uint32_t)(product0 >> 32) ^ w->v[3][b] ^ key1;
        w->v[1][b] = (uint32_t)product2;
        w->v[3][b] = (uint32_t)product0;
    }
}

static void draw_group(const aim_device_row *row, enum aim_stream stream, uint32_t first_block,
                       struct words *w)
{
    uint32_t key0 = (uint32_t)row->seed, key1 = (uint32_t)(row->seed >> 32);
    for (int b = 0; b < BLOCKS; b++) {
        w->v[0][b] = row->channel;
        w->v[1][b] = (uint32_t)row->layer << 16 | row->tile;
        w->v[2][b] = (uint32_t)row->device << DEVICE_SHIFT | (first_block + (uint32_t)b);
        w->v[3][b] = (uint32_t)stream;
    }
    for (int r = 0; r < ROUNDS; r++) {
        philox_round(w, key0, key1);
        key0 += 0x9E3779B9u;
        key1 += 0xBB67AE85u;
    }
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

static void box_muller(const uint32_t *for_radius, const uint32_t *for_turn, float *out)
{
    for (int b = 0; b < BLOCKS; b++) {
        float r = radius(for_radius[b]), sine, cosine;
        turn(for_turn[b], &sine, &cosine);
        out[b] = r * cosine;
        out[BLOCKS + b] = r * sine;
    }
}

static void normal_group(const aim_device_row *row, enum aim_stream stream, int group, float *out)
{
    struct words w;
    draw_group(row, stream, (uint32_t)group * BLOCKS, &w);
    box_muller(w.v[0], w.v[1], out);
    box_muller(w.v[2], w.v[3], out + 2 * BLOCKS);
}

void aim_normals(const aim_device_row *row, enum aim_stream stream, int n, float *out)
{
    int whole = n / GROUP, rest = n % GROUP;
    for (int g = 0; g < whole; g++)
        normal_group(row, stream, g, out + (size_t)g * GROUP);
    if (rest) {
        float last[GROUP];
        normal_group(row, stream, whole, last);
        memcpy(out + (size_t)whole * GROUP, last, (size_t)rest * sizeof *out);
    }
}
