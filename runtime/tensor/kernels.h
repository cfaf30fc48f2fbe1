/* SPDX-License-Identifier: Apache-2.0 */
/* kernels.h - one dispatch table of everything hot, one row an instruction set.
 *
 * Two promises make responses independent of machine, load and batching:
 *  - integer kernels are exact, so any blocking gives the same sums;
 *  - float kernels compute each row by itself, in an order fixed by the row
 *    length alone (16 lanes, then a fixed tree), without contraction, so every
 *    instruction set gives the same bits. They are one source compiled once per
 *    instruction set (float_kernels.inc.h).
 * All pointers: no alignment needed unless stated. Nothing here allocates. */
#ifndef AIM_TENSOR_KERNELS_H
#define AIM_TENSOR_KERNELS_H

#include "tensor/packed.h"

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- analog tiles -------------------------------------------------------- */

enum aim_adc_kind {
    AIM_ADC_NONE,  /* sums are read as they are */
    AIM_ADC_LIMIT, /* limited to the full scale */
    AIM_ADC_ROUND, /* rounded to a code, then limited */
};

/* What stands behind the channels of a tile: converter.h has the arithmetic of
 * the ADC. Arrays of channels have room for whole panels, n_panels * 16 floats. */
typedef struct aim_adc {
    enum aim_adc_kind kind;
    double res; /* of AIM_ADC_ROUND: steps of the whole range if above 1, else the part
                   of the range that a step is */
    /* Inputs of one range for all rows: full scale of each channel, and with
     * AIM_ADC_ROUND step = aim_converter_step(res, full_scale) of each. */
    const float *full_scale, *step;
    /* Inputs of a range of each row's own, full_scale NULL: it is row_factor[r] *
     * largest[c], and the step is made from that. */
    const float *row_factor; /* [rows] range * out_bound */
    const float *largest;    /* the weight that the bound of a channel is made from */
    const float *noise;      /* [rows] of channels, added in front of the ADC; NULL: none */
    size_t noise_stride;     /* floats from row to row */
    const float *gain;       /* of each channel, a digital factor on its reading; NULL: none */
} aim_adc;

/* Where the products of a tile go. */
typedef struct aim_output {
    float *y; /* [rows] of channels, the sum of the readings of a layer's tiles */
    size_t ldy;
    bool first; /* y is written; else it is added to */
    /* Behind the last tile: */
    const float *bias; /* [out] of each channel, added to the sum; NULL: none */
    /* [rows] of channels that the sum (with its bias) is added to, instead of being
     * stored in y, which is then only read and only unless `first`; NULL: none. */
    float *residual;
    size_t ld_residual;
} aim_output;

/* ---- the table ---------------------------------------------------------- */

/* A paged cache of keys and values, and what attends to it. */
typedef struct aim_attention {
    int heads, kv_heads, head_dim; /* heads is a multiple of kv_heads */
    int block_tokens;              /* positions a block holds */
    float scale;                   /* multiplies the scores, 1 / sqrt(head_dim) */
    int kv_is_bf16;                /* cache element: bfloat16 (else float32) */
    /* Address of block b: keys at base + b * block_stride, values v_offset
     * bytes behind; each as [kv_heads][block_tokens][head_dim]. */
    const unsigned char *base;
    size_t block_stride, v_offset;
} aim_attention;

enum { AIM_ATTENTION_POSITIONS = 16 }; /* a tile holds so many */

/* Floats of a query and of a weighted sum of values: head_dim, and zeros up to a
 * multiple of 32. */
static inline size_t aim_attention_width(int head_dim)
{
    return ((size_t)head_dim + 31) / 32 * 32;
}

/* Queries that attend together to some positions of one key and value head. They
 * are of any rows whose block tables agree there. */
typedef struct aim_attention_span {
    const aim_attention *cache;
    const int32_t *blocks; /* the block table */
    int kv_head;
    int first, end; /* positions [first, end); no other is looked at */
    int queries;
    float *scores; /* [queries], `stride` floats apart, of [end - first] */
    size_t stride;
    float *tile; /* scratch of width * AIM_ATTENTION_POSITIONS floats */
} aim_attention_span;

typedef struct aim_kernels {
    const char *name; /* "portable", "avx2", "avxvnni", "avx512vnni", "neondot" */
    unsigned needs;   /* bits of enum aim_cpu_feature */

    /* y[r, c] = (float)sum_k(x[r, k] * code[c, k]) * (x_scale[r] * scale[c])
     * for the channels of panels [panel0, panel1), the sum exact in int32, the
     * product in exactly this order. x: [rows, in_padded] int8 codes in
     * [-127, 127], zero behind `in`, row stride ldx bytes (a multiple of 64,
     * 64-byte aligned). Channels >= out are not written. */
    void (*matmul_i8)(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
                      const float *x_scale, int rows, const aim_output *out);

    /* One tile of a layer. With v = (float)sum * (x_step[r] * scale[c]), the sum
     * exact (of 40 bits with two planes) and rounded once:
     * reading = ADC(v + noise) * gain, y = reading (first) or y + reading, which
     * is 0 + reading too: a negative zero becomes positive. Then, where there are such,
     * y + bias, and residual = residual + y. Everything in float32 in exactly this
     * order, without contraction, division a division. A row whose x_step is NaN reads
     * NaN. Other arguments as of matmul_i8, which is a tile without ADC and noise. */
    void (*matmul_tile)(const aim_packed *w, int panel0, int panel1, const int8_t *x, size_t ldx,
                        const float *x_step, int rows, const aim_adc *adc, const aim_output *out);

    /* The DAC of a row of inputs: code = rint(limit(x, range) / step) (ties to
     * even), codes behind n up to n_padded zero. Returns the step. If a code is
     * not in [-127, 127], as that of a NaN or of an infinite range, it is stored
     * as 0 and NaN is returned. n_padded is a multiple of 64. */
    float (*dac_row)(const float *x, int n, int n_padded, float range, float step, int8_t *codes);

    float (*max_abs)(const float *x, int n); /* largest magnitude, NaN if any is NaN */

    /* Symmetric quantisation of a row of activations or of weights: scale =
     * max|x| / 127, code = rint(x / scale) (ties to even) in [-127, 127], codes
     * behind n up to n_padded zero; an all-zero row gives scale 0 and codes 0,
     * a row with a NaN or an infinity scale NaN and codes 0. n_padded is a
     * multiple of 64. */
    void (*quantise_row)(const float *x, int n, int n_padded, int8_t *codes, float *scale);

    /* y = x / sqrt(mean(x^2) + eps) * weight (Zhang & Sennrich 2019). */
    void (*rmsnorm)(float *y, const float *x, const float *weight, int n, float eps);

    /* Rotate pairs (i, i + turned/2) of the first `turned` elements of each head
     * x [heads, dim] in place: the half-split layout of Hugging Face's Llama.
     * cos, sin: [turned / 2] for this position. */
    void (*rope)(float *x, int heads, int dim, int turned, const float *cos, const float *sin);

    /* y[i] = silu(gate[i]) * up[i], silu(v) = v / (1 + exp(-v)). */
    void (*silu_mul)(float *y, const float *gate, const float *up, int n);

    void (*add)(float *y, const float *x, int n); /* y += x */

    float (*dot)(const float *a, const float *b, int n);

    /* Attention in three steps, each of which can be cut anywhere. q and out are
     * [queries, width]. A score is dot(q, key) * scale. Softmax is over all scores of a
     * row and head, NaNs if one is. out += the sum of weight * value, of one position
     * after the other, for dimensions [dim0, dim1), multiples of 32; weights are where
     * the scores were. */
    void (*attend_scores)(const aim_attention_span *span, const float *q);
    void (*softmax)(float *x, int n);
    void (*attend_values)(const aim_attention_span *span, float *out, int dim0, int dim1);

    float (*max)(const float *x, int n);                 /* NaN if any is NaN */
    double (*sum_exp)(const float *x, int n, float max); /* sum of exp(x - max) */

    /* What the sampler does to the logits of a vocabulary, and to what it makes of them: */
    void (*replace_nan)(float *y, const float *x, int n); /* y = x, -infinity where NaN */
    /* x = exp((x - max) * factor), 0 where the exponent is not above -87. */
    void (*exp_scaled)(float *x, int n, float max, float factor);
    /* Index of the first element that is at least limit, n if none is. */
    int (*first_from)(const float *x, int n, float limit);
    /* Sum of the elements that are at least limit, and how many they are. */
    double (*sum_from)(const float *x, int n, float limit, int *count);
    /* The elements in [low, high) to y, which has room for n and may be x, in order;
     * returns how many. What y holds behind them is unspecified. */
    int (*keep_between)(float *y, const float *x, int n, float low, float high);
    void (*zero_below)(float *x, int n, float limit); /* x = 0 where below limit */

    void (*f32_to_bf16)(uint16_t *y, const float *x, int n); /* round to nearest even */
    void (*bf16_to_f32)(float *y, const uint16_t *x, int n);
} aim_kernels;

/* All rows compiled in, fastest first, "portable" last. */
const aim_kernels *const *aim_kernels_all(int *count);
/* The first row this CPU can run, or the one named (NULL or "auto": pick).
 * NULL with AIM_EUNSUPPORTED if the name is unknown or the CPU lacks it. */
const aim_kernels *aim_kernels_pick(const char *name, aim_error *err);

#endif
