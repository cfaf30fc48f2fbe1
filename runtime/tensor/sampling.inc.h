/* SPDX-License-Identifier: Apache-2.0 */
/* sampling.inc.h - loops over the logits of a vocabulary, for the sampler. Included by
 * float_kernels.inc.h; the contracts are in kernels.h. */

#ifdef __AVX512F__
#include <immintrin.h>
#endif

static void replace_nan(float *y, const float *x, int n)
{
    for (int i = 0; i < n; i++)
        y[i] = x[i] == x[i] ? x[i] : -INFINITY;
}

static void exp_scaled(float *x, int n, float max, float factor)
{
    for (int i = 0; i < n; i++) {
        float exponent = (x[i] - max) * factor;
        float e = aim_expf(exponent);
        x[i] = exponent > -87 ? e : 0;
    }
}

/* Elements looked at before it is asked whether one of them was found. */
enum { LOOK = 4 * LANES };

static int first_from(const float *x, int n, float limit)
{
    int i = 0;
    for (; i + LOOK <= n; i += LOOK) {
        int found = 0;
        for (int l = 0; l < LOOK; l++)
            found |= x[i + l] >= limit;
        if (found)
            break;
    }
    while (i < n && !(x[i] >= limit))
        i++;
    return i;
}

static double sum_from(const float *x, int n, float limit, int *count)
{
    double acc[LANES] = {0};
    int found = 0, i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++) {
            int in = x[i + l] >= limit;
            acc[l] += (double)(in ? x[i + l] : 0);
            found += in;
        }
    for (int l = 0; i + l < n; l++) {
        int in = x[i + l] >= limit;
        acc[l] += (double)(in ? x[i + l] : 0);
        found += in;
    }
    for (int apart = LANES / 2; apart > 0; apart /= 2)
        for (int l = 0; l < apart; l++)
            acc[l] += acc[l + apart];
    *count = found;
    return acc[0];
}

/* Without branches: each element is stored, and the next one over it unless it counts.
 * No compiler makes the instruction that does so with a whole register. */
static int keep_between(float *y, const float *x, int n, float low, float high)
{
    int kept = 0, i = 0;
#ifdef __AVX512F__
    for (; i + LANES <= n; i += LANES) {
        __m512 values = _mm512_loadu_ps(x + i);
        __mmask16 in = _mm512_cmp_ps_mask(values, _mm512_set1_ps(low), _CMP_GE_OQ) &
                       _mm512_cmp_ps_mask(values, _mm512_set1_ps(high), _CMP_LT_OQ);
        _mm512_storeu_ps(y + kept, _mm512_maskz_compress_ps(in, values));
        kept += __builtin_popcount(in);
    }
#endif
    for (; i < n; i++) {
        float value = x[i];
        y[kept] = value;
        kept += (value >= low) & (value < high);
    }
    return kept;
}

static void zero_below(float *x, int n, float limit)
{
    for (int i = 0; i < n; i++)
        x[i] = x[i] >= limit ? x[i] : 0;
}
