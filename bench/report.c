/* SPDX-License-Identifier: Apache-2.0 */
#include "bench/report.h"

#include <stdio.h>
#include <stdlib.h>

static bool as_json;

void report_format(bool json)
{
    as_json = json;
}

void report_title(const char *text)
{
    if (!as_json)
        printf("\n%s\n%-34s %12s %-10s %12s %7s\n", text, "", "figure", "unit", "limit", "share");
    fflush(stdout);
}

static void print_json(const char *name, double value, const char *unit, double limit, double share)
{
    printf("{\"name\": \"%s\", \"value\": %.6g, \"unit\": \"%s\"", name, value, unit);
    if (limit > 0)
        printf(", \"limit\": %.6g, \"share\": %.4g}\n", limit, share);
    else
        printf(", \"limit\": null, \"share\": null}\n");
}

static void print_row(const char *name, double value, const char *unit, double limit, double share)
{
    printf("%-34s %12.4g %-10s", name, value, unit);
    if (limit > 0)
        printf(" %12.4g %6.1f%%", limit, 100 * share);
    printf("\n");
}

void report(const char *name, double value, const char *unit, double limit, bool lower)
{
    double share = limit > 0 ? (lower ? limit / value : value / limit) : 0;
    (as_json ? print_json : print_row)(name, value, unit, limit, share);
    fflush(stdout);
}

void bench_fail(const char *text)
{
    fprintf(stderr, "bench: %s\n", text);
    exit(1);
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *values, int n)
{
    qsort(values, (size_t)n, sizeof *values, ascending);
    return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}
