/* SPDX-License-Identifier: Apache-2.0 */
/* sha256.h - the digest of FIPS 180-4, for telling texts apart for good: who
 * finds two with one digest has other uses for it. */
#ifndef AIM_BASE_SHA256_H
#define AIM_BASE_SHA256_H

#include <stddef.h>
#include <stdint.h>

enum { AIM_SHA256_HEX = 65 }; /* bytes of a digest as text, with its NUL */

typedef struct aim_sha256 {
    uint32_t state[8];
    uint64_t n_bytes;
    unsigned char block[64]; /* the last n_bytes % 64 bytes */
} aim_sha256;

void aim_sha256_init(aim_sha256 *h);
void aim_sha256_update(aim_sha256 *h, const void *bytes, size_t n);
/* The digest of all that was given, in lower-case hexadecimal; h is used up. */
void aim_sha256_final(aim_sha256 *h, char hex[AIM_SHA256_HEX]);

#endif
