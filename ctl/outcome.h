/* SPDX-License-Identifier: Apache-2.0 */
/* outcome.h - how a command ended, which is the exit status. Functions that can
 * fail return one and say why in an aim_error, which main() prints. */
#ifndef ACTL_OUTCOME_H
#define ACTL_OUTCOME_H

enum actl_outcome {
    ACTL_OK = 0,
    ACTL_REFUSED = 1,       /* the server said no, or what it was asked to do failed */
    ACTL_USAGE = 2,         /* wrong usage, or a file here that cannot be used */
    ACTL_UNREACHABLE = 3,   /* no answer, or none that makes sense */
    ACTL_INTERRUPTED = 130, /* Ctrl-C while waiting; the process ends by SIGINT */
};

#endif
