/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/digital_profile.h"

#include <string.h>

enum { DIGITAL_BITS = 4 };

void aim_profile_make_digital(aim_profile *p)
{
    aim_profile digital = {
        .tile = p->tile,
        .clip_sigma = p->clip_sigma,
        .conductance_bits = DIGITAL_BITS,
        .on_tiles = p->on_tiles,
    };
    memcpy(digital.name, p->name, sizeof digital.name);
    memcpy(digital.description, p->description, sizeof digital.description);
    memcpy(digital.source, p->source, sizeof digital.source);
    digital.tile.weight_quantisation = AIM_WEIGHTS_FLOAT; /* they are rounded behind it */
    digital.tile.weight_res = 0;
    *p = digital;
}

const aim_chip aim_digital_chip = {
    .profile =
        {
            .tile = {.max_input_size = -1, .input_range = AIM_RANGE_DYNAMIC, .inp_res = 254},
            .conductance_bits = DIGITAL_BITS,
            .on_tiles = AIM_ON_TILES_ATTENTION | AIM_ON_TILES_FEED_FORWARD | AIM_ON_TILES_LM_HEAD,
        },
};
