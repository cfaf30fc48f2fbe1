/* SPDX-License-Identifier: Apache-2.0 */
/* random_shapes.h - dimensions of published models, to measure speed with random
 * weights where the checkpoint itself is not at hand. */
#ifndef AIM_ENGINE_RANDOM_SHAPES_H
#define AIM_ENGINE_RANDOM_SHAPES_H

#include "checkpoint/hf_config.h"

/* Fill out with the dimensions of the published model `name`; token ids (bos,
 * eos) stay as they are. AIM_EINVAL lists the names. */
int aim_random_shape(const char *name, aim_hf_config *out, aim_error *err);

#endif
