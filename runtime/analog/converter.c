/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/converter.h"

float aim_max_abs(const float *x, int n)
{
    float largest = 0.0f;
    for (int i = 0; i < n; i++) {
        float magnitude = fabsf(x[i]);
        if (isnan(magnitude))
            return magnitude;
        largest = magnitude > largest ? magnitude : largest;
    }
    return largest;
}
