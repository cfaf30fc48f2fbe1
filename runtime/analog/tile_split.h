/* SPDX-License-Identifier: Apache-2.0 */
/* tile_split.h - how the inputs of a layer are dealt out to tiles.
 *
 * A crossbar has a limited number of rows, so a wider input dimension is cut
 * into tiles whose partial sums are added digitally. The cut is balanced: as few
 * tiles as fit, widths that differ by one at most, the wider ones first
 * (aihwkit-lightning, linear.py get_split_sizes): 1300 inputs at 512 are
 * 434 + 433 + 433. Outputs are never split. */
#ifndef AIM_ANALOG_TILE_SPLIT_H
#define AIM_ANALOG_TILE_SPLIT_H

typedef struct aim_tile_span {
    int first, width; /* inputs [first, first + width) */
} aim_tile_span;

/* in >= 1; max_input_size <= 0: no limit, one tile. */
int aim_tile_count(int in, int max_input_size);
/* 0 <= tile < aim_tile_count(in, max_input_size). */
aim_tile_span aim_tile_span_of(int in, int max_input_size, int tile);

#endif
