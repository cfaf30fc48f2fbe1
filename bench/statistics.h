/* SPDX-License-Identifier: Apache-2.0 */
/* statistics.h - of the few numbers that the rounds of a figure give. */
#ifndef AIM_BENCH_STATISTICS_H
#define AIM_BENCH_STATISTICS_H

/* Each sorts its n >= 1 values. */
double median(double *values, int n);
/* The smallest value that at least this share (0..1) of all values does not exceed. */
double quantile(double *values, int n, double share);

#endif
