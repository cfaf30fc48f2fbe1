/* SPDX-License-Identifier: Apache-2.0 */
/* panel_tiles.inc.h - the way of an integer kernel through the rows and panels of a
 * tile, where the sums of a few rows by one panel fill the registers. Who includes it
 * has defined
 *   MAX_ROWS             rows of the largest register tile, at most 6
 *   OFFSET(bits)         what the kernel adds to each code of 4 bits, or to each int8
 *   plane_sums(at, x, ldx, in_padded, bits, rows, plane, sums)
 *                        sums of the plane at `at` by `rows` rows, of which it sets
 *                        sums[r].plane[plane], `bits` and `rows` being constants
 *   KERNEL               the name of the kernel */

#include "tensor/chunk.inc.h"

INLINE int32_t sum_of_inputs(const int8_t *x, int in_padded)
{
    int32_t sum = 0;
    for (int k = 0; k < in_padded; k++)
        sum += x[k];
    return sum;
}

/* Sums wrap modulo 2^32, so that the difference is exact. */
INLINE void take_off(int32_t offset, int32_t *sums)
{
    for (int c = 0; c < AIM_PANEL; c++)
        sums[c] = (int32_t)((uint32_t)sums[c] - (uint32_t)offset);
}

INLINE void panel_tile(const struct chunk *c, int row, int panel, const int bits, const int rows)
{
    const struct product *p = c->product;
    const int8_t *x = p->x + (size_t)(c->row0 + row) * p->ldx;
    struct sums sums[MAX_ROWS];
    for (int plane = 0; plane < aim_packed_planes(p->w); plane++) {
        const int8_t *at = aim_packed_plane(p->w, panel, plane);
        plane_sums(at, x, p->ldx, p->w->in_padded, bits, rows, plane, sums);
        for (int r = 0; OFFSET(bits) != 0 && r < rows; r++)
            take_off(c->offset[row + r], sums[r].plane[plane]);
    }
    read_out(p, panel, c->row0 + row, rows, sums);
}

/* The tile with its size made a constant. */
INLINE void sized_tile(const struct chunk *c, int row, int panel, const int bits, int rows)
{
    switch (rows) {
    case 1:
        panel_tile(c, row, panel, bits, 1);
        break;
    case 2:
        panel_tile(c, row, panel, bits, 2);
        break;
    case 3:
        panel_tile(c, row, panel, bits, 3);
        break;
    case 4:
        panel_tile(c, row, panel, bits, 4);
        break;
    case 5:
        panel_tile(c, row, panel, bits, MAX_ROWS < 5 ? MAX_ROWS : 5);
        break;
    default:
        panel_tile(c, row, panel, bits, MAX_ROWS);
        break;
    }
}

/* Panels outside, rows inside: a panel stays in the caches while all rows pass. Tiles
 * are of nearly equal height: 8 rows are 4 + 4 and not 6 + 2. */
INLINE void multiply_chunk(const struct chunk *c, int panel0, int panel1, const int bits)
{
    int tiles = (c->rows + MAX_ROWS - 1) / MAX_ROWS;
    for (int panel = panel0; panel < panel1; panel++)
        for (int t = 0; t < tiles; t++) {
            int row = c->rows * t / tiles, end = c->rows * (t + 1) / tiles;
            sized_tile(c, row, panel, bits, end - row);
        }
}
