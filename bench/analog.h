/* SPDX-License-Identifier: Apache-2.0 */
/* analog.h - chips beside their digital twin: how fast they decode, and how long
 * they take to program. */
#ifndef AIM_BENCH_ANALOG_H
#define AIM_BENCH_ANALOG_H

#include "bench/roofline.h"

/* Decoding at 1, 8 and 32 sequences on the shipped model and on the shape of
 * Llama-3.2-1B with random weights: int8, and chips of `profile` (a file) with 8 and
 * 16 conductance bits, taking turns; and programming, beside drawing as many
 * normals. Figures are medians of so many rounds. */
void bench_analog(const machine_limits *machine, const char *model, const char *profile,
                  int rounds);

#endif
