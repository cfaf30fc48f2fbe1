/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include "analog/conductances.h"
#include "analog/converter.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

/* NaN is near nothing. */
static bool is_near(float got, float expected, tolerance within)
{
    double difference = fabs((double)got - (double)expected);
    return difference <= within.absolute + within.relative * fabs((double)expected);
}

void tally_compare(tally *t, vector_source from, const char *name, const float *got,
                   const float *expected, size_t n, tolerance within)
{
    long wrong = 0;
    for (size_t i = 0; i < n; i++) {
        if (is_near(got[i], expected[i], within))
            continue;
        if (!wrong++)
            printf("%s: %s[%zu] is %.9g, expected %.9g\n", from.what, name, i, (double)got[i],
                   (double)expected[i]);
    }
    t->mismatches += wrong;
}

bool rounds_to_4_bits(const aim_tile_settings *s, const float *weight, size_t n)
{
    enum { STEPS = 2 * AIM_CONDUCTANCE_MAX_4 };
    return s->weight_quantisation == AIM_WEIGHTS_DISCRETIZE_PER_CHANNEL &&
           aim_converter_steps(s->weight_res) == STEPS && aim_max_abs(weight, (int)n) <= STEPS;
}
