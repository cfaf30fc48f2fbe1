/* SPDX-License-Identifier: Apache-2.0 */
/* roofline.h - what the machine allows: the limits measured in this run, and the
 * rate of decoding that they leave. */
#ifndef AIM_BENCH_ROOFLINE_H
#define AIM_BENCH_ROOFLINE_H

#include "engine/served_model.h"

typedef struct machine_limits {
    double bandwidth; /* bytes a second from memory, all cores */
    double int8_macs; /* multiply-adds a second, all cores */
} machine_limits;

/* Measures, and reports both. Ends the program if it cannot. */
machine_limits machine_measure(void);

/* Tokens a second of n sequences, each with so many tokens of context in the mean, if
 * the memory or the multipliers were the only limit: the roofline of one step. Small
 * models stay in the caches, whose bandwidth is measured at the size of the weights. */
double roofline_decode(const machine_limits *machine, const aim_model *m, int n, double context);

#endif
