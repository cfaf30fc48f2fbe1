/* SPDX-License-Identifier: Apache-2.0 */
/* int4: weights rounded to nearest on 15 levels of each output channel, inputs as codes of
 * 8 bits (W4A8). It is the machinery of "analog" with weights that nothing disturbs: each
 * layer is one tile with a range for each row, or stands between the converters of a
 * profile, the tiles' channels then rounded tile by tile. */
#include "model/analog_linear.h"
#include "model/backend_impl.h"

/* The spread of a read is made from codes of 8 or 16 bits alone. */
static aim_linear *int4_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    const aim_profile *profile = &source->chip->profile;
    if (profile->conductance_bits != 4) {
        aim_fail_param(err, AIM_EINVAL, "conductance_bits",
                       "the backend int4 holds weights in 4 bits, not in %d",
                       profile->conductance_bits);
        return NULL;
    }
    if (aim_profile_reads_are_noisy(profile)) {
        aim_fail_param(err, AIM_EINVAL, "read_noise",
                       "the backend int4 reads its weights without noise: the profile has some");
        return NULL;
    }
    return aim__analog_load(c, source, err);
}

const aim_backend aim__backend_int4 = {
    .name = "int4",
    .kv_bf16 = true,
    .on_tiles = true,
    .load = int4_load,
    .free = aim__analog_free,
    .bytes = aim__analog_bytes,
    .load_bytes = aim__analog_load_bytes,
    .scratch = aim__tile_scratch,
    .convert_row = aim__analog_convert_row,
    .multiply = aim__analog_multiply,
    .tiling = aim__analog_tiling,
    .count_limits = aim__analog_count_limits,
};
