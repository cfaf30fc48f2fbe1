/* SPDX-License-Identifier: Apache-2.0 */
/* progress.h - a bar on stderr, where that is a terminal:
 *     programming a [==========>                             ]  25 % */
#ifndef ACTL_PROGRESS_H
#define ACTL_PROGRESS_H

#include <stdbool.h>

typedef struct actl_progress {
    bool on;
    int drawn; /* columns of the terminal's line that are in use */
} actl_progress;

/* wanted: whether there shall be one, if it can be. */
void actl_progress_init(actl_progress *p, bool wanted);
/* done: 0 to 1. */
void actl_progress_draw(actl_progress *p, const char *what, double done);
/* Leave the line empty. */
void actl_progress_end(actl_progress *p);

#endif
