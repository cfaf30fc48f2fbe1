/* SPDX-License-Identifier: Apache-2.0 */
/* chip_digest.h - one name for all that makes a chip the one it is. */
#ifndef AIM_ANALOG_CHIP_DIGEST_H
#define AIM_ANALOG_CHIP_DIGEST_H

#include "analog/chip.h"
#include "base/sha256.h"

/* The digest of everything that decides what a chip computes: the numbers of its
 * profile, seed, age where devices drift, calibrated ranges if the profile wants static
 * ones. Not of texts, nor of energy figures. */
void aim_chip_digest(const aim_chip *chip, char hex[AIM_SHA256_HEX]);
/* The same of parts of it. set may be NULL. */
void aim_profile_digest(const aim_profile *profile, char hex[AIM_SHA256_HEX]);
void aim_input_ranges_digest(const aim_input_ranges_set *set, char hex[AIM_SHA256_HEX]);

#endif
