/* SPDX-License-Identifier: Apache-2.0 */
/* check_config.h - the flag --check-config. */
#ifndef AIMD_CHECK_CONFIG_H
#define AIMD_CHECK_CONFIG_H

#include "server/options.h"

/* Look at all that a start with these options looks at before it loads the values of
 * weights: the files and folders they name, and the chips they describe. Nothing is made
 * or changed. Tells the first thing that is wrong on standard error, or on standard
 * output that nothing is. Returns the exit status, the same that the start would have. */
int aimd_check_config(const aimd_options *o);

#endif
