/* SPDX-License-Identifier: Apache-2.0 */
/* panel_sums.inc.h - sums of one panel in registers of 128 or 256 bits, in terms of the
 * dot product of four codes with four inputs in each 32-bit lane. Who includes it has
 * defined
 *   part, codes, inputs    registers: of sums, of codes, and what a row gives: 16 inputs
 *   zero_part()
 *   add_part(a, b), store_part(to, sum)
 *   load_codes(at)         codes as dot4 wants them
 *   load_pairs(at)         bytes of two 4-bit codes, as they are
 *   low_codes(pairs), high_codes(pairs)    their halves, 0 to 15
 *   load_inputs(x)
 *   dot4(sum, codes, inputs, group)    group 0 to 3 of the inputs
 *   MAX_ROWS               rows whose sums fit into the registers */

enum {
    PARTS = AIM__PANEL_ROW / sizeof(part), /* registers of a panel */
    MAX_CHAINS = 4,
    PREFETCH = 2048, /* bytes ahead */
};

/* Sums on their way: of each row in `chains` separate ones. So many additions are under
 * way at a time, for few rows to keep the multipliers busy too. (Loops over arrays of
 * registers are nested in two levels at most: GCC 12 keeps no more of them in
 * registers.) */
struct accumulators {
    part of[MAX_ROWS * PARTS][MAX_CHAINS];
};

INLINE part total(const part *sums, const int chains)
{
    part pair = chains > 1 ? add_part(sums[0], sums[1]) : sums[0];
    return chains > 2 ? add_part(pair, add_part(sums[2], sums[3])) : pair;
}

INLINE void prefetch(const int8_t *at)
{
    __builtin_prefetch((const void *)((uintptr_t)at + PREFETCH));
}

/* The codes of group g of a step that begins at `at`. */
INLINE void load_group(const int8_t *at, const int g, const int bits, codes *w)
{
    if (bits == 8)
        at += g * AIM__PANEL_ROW;
    else
        at += g / 2 * AIM__PANEL_ROW;
    if (bits == 8 || g % 2 == 0)
        prefetch(at);
    for (int i = 0; i < (int)PARTS; i++, at += sizeof(part))
        if (bits == 8)
            w[i] = load_codes(at);
        else
            w[i] = g % 2 == 0 ? low_codes(load_pairs(at)) : high_codes(load_pairs(at));
}

INLINE void add_group(struct accumulators *acc, const int8_t *at, const inputs *x, const int g,
                      const int bits, const int rows, const int chains)
{
    codes w[PARTS];
    load_group(at, g, bits, w);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < (int)PARTS; i++) {
            part *sum = &acc->of[r * (int)PARTS + i][g % chains];
            *sum = dot4(*sum, w[i], x[r], g);
        }
}

/* One plane of a panel by `rows` rows: plus what load_codes and 4-bit codes have added. */
INLINE void panel_sums(const int8_t *at, const int8_t *x, size_t ldx, int in_padded, const int bits,
                       const int rows, int plane, struct sums *sums)
{
    const int chains = rows == 1 ? MAX_CHAINS : rows < 4 ? 2 : 1;
    struct accumulators acc;
    for (int i = 0; i < rows * (int)PARTS; i++)
        for (int c = 0; c < chains; c++)
            acc.of[i][c] = zero_part();
    const int groups = GROUPS_AT_ONCE(rows, bits);
    for (int k = 0; k < in_padded; k += groups * AIM_K_GROUP) {
        inputs step[MAX_ROWS];
        for (int r = 0; r < rows; r++)
            step[r] = load_inputs(x + (size_t)r * ldx + k);
        add_group(&acc, at, step, 0, bits, rows, chains);
        if (groups > 1)
            add_group(&acc, at, step, 1, bits, rows, chains);
        if (groups > 2) {
            add_group(&acc, at, step, 2, bits, rows, chains);
            add_group(&acc, at, step, 3, bits, rows, chains);
        }
        at += groups * AIM__PANEL_ROW * bits / 8;
    }
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < (int)PARTS; i++)
            store_part(sums[r].plane[plane] + i * (AIM_PANEL / (int)PARTS),
                       total(acc.of[r * (int)PARTS + i], chains));
}
