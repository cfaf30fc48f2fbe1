/* SPDX-License-Identifier: Apache-2.0 */
/* auth.h - API keys from a file: one a line, `KEY` or `KEY admin`, `#` starts
 * a comment. A key is 1 to 256 visible ASCII characters. Keys are kept padded
 * to one length; a check compares all of them in full, so that its time tells
 * neither which key was nearest nor how long it is. */
#ifndef AIMD_AUTH_H
#define AIMD_AUTH_H

#include "base/error.h"

enum aimd_access { AIMD_ACCESS_NONE, AIMD_ACCESS_USER, AIMD_ACCESS_ADMIN };

typedef struct aimd_keys aimd_keys;

/* The file must not be readable by group or others; inside systemd's
 * $CREDENTIALS_DIRECTORY the group bit is allowed, because there it shows the
 * access list that lets the service's own user in. NULL on failure, with file
 * and line. */
aimd_keys *aimd_keys_load(const char *path, aim_error *err);
void aimd_keys_free(aimd_keys *k);
/* authorization: the header's value ("Bearer KEY") or NULL. */
enum aimd_access aimd_keys_check(const aimd_keys *k, const char *authorization);

#endif
