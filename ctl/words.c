/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/words.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>

static const struct {
    const char *name;
    double seconds;
} units[] = {{"y", 365 * 86400.0}, {"d", 86400}, {"h", 3600}, {"min", 60}, {"s", 1}};
enum { N_UNITS = sizeof units / sizeof units[0] };

const char *actl_age_words(double seconds, char out[ACTL_WORDS])
{
    int u = 0;
    while (u < N_UNITS - 1 && seconds < units[u].seconds)
        u++;
    if (u == N_UNITS - 1) {
        snprintf(out, ACTL_WORDS, "%.3g s", seconds);
        return out;
    }
    double many = floor(seconds / units[u].seconds);
    double few = floor((seconds - many * units[u].seconds) / units[u + 1].seconds);
    if (few > 0)
        snprintf(out, ACTL_WORDS, "%.6g %s %.6g %s", many, units[u].name, few, units[u + 1].name);
    else
        snprintf(out, ACTL_WORDS, "%.6g %s", many, units[u].name);
    return out;
}

const char *actl_bytes_words(double bytes, char out[ACTL_WORDS])
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
    size_t u = 0;
    if (bytes < 1024) {
        snprintf(out, ACTL_WORDS, "%.0f B", bytes);
        return out;
    }
    for (bytes /= 1024; bytes >= 1024 && u < sizeof names / sizeof names[0] - 1; u++)
        bytes /= 1024;
    snprintf(out, ACTL_WORDS, "%.1f %s", bytes, names[u]);
    return out;
}

const char *actl_percent_words(double share, char out[ACTL_WORDS])
{
    if (isnan(share))
        snprintf(out, ACTL_WORDS, "-");
    else
        snprintf(out, ACTL_WORDS, "%.3f %%", 100 * share);
    return out;
}
