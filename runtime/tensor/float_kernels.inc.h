/* SPDX-License-Identifier: Apache-2.0 */
/* float_kernels.inc.h - the one source of all float kernels, and the row of
 * the dispatch table. Included once an instruction set, by float_*.c, which
 * define NATIVE_LANES (floats of a register), ROW (the table), ROW_NAME,
 * ROW_NEEDS and ROW_MATMUL_TILE. Everything but the table is static: no code of
 * a wide instruction set may be picked by the linker for another one.
 *
 * Sums run in the order of lanes.inc.h. Loops that treat each element by
 * itself are left to the compiler. Which of several NaNs comes out of an
 * operation is the one thing that may differ between instruction sets. */

#include "tensor/kernel_rows.h"

#include "tensor/converter.h"
#include "base/fixmath.h"
#include "base/float_bits.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "tensor/lanes.inc.h"

/* 1.5 * 2^23: adding it leaves a number below 2^22, rounded to the nearest
 * even integer, in the low bits. */
#define ROUND_SHIFT 12582912.0f
#define ROUND_SHIFT_BITS 0x4B400000u

/* max|x|. Magnitudes compare like their bits, and a NaN is above infinity, so
 * this maximum is exact in any order and keeps a NaN. */
static float max_magnitude(const float *x, int n)
{
    uint32_t max = 0;
    for (int i = 0; i < n; i++) {
        uint32_t magnitude = aim_float_bits(x[i]) & 0x7fffffffu;
        max = magnitude > max ? magnitude : max;
    }
    return aim_bits_float(max);
}

/* A row with a NaN or an infinity has no scale: NaN makes its outputs NaN. */
static void quantise_row(const float *x, int n, int n_padded, int8_t *codes, float *scale)
{
    float max = max_magnitude(x, n);
    float s = max <= 3.40282347e38f ? max / 127.0f : NAN;
    *scale = s;
    if (!(s > 0)) { /* zeros, values that vanish against the scale, or no scale */
        memset(codes, 0, (size_t)n_padded);
        return;
    }
    for (int i = 0; i < n; i++) {
        /* A subnormal scale is coarse: the quotient can pass 127. */
        float code = x[i] / s;
        code = code > 127.0f ? 127.0f : code;
        code = code < -127.0f ? -127.0f : code;
        codes[i] = (int8_t)(int32_t)(aim_float_bits(code + ROUND_SHIFT) - ROUND_SHIFT_BITS);
    }
    memset(codes + n, 0, (size_t)(n_padded - n));
}

/* A code that does not fit is taken away by a mask and not by a branch, which would
 * keep the loop from becoming one of vectors. */
static float dac_row(const float *x, int n, int n_padded, float range, float step, int8_t *codes)
{
    const uint32_t most = aim_float_bits(127.0f);
    uint32_t largest = 0;
    for (int i = 0; i < n; i++) {
        float code = aim_converter_code(aim_limit(x[i], range), step);
        uint32_t magnitude = aim_float_bits(code) & 0x7fffffffu;
        uint32_t integer = aim_float_bits(code + ROUND_SHIFT) - ROUND_SHIFT_BITS;
        largest = magnitude > largest ? magnitude : largest;
        codes[i] = (int8_t)(int32_t)(integer & -(uint32_t)(magnitude <= most));
    }
    memset(codes + n, 0, (size_t)(n_padded - n));
    return largest <= most ? step : NAN;
}

/* Products without converters behind them are a tile without ADC. */
static void matmul_i8(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
                      const float *x_scale, int rows, const aim_output *out)
{
    static const aim_adc none = {.kind = AIM_ADC_NONE};
    ROW_MATMUL_TILE(w, panel0, panel1, x, ldx, x_scale, rows, &none, out);
}

static float dot(const float *a, const float *b, int n)
{
    lanes acc = lanes_set(0);
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        acc = lanes_mul_add(acc, lanes_load(a + i), lanes_load(b + i));
    if (i < n)
        acc = lanes_mul_add(acc, lanes_load_some(a + i, n - i), lanes_load_some(b + i, n - i));
    return lanes_sum(acc);
}

static void rmsnorm(float *y, const float *x, const float *weight, int n, float eps)
{
    float inverse = 1.0f / sqrtf(dot(x, x, n) / (float)n + eps);
    for (int i = 0; i < n; i++)
        y[i] = x[i] * inverse * weight[i];
}

static void rope(float *x, int heads, int dim, int turned, const float *cos, const float *sin)
{
    int half = turned / 2;
    for (int h = 0; h < heads; h++) {
        float *a = x + (size_t)h * (size_t)dim, *b = a + half;
        for (int i = 0; i < half; i++) {
            float u = a[i], v = b[i];
            a[i] = u * cos[i] - v * sin[i];
            b[i] = v * cos[i] + u * sin[i];
        }
    }
}

static void silu_mul(float *y, const float *gate, const float *up, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = gate[i] / (1.0f + aim_expf(-gate[i])) * up[i];
}

static void add(float *y, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] += x[i];
}

/* Signed integers in the order of the floats they are the bits of. */
static inline int32_t ordered(float x)
{
    int32_t bits = (int32_t)aim_float_bits(x);
    return bits ^ (int32_t)((uint32_t)(bits >> 31) & 0x7fffffffu);
}

static float max_of(const float *x, int n)
{
    int32_t max = INT32_MIN;
    uint32_t magnitude = 0;
    for (int i = 0; i < n; i++) {
        int32_t key = ordered(x[i]);
        uint32_t m = aim_float_bits(x[i]) & 0x7fffffffu;
        max = key > max ? key : max;
        magnitude = m > magnitude ? m : magnitude;
    }
    if (n < 1 || magnitude > 0x7f800000u)
        return n < 1 ? -INFINITY : NAN;
    return aim_bits_float((uint32_t)max ^ ((uint32_t)(max >> 31) & 0x7fffffffu));
}

/* The exponentials are floats, their sum is taken in double: a vocabulary of
 * 128k small terms would lose digits in float. */
static double sum_exp(const float *x, int n, float max)
{
    double acc[LANES] = {0};
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            acc[l] += (double)aim_expf(x[i + l] - max);
    for (int l = 0; i + l < n; l++)
        acc[l] += (double)aim_expf(x[i + l] - max);
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            acc[l] += acc[l + apart];
    return acc[0];
}

static void f32_to_bf16(uint16_t *y, const float *x, int n)
{
    for (int i = 0; i < n; i++) {
        uint32_t bits = aim_float_bits(x[i]);
        uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1)) >> 16;
        uint32_t quiet = (bits >> 16) | 0x40u;
        y[i] = (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : rounded);
    }
}

static void bf16_to_f32(float *y, const uint16_t *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = aim_bits_float((uint32_t)x[i] << 16);
}

#include "tensor/attention.inc.h"
#include "tensor/sampling.inc.h"

const aim_kernels ROW = {
    .name = ROW_NAME,
    .needs = ROW_NEEDS,
    .matmul_i8 = matmul_i8,
    .matmul_tile = ROW_MATMUL_TILE,
    .dac_row = dac_row,
    .max_abs = max_magnitude,
    .quantise_row = quantise_row,
    .rmsnorm = rmsnorm,
    .rope = rope,
    .silu_mul = silu_mul,
    .add = add,
    .dot = dot,
    .attend_scores = attend_scores,
    .softmax = softmax,
    .attend_values = attend_values,
    .max = max_of,
    .sum_exp = sum_exp,
    .replace_nan = replace_nan,
    .exp_scaled = exp_scaled,
    .first_from = first_from,
    .sum_from = sum_from,
    .keep_between = keep_between,
    .zero_below = zero_below,
    .f32_to_bf16 = f32_to_bf16,
    .bf16_to_f32 = bf16_to_f32,
};
