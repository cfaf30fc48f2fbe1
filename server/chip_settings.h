/* SPDX-License-Identifier: Apache-2.0 */
/* chip_settings.h - from the options of a model with a profile to what its weights are
 * programmed on, or stand between. */
#ifndef AIMD_CHIP_SETTINGS_H
#define AIMD_CHIP_SETTINGS_H

#include "analog/chip.h"
#include "server/options.h"

enum { AIMD_CHIP_NAME = 64 }; /* bytes of a chip's name, without NUL */

/* As in options.def: JSON's numbers hold all seeds exactly. */
#define AIMD_MAX_CHIP_SEED (INT64_C(1) << 53)
#define AIMD_MIN_OUT_BOUND 1e-3
#define AIMD_MAX_OUT_BOUND 1000.0

/* Letters, digits, '.', '_' and '-', a letter or digit first, at most AIMD_CHIP_NAME,
 * and no end that a file beside the chip's has: it can be the name of a file. */
bool aimd_is_chip_name(const char *name);

/* Read the profile of m, by name from o->profile_dirs or as a file if there is a slash
 * in it, and make the chip that m describes; of the backend int4 with what digital weights
 * leave of it (analog/digital_profile.h). Its ranges are NULL, or those of the file
 * m->input_ranges, for the caller to free. Any thread. Errors: AIM_EINVAL and AIM_ENOTFOUND
 * with file and reason; param is the option at fault, if it is one. */
int aimd_chip_settings(const aimd_options *o, const aimd_model_options *m, aim_chip *chip,
                       aim_error *err);

#endif
