/* SPDX-License-Identifier: Apache-2.0 */
/* profile_parser.h - the text of a profile into its fields. */
#ifndef AIM_ANALOG_PROFILE_PARSER_H
#define AIM_ANALOG_PROFILE_PARSER_H

#include "analog/profile.h"

/* Everything but p->name, checked. name stands for the file in errors. */
int aim__profile_parse_text(const char *text, const char *name, aim_profile *p, aim_error *err);

#endif
