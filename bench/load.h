/* SPDX-License-Identifier: Apache-2.0 */
/* load.h - from the start of the daemon to its first answer, beside one plain
 * read of the same files. */
#ifndef AIM_BENCH_LOAD_H
#define AIM_BENCH_LOAD_H

#include <stddef.h>

/* Reads the weights in the folder dir, which leaves them in the page cache; their
 * bytes, 0 if there are none. */
size_t load_read(const char *dir);

/* Measure the checkpoint folder dir served by program with this backend: with its
 * files out of the page cache, then with them in it. 0, or -1 after a message. */
int bench_load(const char *program, const char *dir, const char *backend);

#endif
