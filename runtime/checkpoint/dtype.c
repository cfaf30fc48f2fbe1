/* SPDX-License-Identifier: Apache-2.0 */
#include "base/optimise.h"

#include "checkpoint/dtype.h"

#include "checkpoint/little_endian.h"

#include <string.h>

static float from_bits(uint32_t bits)
{
    float f;
    memcpy(&f, &bits, sizeof f);
    return f;
}

static void f32_to_f32(const unsigned char *src, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = from_bits(aim__load32(src + 4 * i));
}

static void bf16_to_f32(const unsigned char *src, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = from_bits(aim__load16(src + 2 * i) << 16);
}

/* Every half is a float: 5 exponent bits with bias 15 become 8 with bias 127. */
static float half_to_f32(uint32_t h)
{
    uint32_t sign = (h & 0x8000) << 16, exponent = h >> 10 & 31, fraction = h & 1023;
    if (exponent == 0) { /* zero or subnormal: fraction * 2^-24, exact */
        float magnitude = (float)fraction * 0x1p-24f;
        return sign ? -magnitude : magnitude;
    }
    if (exponent == 31) /* infinity or NaN; the payload stays */
        return from_bits(sign | 0x7F800000 | fraction << 13);
    return from_bits(sign | (exponent + 112) << 23 | fraction << 13);
}

static void f16_to_f32(const unsigned char *src, size_t n, float *out)
{
    for (size_t i = 0; i < n; i++)
        out[i] = half_to_f32(aim__load16(src + 2 * i));
}

static const aim_dtype_info table[] = {
    {"F32", 32, AIM_F32, f32_to_f32},      {"F16", 16, AIM_F16, f16_to_f32},
    {"BF16", 16, AIM_BF16, bf16_to_f32},   {"BOOL", 8, AIM_OTHER_DTYPE, NULL},
    {"F4", 4, AIM_OTHER_DTYPE, NULL},      {"F6_E2M3", 6, AIM_OTHER_DTYPE, NULL},
    {"F6_E3M2", 6, AIM_OTHER_DTYPE, NULL}, {"F8_E4M3", 8, AIM_OTHER_DTYPE, NULL},
    {"F8_E5M2", 8, AIM_OTHER_DTYPE, NULL}, {"F8_E8M0", 8, AIM_OTHER_DTYPE, NULL},
    {"U8", 8, AIM_OTHER_DTYPE, NULL},      {"I8", 8, AIM_OTHER_DTYPE, NULL},
    {"U16", 16, AIM_OTHER_DTYPE, NULL},    {"I16", 16, AIM_OTHER_DTYPE, NULL},
    {"U32", 32, AIM_OTHER_DTYPE, NULL},    {"I32", 32, AIM_OTHER_DTYPE, NULL},
    {"U64", 64, AIM_OTHER_DTYPE, NULL},    {"I64", 64, AIM_OTHER_DTYPE, NULL},
    {"F64", 64, AIM_OTHER_DTYPE, NULL},    {"C64", 64, AIM_OTHER_DTYPE, NULL},
};

const aim_dtype_info *aim__dtype_find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}
