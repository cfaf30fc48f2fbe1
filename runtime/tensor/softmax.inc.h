/* SPDX-License-Identifier: Apache-2.0 */
/* softmax.inc.h - scores to weights. Included by attention.inc.h. */

/* The largest number; NaNs are passed over. */
static float largest_of(const float *x, int n)
{
    float max[LANES];
    for (int l = 0; l < LANES; l++)
        max[l] = -INFINITY;
    int i = 0;
    for (; i + LANES <= n; i += LANES)
        for (int l = 0; l < LANES; l++)
            max[l] = x[i + l] > max[l] ? x[i + l] : max[l];
    for (int l = 0; i + l < n; l++)
        max[l] = x[i + l] > max[l] ? x[i + l] : max[l];
    for (int l = 1; l < LANES; l++)
        max[0] = max[l] > max[0] ? max[l] : max[0];
    return max[0];
}

/* x = exp(x - max); returns their sum, by lanes. A NaN makes the sum one, so that it
 * need not be looked for in the maximum. */
static float exp_and_sum(float *x, int n, float max)
{
    lanes acc = lanes_set(0);
    int i = 0;
    for (; i + LANES <= n; i += LANES) {
        for (int l = 0; l < LANES; l++)
            x[i + l] = aim_expf(x[i + l] - max);
        acc = lanes_add(acc, lanes_load(x + i));
    }
    for (int l = i; l < n; l++)
        x[l] = aim_expf(x[l] - max);
    if (i < n)
        acc = lanes_add(acc, lanes_load_some(x + i, n - i));
    return lanes_sum(acc);
}

static void softmax(float *x, int n)
{
    float inverse = 1.0f / exp_and_sum(x, n, largest_of(x, n));
    for (int i = 0; i < n; i++)
        x[i] *= inverse;
}
