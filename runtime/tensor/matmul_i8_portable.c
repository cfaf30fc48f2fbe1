/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel in plain C: the reference of the others. */
#include "tensor/readout.inc.h"

/* sums[c] = sum_k x[k] * code[c, k] for the 16 channels of a plane of a panel, k below
 * 4 * n_groups. */
typedef void dot_fn(const int8_t *codes, const int8_t *x, int n_groups, int32_t *sums);

static inline void add_group(const int8_t *codes, const int8_t *x, int32_t *sums)
{
    for (int c = 0; c < AIM_PANEL; c++) {
        const int8_t *w = codes + c * AIM_K_GROUP;
        sums[c] += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
    }
}

static void dot_panel(const int8_t *codes, const int8_t *x, int n_groups, int32_t *sums)
{
    int32_t acc[AIM_PANEL] = {0};
    for (int g = 0; g < n_groups; g++, codes += AIM__PANEL_ROW, x += AIM_K_GROUP)
        add_group(codes, x, acc);
    memcpy(sums, acc, sizeof acc);
}

/* The same of a panel of 4-bit codes. */
static void dot_nibbles(const int8_t *codes, const int8_t *x, int n_groups, int32_t *sums)
{
    int32_t acc[AIM_PANEL] = {0};
    for (int g = 0; g < n_groups; g += 2, codes += AIM__PANEL_ROW, x += 2 * AIM_K_GROUP) {
        int8_t low[AIM__PANEL_ROW], high[AIM__PANEL_ROW];
        for (int i = 0; i < AIM__PANEL_ROW; i++) {
            low[i] = (int8_t)(((uint8_t)codes[i] & 15) - 8);
            high[i] = (int8_t)(((uint8_t)codes[i] >> 4) - 8);
        }
        add_group(low, x, acc);
        add_group(high, x + AIM_K_GROUP, acc);
    }
    memcpy(sums, acc, sizeof acc);
}

void aim__matmul_tile_portable(const aim_packed *w, int panel0, int panel1, const int8_t *x,
                               size_t ldx, const float *x_step, int rows, const aim_adc *adc,
                               const aim_output *out)
{
    const struct product product = {w, x, ldx, x_step, adc, out};
    dot_fn *dot = w->bits == 4 ? dot_nibbles : dot_panel;
    for (int p = panel0; p < panel1; p++)
        for (int r = 0; r < rows; r++) {
            struct sums sums;
            for (int plane = 0; plane < aim_packed_planes(w); plane++)
                dot(aim_packed_plane(w, p, plane), x + (size_t)r * ldx, w->in_padded / AIM_K_GROUP,
                    sums.plane[plane]);
            read_out(&product, p, r, 1, &sums);
        }
}
