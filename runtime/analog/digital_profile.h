/* SPDX-License-Identifier: Apache-2.0 */
/* digital_profile.h - tiles without devices: digital weights of 4 bits, rounded to nearest
 * (aim_round_to_4_bits), between the converters of a chip. "Analog Foundation Models"
 * (arXiv 2505.09663) calls models on them SI8-W4, or SI8-W4-O8 with an ADC. */
#ifndef AIM_ANALOG_DIGITAL_PROFILE_H
#define AIM_ANALOG_DIGITAL_PROFILE_H

#include "analog/chip.h"

/* Leave of a profile what digital weights have a use for: tiles and converters, the layers
 * on them, and how weights are limited before they are rounded. Full scales are made from
 * the weights before rounding. Nothing is noisy, drifts or takes energy. */
void aim_profile_make_digital(aim_profile *p);

/* Where there is no profile: each layer is one tile with inputs of 8 bits, the range of
 * which is that of the row, and without an ADC. */
extern const aim_chip aim_digital_chip;

#endif
