/* SPDX-License-Identifier: Apache-2.0 */
/* report.h - one figure a line, beside the limit measured in the same run. */
#ifndef AIM_BENCH_REPORT_H
#define AIM_BENCH_REPORT_H

#include <stdbool.h>

/* json: one JSON object a line, else a table. */
void report_format(bool json);
/* A heading of the table; nothing in JSON. */
void report_title(const char *text);
/* limit 0: the figure has none. lower: smaller values are better, so the share
 * is limit / value. */
void report(const char *name, double value, const char *unit, double limit, bool lower);
double median(double *values, int n); /* sorts values */

/* A message, and the end of the program. */
_Noreturn void bench_fail(const char *text);

#endif
