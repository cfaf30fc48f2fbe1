/* SPDX-License-Identifier: Apache-2.0 */
/* plain_attention.h - attention as it is defined, a row and a head at a time: what
 * every kernel must give to the bit, however rows, positions and dimensions are cut. */
#ifndef PLAIN_ATTENTION_H
#define PLAIN_ATTENTION_H

#include "base/fixmath.h"
#include "tensor/kernels.h"

#include <math.h>
#include <string.h>

enum { PLAIN_LANES = 16, PLAIN_POSITIONS = 1024 };

static float plain_cached(const aim_attention *a, const int32_t *blocks, int kv_head, int at,
                          size_t offset, int i)
{
    size_t slot = (size_t)(kv_head * a->block_tokens + at % a->block_tokens);
    size_t index = slot * (size_t)a->head_dim + (size_t)i;
    const unsigned char *block =
        a->base + (size_t)blocks[at / a->block_tokens] * a->block_stride + offset;
    float x;
    if (!a->kv_is_bf16) {
        memcpy(&x, block + index * sizeof x, sizeof x);
        return x;
    }
    uint16_t half;
    memcpy(&half, block + index * sizeof half, sizeof half);
    uint32_t bits = (uint32_t)half << 16;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Lanes 8 apart are added, then 4, 2 and 1 apart. */
static float plain_tree(float lane[PLAIN_LANES])
{
    for (int apart = PLAIN_LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            lane[l] += lane[l + apart];
    return lane[0];
}

static float plain_score(const aim_attention *a, const int32_t *blocks, int kv_head, int at,
                         const float *q)
{
    float lane[PLAIN_LANES] = {0};
    for (int i = 0; i < a->head_dim; i++)
        lane[i % PLAIN_LANES] += q[i] * plain_cached(a, blocks, kv_head, at, 0, i);
    return plain_tree(lane) * a->scale;
}

static void plain_softmax(float *x, int n)
{
    float max = -INFINITY, lane[PLAIN_LANES] = {0};
    for (int i = 0; i < n; i++)
        max = isnan(x[i]) || x[i] > max ? x[i] : max;
    for (int i = 0; i < n; i++) {
        x[i] = aim_expf(x[i] - max);
        lane[i % PLAIN_LANES] += x[i];
    }
    float inverse = 1.0f / plain_tree(lane);
    for (int i = 0; i < n; i++)
        x[i] *= inverse;
}

/* One row q [heads, head_dim] over positions [first, length): out [heads, head_dim]. */
static void plain_attend(const aim_attention *a, const int32_t *blocks, int first, int length,
                         const float *q, float *out)
{
    float weight[PLAIN_POSITIONS];
    for (int h = 0; h < a->heads; h++, q += a->head_dim, out += a->head_dim) {
        int kv_head = h / (a->heads / a->kv_heads);
        for (int t = first; t < length; t++)
            weight[t - first] = plain_score(a, blocks, kv_head, t, q);
        plain_softmax(weight, length - first);
        for (int i = 0; i < a->head_dim; i++) {
            out[i] = 0;
            for (int t = first; t < length; t++)
                out[i] += weight[t - first] * plain_cached(a, blocks, kv_head, t, a->v_offset, i);
        }
    }
}

/* The same bits, any NaN being as good as another. */
static int plain_first_difference(const float *x, const float *y, int n)
{
    for (int i = 0; i < n; i++)
        if (memcmp(&x[i], &y[i], sizeof x[i]) != 0 && !(isnan(x[i]) && isnan(y[i])))
            return i;
    return -1;
}

#endif
