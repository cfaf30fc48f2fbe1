/* SPDX-License-Identifier: Apache-2.0 */
/* The integer kernel in plain C: the reference of the others. */
#include "tensor/kernel_rows.h"

#include <string.h>

/* sums[c] = sum_k x[k] * code[c, k] for the 16 channels of a panel. */
static void dot_panel(const int8_t *codes, const int8_t *x, int n_groups, int32_t *sums)
{
    int32_t acc[AIM_PANEL] = {0};
    for (int g = 0; g < n_groups; g++, codes += AIM__PANEL_ROW, x += AIM_K_GROUP)
        for (int c = 0; c < AIM_PANEL; c++) {
            const int8_t *w = codes + c * AIM_K_GROUP;
            acc[c] += w[0] * x[0] + w[1] * x[1] + w[2] * x[2] + w[3] * x[3];
        }
    memcpy(sums, acc, sizeof acc);
}

void aim__matmul_i8_portable(const aim_packed *w, int panel0, int panel1, const int8_t *x,
                             size_t ldx, const float *x_scale, int rows, float *y, size_t ldy)
{
    for (int p = panel0; p < panel1; p++)
        for (int r = 0; r < rows; r++) {
            int32_t sums[AIM_PANEL];
            dot_panel(aim__panel(w, p), x + (size_t)r * ldx, w->in_padded / AIM_K_GROUP, sums);
            for (int i = 0; i < aim__panel_channels(w, p); i++) {
                int c = p * AIM_PANEL + i;
                y[(size_t)r * ldy + (size_t)c] = (float)sums[i] * (x_scale[r] * w->scale[c]);
            }
        }
}
