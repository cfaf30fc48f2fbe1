/* SPDX-License-Identifier: Apache-2.0 */
/* chip_files.h - the folders that chips are kept in: names of files, and who may use
 * them. Paths are the caller's (aim_free), NULL when out of memory. */
#ifndef AIMD_CHIP_FILES_H
#define AIMD_CHIP_FILES_H

#include "server/chip_settings.h"

#include <stdbool.h>

/* FOLDER/NAME.json */
char *aimd_chip_record_path(const char *folder, const char *id);
/* FOLDER/NAME.DIGEST.ranges.json, of the digest's first 16 digits. */
char *aimd_chip_ranges_path(const char *folder, const char *id, const char *digest);
/* NAME of NAME.json into id; false for other files. */
bool aimd_chip_of_file(const char *file, char id[AIMD_CHIP_NAME + 1]);

/* AIM_EIO; a file that is not there is no error. What was removed stays away over a loss
 * of power. */
int aimd_chip_record_remove(const char *folder, const char *id, aim_error *err);
/* All ranges of a chip but those of this digest, "": all. What cannot be removed does no
 * harm: no record names it. */
void aimd_chip_ranges_remove(const char *folder, const char *id, const char *digest);

/* Can a folder be used, and not every user write to it? AIM_EINVAL; AIM_ENOTFOUND if there
 * is none. */
int aimd_chip_folder_check(const char *path, aim_error *err);
/* The same, and make it if there is none. */
int aimd_chip_folder_make(const char *path, aim_error *err);
/* Remove what a crash left of files that were being written. */
void aimd_chip_folder_sweep(const char *path);
/* Lock a folder against other processes: a descriptor to be closed in the end, or -1 with
 * AIM_EINVAL. */
int aimd_chip_folder_lock(const char *path, aim_error *err);

#endif
