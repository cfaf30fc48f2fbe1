/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/metrics.h"

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The value of the next line of the metric at or behind *line, which moves on; NaN
 * at the page's end. Lines are NAME VALUE or NAME{LABELS} VALUE. */
static double next_value(const char **line, const char *name)
{
    size_t len = strlen(name);
    while (**line) {
        const char *start = *line, *end = start + strcspn(start, "\n");
        *line = *end ? end + 1 : end;
        if (strncmp(start, name, len) != 0 || (start[len] != ' ' && start[len] != '{'))
            continue;
        while (end[-1] != ' ' && end[-1] != '}')
            end--;
        double value = strtod(end, NULL);
        if (isfinite(value))
            return value;
    }
    return NAN;
}

double actl_metric_sum(const char *page, const char *name)
{
    double value, sum = 0;
    while (!isnan(value = next_value(&page, name)))
        sum += value;
    return sum;
}

double actl_metric_max(const char *page, const char *name)
{
    double value, most = 0;
    while (!isnan(value = next_value(&page, name)))
        most = fmax(most, value);
    return most;
}
