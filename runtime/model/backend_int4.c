/* SPDX-License-Identifier: Apache-2.0 */
/* int4: weights rounded to nearest on 15 levels of each output channel, inputs as codes of
 * 8 bits (W4A8). It is the machinery of "analog" with weights that nothing disturbs: each
 * layer is one tile with a range for each row, or stands between the converters of a
 * profile, the tiles' channels then rounded tile by tile. */
#include "model/analog_linear.h"
#include "model/backend_impl.h"

static aim_linear *int4_load(const aim_compute *c, const aim_linear_source *source, aim_error *err)
{
    if (source->chip->profile.conductance_bits == 4)
        return aim__analog_load(c, source, err);
    aim_fail_param(err, AIM_EINVAL, "conductance_bits",
                   "the backend int4 holds weights in 4 bits, not in %d",
                   source->chip->profile.conductance_bits);
    return NULL;
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
