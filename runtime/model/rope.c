/* SPDX-License-Identifier: Apache-2.0 */
#include "model/rope.h"

#include "base/fixmath.h"

void aim__rope_frequencies(float *inv_freq, int dim, double theta)
{
    for (int i = 0; i < dim / 2; i++)
        inv_freq[i] = (float)aim_pow(theta, -2.0 * i / dim);
}

/* The angle is a float32 product in the reference; at large positions its
 * rounding is what a model was trained with. */
void aim__rope_angles(const float *inv_freq, int dim, int position, float *cos, float *sin)
{
    for (int i = 0; i < dim / 2; i++) {
        float angle = (float)position * inv_freq[i];
        cos[i] = (float)aim_cos(angle);
        sin[i] = (float)aim_sin(angle);
    }
}
