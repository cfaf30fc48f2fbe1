/* SPDX-License-Identifier: Apache-2.0 */
/* float_bits.h - a float32 as its bits and back; compilers make it no code. */
#ifndef AIM_BASE_FLOAT_BITS_H
#define AIM_BASE_FLOAT_BITS_H

#include <stdint.h>
#include <string.h>

static inline uint32_t aim_float_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static inline float aim_bits_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#endif
