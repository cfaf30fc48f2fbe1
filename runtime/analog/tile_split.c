/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/tile_split.h"

int aim_tile_count(int in, int max_input_size)
{
    if (max_input_size <= 0)
        return 1;
    return in / max_input_size + (in % max_input_size != 0);
}

aim_tile_span aim_tile_span_of(int in, int max_input_size, int tile)
{
    int tiles = aim_tile_count(in, max_input_size);
    int narrow = in / tiles, wider = in % tiles;
    int wider_before = tile < wider ? tile : wider;
    return (aim_tile_span){tile * narrow + wider_before, narrow + (tile < wider)};
}
