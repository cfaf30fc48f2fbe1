/* SPDX-License-Identifier: Apache-2.0 */
/* key.h - the API key: from a file, or from the environment. It is never printed,
 * and never an argument, which other users could see. */
#ifndef ACTL_KEY_H
#define ACTL_KEY_H

#include "base/error.h"

enum { ACTL_KEY_BYTES = 257 }; /* with the NUL: the server takes 256 */

/* The first word of the file that is no comment, as in the server's key files; file
 * NULL: $ANALOGCTL_API_KEY. key is "" where there is none. Fails if the file cannot
 * be read, others may read it, or what it holds is no key. */
int actl_key_read(const char *file, char key[ACTL_KEY_BYTES], aim_error *err);

#endif
