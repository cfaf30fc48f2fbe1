/* SPDX-License-Identifier: Apache-2.0 */
/* crc32.h - the checksum of zip files (reflected polynomial 0xEDB88320). */
#ifndef AIM_CHECKPOINT_CRC32_H
#define AIM_CHECKPOINT_CRC32_H

#include <stddef.h>
#include <stdint.h>

uint32_t aim__crc32(const unsigned char *data, size_t size);

#endif
