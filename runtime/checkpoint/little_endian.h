/* SPDX-License-Identifier: Apache-2.0 */
/* little_endian.h - numbers out of a file, which is little-endian whatever the
 * machine is and promises no alignment. */
#ifndef AIM_CHECKPOINT_LITTLE_ENDIAN_H
#define AIM_CHECKPOINT_LITTLE_ENDIAN_H

#include <stdint.h>

static inline uint32_t aim__load16(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t aim__load32(const unsigned char *p)
{
    return aim__load16(p) | aim__load16(p + 2) << 16;
}

static inline uint64_t aim__load64(const unsigned char *p)
{
    return aim__load32(p) | (uint64_t)aim__load32(p + 4) << 32;
}

#endif
