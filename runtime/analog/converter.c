/* SPDX-License-Identifier: Apache-2.0 */
#include "analog/converter.h"

#include "analog/noise_loops.h"

float aim_max_abs(const float *x, int n)
{
    return aim__noise_loops_pick()->max_abs(x, n);
}
