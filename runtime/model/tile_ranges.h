/* SPDX-License-Identifier: Apache-2.0 */
/* tile_ranges.h - the ranges of the inputs of a linear layer's tiles: calibrated ones
 * go before learned ones, and where there are neither they are dynamic. */
#ifndef AIM_MODEL_TILE_RANGES_H
#define AIM_MODEL_TILE_RANGES_H

#include "model/backend.h"

/* Decide for one part of the layer. A single learned range is that of every tile: all of
 * them were limited by it in training. Random weights have fixed ranges that suit random
 * inputs. AIM_EFORMAT for learned ranges of another number of tiles or of 0, AIM_EINVAL
 * for calibrated ones of another number of tiles; AIM_ENOMEM. */
int aim__tiling_init(aim_tiling *t, const aim_linear_source *source, int part, aim_error *err);
/* Can converters be made for the ranges? largest [tiles, outputs of the part]: the
 * weights that full scales are made from. AIM_EINVAL if a range is so large that
 * float32 cannot hold a full scale or a step: every output would be NaN. */
int aim__tiling_check(const aim_tiling *t, const aim_linear_source *source, int part,
                      const float *largest, aim_error *err);
void aim__tiling_fini(aim_tiling *t); /* also of a zeroed one */

#endif
