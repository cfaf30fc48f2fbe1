/* SPDX-License-Identifier: Apache-2.0 */
/* zip_archive.h - the members of a zip file held in memory, where they lie.
 *
 * The file is a stranger's. Read is what torch writes: members stored without
 * compression or encryption, with 64-bit fields where a size needs them. */
#ifndef AIM_CHECKPOINT_ZIP_ARCHIVE_H
#define AIM_CHECKPOINT_ZIP_ARCHIVE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct aim__zip_member {
    const char *name; /* name_len printable ASCII characters, no NUL behind them */
    size_t name_len;
    const unsigned char *data; /* size bytes of the file */
    size_t size;
    size_t header; /* offset of the local header */
    uint32_t crc;
} aim__zip_member;

typedef struct aim__zip {
    aim__zip_member *members; /* sorted by name, no name twice */
    size_t n_members;
} aim__zip;

/* Read and check the directory of the size bytes at data, which must outlive
 * zip. file stands for it in errors. AIM_EFORMAT if a rule of zip_archive.c is
 * broken; zip then needs no close. */
int aim__zip_open(const unsigned char *data, size_t size, const char *file, aim__zip *zip,
                  aim_error *err);
void aim__zip_close(aim__zip *zip);

/* Borrowed; NULL if there is no such member. */
const aim__zip_member *aim__zip_find(const aim__zip *zip, const char *name);

/* Do the member's bytes have the checksum the directory tells? Reads them all. */
bool aim__zip_member_is_intact(const aim__zip_member *member);

#endif
