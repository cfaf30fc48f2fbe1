/* SPDX-License-Identifier: Apache-2.0 */
/* roofline.h - the least time that the machine leaves for some work: the bytes over the
 * read bandwidth or the multiply-adds over their peak, whichever takes longer. */
#ifndef AIM_BENCH_ROOFLINE_H
#define AIM_BENCH_ROOFLINE_H

#include "bench/machine.h"
#include "bench/models.h"

typedef struct step_work {
    double bytes; /* read: weights, keys and values */
    double macs;  /* int8 multiply-adds of the linear layers */
} step_work;

double roofline_seconds(const machine_limits *machine, step_work work);

/* One step that decodes a token of each of n sequences, which have so many tokens of
 * context on average, a part that they share divided among them. */
step_work work_of_decoding(const aim_model *m, enum contestant c, int n, double context);
/* A prompt of so many tokens: one read of the weights, and lm_head for its last
 * token alone. */
step_work work_of_prefill(const aim_model *m, enum contestant c, int tokens);

#endif
