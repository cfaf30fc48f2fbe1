/* SPDX-License-Identifier: Apache-2.0 */
/* registers_avx2.inc.h - what AVX2 and AVX-VNNI have in common of what panel_sums.inc.h
 * asks for. */

typedef __m256i part, codes;
typedef const int8_t *inputs; /* read where they lie: a group is broadcast as it is loaded */

INLINE part zero_part(void)
{
    return _mm256_setzero_si256();
}

INLINE part add_part(part a, part b)
{
    return _mm256_add_epi32(a, b);
}

INLINE void store_part(int32_t *to, part sum)
{
    _mm256_storeu_si256((__m256i *)(void *)to, sum);
}

INLINE codes load_pairs(const int8_t *at)
{
    return _mm256_loadu_si256((const __m256i *)(const void *)at);
}

INLINE codes low_codes(codes pairs)
{
    return _mm256_and_si256(pairs, _mm256_set1_epi8(15));
}

INLINE codes high_codes(codes pairs)
{
    return low_codes(_mm256_srli_epi16(pairs, 4));
}

INLINE inputs load_inputs(const int8_t *x)
{
    return x;
}

INLINE __m256i broadcast_group(inputs x, const int group)
{
    int32_t four;
    memcpy(&four, x + group * AIM_K_GROUP, sizeof four);
    return _mm256_set1_epi32(four);
}
