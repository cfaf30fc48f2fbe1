/* SPDX-License-Identifier: Apache-2.0 */
/* commands.h - what stands behind the table of commands. Each prints to stdout and
 * returns an outcome (outcome.h), with the reason in err unless it is ACTL_OK. */
#ifndef ACTL_COMMANDS_H
#define ACTL_COMMANDS_H

#include "ctl/options.h"

int actl_status(actl_client *c, const actl_options *o, aim_error *err);
int actl_chips(actl_client *c, const actl_options *o, aim_error *err);
int actl_program(actl_client *c, const actl_options *o, aim_error *err);
int actl_age(actl_client *c, const actl_options *o, aim_error *err);
int actl_probe(actl_client *c, const actl_options *o, aim_error *err);
int actl_calibrate(actl_client *c, const actl_options *o, aim_error *err);
int actl_delete(actl_client *c, const actl_options *o, aim_error *err);

#endif
