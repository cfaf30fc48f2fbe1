/* SPDX-License-Identifier: Apache-2.0 */
/* file.h - opening untrusted files: regular files only, size fixed once. */
#ifndef AIM_BASE_FILE_H
#define AIM_BASE_FILE_H

#include "base/error.h"

#include <stddef.h>

/* A read-only memory map of a regular file. */
typedef struct aim_map {
    const unsigned char *data;
    size_t size;
} aim_map;

/* name is a bare file name inside the folder dir: no '/', not "..", not a
 * symbolic link that leaves the folder for anything but a regular file. AIM_ENOMEM
 * if there is no address space for it. */
int aim_map_open(const char *dir, const char *name, aim_map *map, aim_error *err);
void aim_map_close(aim_map *map);

/* What the system should expect. Hints: they change speed, never content. */
enum aim_map_use {
    AIM_MAP_SEQUENTIAL, /* soon read from end to end: read ahead */
    AIM_MAP_IDLE,       /* read now and then: stop that, and let go of the pages, which
                           the page cache keeps as long as there is room */
};
void aim_map_expect(const aim_map *map, enum aim_map_use use);

/* Whole file into memory, NUL-terminated, at most max_bytes; the caller frees
 * with aim_free. NULL on failure (AIM_ENOTFOUND, AIM_ETOOLARGE, AIM_EIO). */
char *aim_read_file(const char *path, size_t max_bytes, size_t *len, aim_error *err);

/* Make path hold exactly these bytes: they are written to a temporary file beside it,
 * flushed and renamed, so that a crash leaves the old file or the new one. Only the
 * owner can read a new file. AIM_EIO, AIM_ENOMEM. */
int aim_save_file(const char *path, const void *bytes, size_t len, aim_error *err);

/* Are these the bytes of the file itself? AIM_EFORMAT for the pointer that Git LFS
 * leaves where it did not fetch the file, and for zeros, which downloads that were
 * not finished leave. name stands for the file in the error. */
int aim_check_content(const void *bytes, size_t size, const char *name, aim_error *err);

/* dir + "/" + name in a new string (aim_free), NULL when out of memory. */
char *aim_path_join(const char *dir, const char *name);

#endif
