/* SPDX-License-Identifier: Apache-2.0 */
/* change.h - changes of a chip that take time: asked for, waited for, reported. */
#ifndef ACTL_CHANGE_H
#define ACTL_CHANGE_H

#include "ctl/options.h"

/* POST body (NULL: out of memory, or text that is not UTF-8; taken) to path, wait
 * unless --no-wait, and print the chip. */
int actl_change(actl_client *c, const actl_options *o, const char *path, json_t *body,
                aim_error *err);

/* The same for a route of one chip, "/age" for example. */
int actl_change_chip(actl_client *c, const actl_options *o, const char *id, const char *action,
                     json_t *body, aim_error *err);

/* Seconds as a number; text such as 1d for the server to read. NULL as json_string. */
json_t *actl_age_json(const char *age);

#endif
